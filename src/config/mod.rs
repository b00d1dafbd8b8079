//! Configuration: defaults, then `workroom.toml`, then the environment (`WORKROOM_…`, `DATABASE_URL`,
//! `DIRECT_URL`, `OWNER_URL`, `NATS_URL`). A section a file, each setting declared once there; `.env.example` and
//! `docs/settings.md` list all, and a test keeps them so.

mod connections;
mod development;
mod identity;
mod jobs;
mod live;
mod mail;
mod names;
mod process;
mod requests;
mod section;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod webhooks;

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
    value::Dict,
};
use serde::{Serialize, de::DeserializeOwned};

pub use connections::Connections;
pub use development::Development;
pub use identity::{IdentitySettings, LoginThrottleConfig, PasswordPolicyConfig};
pub use jobs::JobSettings;
pub use live::{LiveConfig, LiveSettings};
pub use mail::{MailSettings, reachable};
pub use process::{LogFormat, Process, ReadyDetails, Role};
pub use requests::{RateLimitsConfig, Requests};
pub use webhooks::WebhookSettings;

use names::{refuse_unknown, refuse_unknown_variables, settings};

/// Everything that can be configured. The names of settings are those of the fields of its sections.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Config {
    /// Where Postgres and NATS are.
    #[serde(flatten)]
    pub connections: Connections,
    /// What the process does.
    #[serde(flatten)]
    pub process: Process,
    /// What requests may be.
    #[serde(flatten)]
    pub requests: Requests,
    /// Who somebody is.
    #[serde(flatten)]
    pub identity: IdentitySettings,
    /// How mails are sent.
    #[serde(flatten)]
    pub mail: MailSettings,
    /// How many sockets may be open.
    #[serde(flatten)]
    pub live: LiveSettings,
    /// How jobs are run.
    #[serde(flatten)]
    pub jobs: JobSettings,
}

impl Config {
    /// Reads defaults, `workroom.toml` in the working folder, and the environment, in this order.
    ///
    /// # Errors
    /// A setting that is unknown or does not fit, named.
    pub fn load() -> anyhow::Result<Self> {
        let Development { defaults, overrides, .. } = Development::read()?;
        let known = settings();
        refuse_unknown_variables(&known, std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        let file = || Toml::file("workroom.toml");
        let in_file: Dict = Figment::from(file()).extract().map_err(|error| does_not_fit(&error))?;
        for name in in_file.keys().chain(defaults.keys()).chain(overrides.keys()) {
            refuse_unknown(&known, name)?;
        }
        let variables: Vec<_> = known.iter().map(String::as_str).collect();
        let settings = Figment::from(Serialized::defaults(Self::default()))
            .merge(Serialized::defaults(defaults))
            .merge(file())
            .merge(Env::raw().only(&["DATABASE_URL", "DIRECT_URL", "OWNER_URL", "NATS_URL"]))
            .merge(Env::prefixed("WORKROOM_").only(&variables).split("__"))
            .merge(Serialized::defaults(overrides));
        Ok(Self {
            connections: read(&settings)?,
            process: read(&settings)?,
            requests: read(&settings)?,
            identity: read(&settings)?,
            mail: read(&settings)?,
            live: read(&settings)?,
            jobs: read(&settings)?,
        })
    }
}

fn read<S: DeserializeOwned>(settings: &Figment) -> anyhow::Result<S> {
    settings.extract().map_err(|error| does_not_fit(&error))
}

fn does_not_fit(error: &figment::Error) -> anyhow::Error {
    anyhow::anyhow!("the configuration does not fit: {error}")
}

//! Configuration: defaults, then `workroom.toml`, then the environment (`WORKROOM_…`, `DATABASE_URL`,
//! `DIRECT_URL`, `OWNER_URL`, `NATS_URL`). Every setting is listed in `.env.example`.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
    value::Dict,
};
use serde::{Deserialize, Serialize};

use crate::{
    application::EmailProof,
    identity::{
        IdentityConfig, IdentityWebhook, external::ExternalIssuerConfig, password::PasswordPolicy, throttle::Rule,
        webhook::IdentityWebhookConfig,
    },
    jobs::sandbox::{SandboxConfig, UseCgroups},
    notify::MailConfig,
};

/// Seconds.
const DAY: u64 = 24 * 3600;

/// A part that a process can play. Each can be played by any number of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers REST requests.
    Api,
    /// Holds WebSockets.
    Live,
    /// Keeps the read models; elects a leader for each group.
    Projector,
    /// Copies the log to JetStream; elects a leader.
    Relay,
    /// Runs jobs.
    Worker,
    /// Finds jobs that were lost or are due; elects a leader.
    Scheduler,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [Self::Api, Self::Live, Self::Projector, Self::Relay, Self::Worker, Self::Scheduler];
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors.
    Json,
}

/// Who is told by `/ready` what fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyDetails {
    /// Whoever asks from the same machine, and not through a proxy.
    #[default]
    Local,
    /// Everybody.
    Everyone,
}

/// Everything that can be configured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 takes any free one.
    pub port: u16,
    /// Postgres, as a URL; may lead through a pooler that keeps sessions.
    pub database_url: String,
    /// Postgres itself, as a URL, where `database_url` leads through a pooler: for migrations, the log's writer, leaders.
    pub direct_url: Option<String>,
    /// Postgres itself, as a URL, as the role that owns the schema: for migrations and rebuilds. Without it the role of
    /// `database_url` (or `direct_url`) owns it.
    pub owner_url: Option<String>,
    /// NATS, as a URL.
    pub nats_url: String,
    /// The authorities that may vouch for NATS, in PEM; the system's when not given. TLS is required with it.
    pub nats_ca_file: Option<PathBuf>,
    /// The certificate that is shown to NATS, in PEM, with those between it and its authority.
    pub nats_cert_file: Option<PathBuf>,
    /// The private key of `nats_cert_file`, in PEM.
    pub nats_key_file: Option<PathBuf>,
    /// The parts this process plays.
    pub roles: BTreeSet<Role>,
    /// `iss` of access tokens: who signed them.
    pub issuer: String,
    /// `aud` of access tokens: whom they are for.
    pub audience: String,
    /// How long an access token holds, in seconds.
    pub access_token_seconds: u64,
    /// How long a session holds without a new sign-in, in days.
    pub session_days: u64,
    /// Sessions that an account can have at a time; one more ends the oldest.
    pub session_limit: u32,
    /// How long a personal access token can hold, in days.
    pub personal_token_days: u32,
    /// Rules for new passwords.
    pub password_policy: PasswordPolicyConfig,
    /// How often signing in may fail.
    pub login_throttle: LoginThrottleConfig,
    /// How often anything may be asked.
    pub rate_limits: RateLimitsConfig,
    /// When an address counts as its account's: once that is proven by `mail` (when not given), or `trusted` as soon as it is
    /// typed.
    pub email_proof: Option<EmailProof>,
    /// Invitations that somebody may send in a day.
    pub invitations_per_sender: u32,
    /// Invitations that an address may get in a day, by whomever.
    pub invitations_per_recipient: u32,
    /// Proxies in front of the service whose `X-Forwarded-For` is believed.
    pub trusted_proxies: usize,
    /// Other issuers whose tokens are accepted (`OpenID` Connect).
    pub external_issuers: Vec<ExternalIssuerConfig>,
    /// What an identity provider may tell by webhook.
    pub identity_webhook: Option<IdentityWebhookConfig>,
    /// The mail server, as `smtps://user:password@host`, or `smtp://…?tls=required`.
    pub smtp_url: Option<String>,
    /// Who mails are from.
    pub mail_from: String,
    /// How late a reminder of a task may come, in minutes after it was due, when nobody was there to send it in time.
    pub reminder_latest_minutes: u64,
    /// Where mails are written when there is no mail server: for development.
    pub mail_folder: Option<PathBuf>,
    /// The address of the pages that mails link to; where the service listens when not given.
    pub app_url: Option<String>,
    /// Origins whose pages may call the API and open WebSockets from a browser, such as `https://app.example.com`.
    pub allowed_origins: Vec<String>,
    /// Sockets that an address may have open in one process.
    pub sockets_per_address: u32,
    /// Sockets that an account may have open in one process.
    pub sockets_per_account: u32,
    /// Who is told by `/ready` what fails, and not only that something does.
    pub ready_details: ReadyDetails,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// How long a request may take, in seconds.
    pub request_timeout_seconds: u64,
    /// Connections to Postgres that queries share.
    pub database_connections: u32,
    /// Jobs that a worker runs at a time; 0 takes the number of processors.
    pub worker_slots: usize,
    /// Where bubblewrap is; searched in `PATH` when not given. Without it no code is run.
    pub bubblewrap: Option<PathBuf>,
    /// Whether code is run where there are no cgroups: `auto` does, `required` does not, `never` makes none.
    pub sandbox_cgroups: UseCgroups,
    /// First of the users that programs run as where the worker is root; each running program has the next free one.
    pub sandbox_first_uid: u32,
    /// Where a folder is made for what programs see of the system; a temporary folder when not given.
    pub sandbox_folder: Option<PathBuf>,
    /// Further folders of the system that programs see, read-only.
    pub sandbox_mounts: Vec<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Rules for new passwords.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicyConfig {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// Whether well-known passwords are refused.
    pub refuse_common: bool,
    /// How hard to guess a password must be, from 0 (not looked at) to 4.
    pub min_strength: u8,
}

/// How often signing in may fail: so often in a window, and then once each window ÷ attempts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginThrottleConfig {
    /// Failures from one address, or one /64 network of IPv6; from a /56 four times as many, from a /48 sixteen times.
    pub address_attempts: u32,
    /// Their window, in seconds.
    pub address_window_seconds: u64,
    /// Failures for one account from one address.
    pub account_attempts: u32,
    /// Their window, in seconds.
    pub account_window_seconds: u64,
    /// Failures for one account from all addresses together; not for whoever signed in from there before.
    pub everywhere_attempts: u32,
    /// Their window, in seconds.
    pub everywhere_window_seconds: u64,
}

/// Requests in a sliding window of a minute, by class; 0 is as many as one likes. Above what a benchmark on a small machine
/// reaches: a service for many should be given less.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitsConfig {
    /// Reads of one account.
    pub reads_per_account: u32,
    /// Reads from one address, or one /64 network of IPv6, as in all that follow.
    pub reads_per_address: u32,
    /// Changes by one account.
    pub writes_per_account: u32,
    /// Changes from one address.
    pub writes_per_address: u32,
    /// Sign-ins and refreshed tokens from one address.
    pub sign_ins_per_address: u32,
    /// New accounts from one address.
    pub registrations_per_address: u32,
    /// Forgotten passwords and proofs of addresses, from one address.
    pub recoveries_per_address: u32,
    /// Sockets opened from one address.
    pub sockets_per_address: u32,
}

impl Default for RateLimitsConfig {
    fn default() -> Self {
        Self {
            reads_per_account: 3_000_000,
            reads_per_address: 6_000_000,
            writes_per_account: 1_500_000,
            writes_per_address: 3_000_000,
            sign_ins_per_address: 60_000,
            registrations_per_address: 6_000,
            recoveries_per_address: 600,
            sockets_per_address: 120_000,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let sandbox = SandboxConfig::default();
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8080,
            database_url: "postgres://workroom@127.0.0.1:5432/workroom".to_owned(),
            direct_url: None,
            owner_url: None,
            nats_url: "nats://127.0.0.1:4222".to_owned(),
            nats_ca_file: None,
            nats_cert_file: None,
            nats_key_file: None,
            roles: Role::ALL.into(),
            issuer: "workroom".to_owned(),
            audience: "workroom".to_owned(),
            access_token_seconds: 15 * 60,
            session_days: 30,
            session_limit: 100,
            personal_token_days: 365,
            password_policy: PasswordPolicyConfig {
                min_length: 8,
                max_length: 128,
                refuse_common: true,
                min_strength: 2,
            },
            login_throttle: LoginThrottleConfig {
                address_attempts: 100,
                address_window_seconds: 300,
                account_attempts: 10,
                account_window_seconds: 300,
                everywhere_attempts: 100,
                everywhere_window_seconds: 3600,
            },
            rate_limits: RateLimitsConfig::default(),
            email_proof: None,
            invitations_per_sender: 500,
            invitations_per_recipient: 20,
            trusted_proxies: 0,
            external_issuers: Vec::new(),
            identity_webhook: None,
            smtp_url: None,
            mail_from: "Workroom <workroom@localhost>".to_owned(),
            reminder_latest_minutes: 7 * 24 * 60,
            mail_folder: None,
            app_url: None,
            allowed_origins: Vec::new(),
            sockets_per_address: 25_000,
            sockets_per_account: 10_000,
            ready_details: ReadyDetails::Local,
            body_limit_bytes: 1024 * 1024,
            request_timeout_seconds: 30,
            database_connections: 16,
            worker_slots: 0,
            bubblewrap: None,
            sandbox_cgroups: sandbox.cgroups,
            sandbox_first_uid: sandbox.first_uid,
            sandbox_folder: sandbox.folder,
            sandbox_mounts: sandbox.mounts,
            log_format: LogFormat::Text,
        }
    }
}

/// What `./dev up` tells the service about a developer's machine, as JSON in the variable `WORKROOM_DEVELOPMENT`: one, so that
/// nothing that somebody has set is lost among what it chooses.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Development {
    /// Settings that hold where nobody has set another.
    defaults: Dict,
    /// Settings that hold in any case.
    overrides: Dict,
}

impl Development {
    const VARIABLE: &str = "WORKROOM_DEVELOPMENT";

    /// Whether `./dev up` has started this process.
    pub fn is_given() -> bool {
        std::env::var_os(Self::VARIABLE).is_some()
    }

    fn read() -> anyhow::Result<Self> {
        let Some(text) = std::env::var_os(Self::VARIABLE) else { return Ok(Self::default()) };
        let text = text.to_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|error| anyhow::anyhow!("{} does not fit: {error}", Self::VARIABLE))
    }
}

impl Config {
    /// Reads defaults, `workroom.toml` in the working folder, and the environment, in this order.
    ///
    /// # Errors
    /// A setting that is unknown or does not fit, named.
    pub fn load() -> anyhow::Result<Self> {
        let Development { defaults, overrides } = Development::read()?;
        let settings = settings();
        refuse_unknown(&settings, std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let config = Figment::from(Serialized::defaults(Self::default()))
            .merge(Serialized::defaults(defaults))
            .merge(Toml::file("workroom.toml"))
            .merge(Env::raw().only(&["DATABASE_URL", "DIRECT_URL", "OWNER_URL", "NATS_URL"]))
            .merge(Env::prefixed("WORKROOM_").only(&settings).split("__"))
            .merge(Serialized::defaults(overrides));
        config.extract().map_err(|error| anyhow::anyhow!("the configuration does not fit: {error}"))
    }

    /// Whether this process only runs jobs. Such a process needs, and is given, the least rights in Postgres and NATS.
    pub fn only_runs_jobs(&self) -> bool {
        self.roles.iter().eq([&Role::Worker])
    }

    /// When an address counts as its account's.
    pub fn email_proof(&self) -> EmailProof {
        self.email_proof.unwrap_or_default()
    }

    /// What mail needs of it, in a process that listens at `address`.
    pub fn mail(&self, address: SocketAddr) -> MailConfig {
        MailConfig {
            smtp_url: self.smtp_url.clone(),
            from: self.mail_from.clone(),
            folder: self.mail_folder.clone(),
            app_url: self.app_url.clone().unwrap_or_else(|| format!("http://{}", reachable(address))),
        }
    }

    /// How late a reminder may come; a hundred years are never.
    pub fn reminder_latest(&self) -> Duration {
        Duration::from_secs(self.reminder_latest_minutes.min(100 * 365 * 24 * 60) * 60)
    }

    /// What the sandbox needs of it, with bubblewrap where it is.
    pub fn sandbox(&self, bwrap: PathBuf) -> SandboxConfig {
        SandboxConfig {
            bwrap,
            cgroups: self.sandbox_cgroups,
            first_uid: self.sandbox_first_uid,
            folder: self.sandbox_folder.clone(),
            mounts: self.sandbox_mounts.clone(),
            ..SandboxConfig::default()
        }
    }

    /// What identity needs of it.
    ///
    /// # Errors
    /// A webhook secret that does not read.
    pub fn identity(&self) -> anyhow::Result<IdentityConfig> {
        let PasswordPolicyConfig { min_length, max_length, refuse_common, min_strength } = self.password_policy;
        let throttle = &self.login_throttle;
        let rule = |attempts, seconds| Rule { attempts, window: Duration::from_secs(seconds) };
        Ok(IdentityConfig {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            access_token_lifetime: Duration::from_secs(self.access_token_seconds),
            session_lifetime: Duration::from_secs(self.session_days * 24 * 3600),
            session_limit: self.session_limit.clamp(1, 1000),
            personal_token_lifetime: Duration::from_secs(u64::from(self.personal_token_days.clamp(1, 36_500)) * 86_400),
            password_policy: PasswordPolicy {
                min_length,
                max_length,
                refuse_common,
                min_strength: min_strength.min(4),
            },
            address_attempts: rule(throttle.address_attempts, throttle.address_window_seconds),
            account_attempts: rule(throttle.account_attempts, throttle.account_window_seconds),
            account_attempts_everywhere: rule(throttle.everywhere_attempts, throttle.everywhere_window_seconds),
            invitations_per_sender: rule(self.invitations_per_sender, DAY),
            invitations_per_recipient: rule(self.invitations_per_recipient, DAY),
            external_issuers: self.external_issuers.clone(),
            webhook: self.identity_webhook.as_ref().map(IdentityWebhook::new).transpose()?,
            mail_folder: self.mail_folder.clone(),
        })
    }
}

/// An address that a browser on this machine can open: a service that listens everywhere is also there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())) } else { address }
}

/// Settings inside of one that is absent by default.
const INSIDE_OPTIONAL: [&str; 2] = ["identity_webhook__issuer", "identity_webhook__secrets"];
/// Settings that have names of their own in the environment, without the prefix.
const UNPREFIXED: [&str; 4] = ["database_url", "direct_url", "owner_url", "nats_url"];
const PREFIX: &str = "WORKROOM_";
/// Variables of this prefix that other programs read: the development commands, the tests, `docker-compose.yml`.
const OF_OTHERS: [&str; 19] = [
    Development::VARIABLE,
    "WORKROOM_BIN",
    "WORKROOM_BWRAP",
    "WORKROOM_CGROUP_OPTION",
    "WORKROOM_DATA_DIR",
    "WORKROOM_DEBIAN_MIRROR",
    "WORKROOM_DEV_BIN",
    "WORKROOM_DRILL_BOUNDED",
    "WORKROOM_DRILL_IMAGE",
    "WORKROOM_DRILL_SECONDS",
    "WORKROOM_IMAGE",
    "WORKROOM_NATS_SERVER",
    "WORKROOM_PGBENCH",
    "WORKROOM_POSTGRES_BIN",
    "WORKROOM_PUBLISHED_PORT",
    "WORKROOM_TEST_LONG",
    "WORKROOM_TLS_FOLDER",
    "WORKROOM_TOOLS",
    "WORKROOM_URL",
];

/// The settings that the environment may hold as `WORKROOM_<NAME>`: all fields of [`Config`], those inside of others behind two
/// underscores.
fn settings() -> Vec<String> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut names: Vec<String> = INSIDE_OPTIONAL.map(str::to_owned).to_vec();
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if !UNPREFIXED.contains(&name.as_str()) {
            names.push(name.clone());
        }
        names.extend(value.as_object().into_iter().flatten().map(|(inner, _)| format!("{name}__{inner}")));
    }
    names
}

/// Refuses a variable that looks like a setting and is none: most likely it is a misspelt one.
fn refuse_unknown(settings: &[String], variables: impl Iterator<Item = String>) -> anyhow::Result<()> {
    for variable in variables {
        let Some(name) = variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase) else { continue };
        // Kubernetes names the addresses of a service that is called `workroom` so; compose its passwords.
        let is_of_others = ["service_", "port_"].iter().any(|of_others| name.starts_with(of_others))
            || name.ends_with("_password")
            || OF_OTHERS.contains(&variable.as_str());
        if is_of_others || settings.contains(&name) {
            continue;
        }
        let nearest = settings.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &name));
        let nearest = nearest.map(|nearest| nearest.to_ascii_uppercase()).unwrap_or_default();
        anyhow::bail!("{variable} is no setting; the nearest that is one: {PREFIX}{nearest}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_setting_stands_in_the_example_and_nothing_else() {
        let example = include_str!("../.env.example");
        let listed: BTreeSet<_> = example
            .lines()
            .filter_map(|line| line.trim_start_matches('#').trim_start().strip_prefix(PREFIX)?.split_once('='))
            .map(|(name, _)| name.to_ascii_lowercase())
            .filter(|name| !OF_OTHERS.contains(&format!("{PREFIX}{}", name.to_ascii_uppercase()).as_str()))
            .filter(|name| !name.ends_with("_password"))
            .collect();
        // What holds others is listed by those.
        let names = settings();
        let holds_others = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}__")));
        let known: BTreeSet<_> = names.iter().filter(|name| !holds_others(name)).cloned().collect();
        assert_eq!(listed, known);
    }

    #[test]
    fn a_misspelt_setting_is_told_with_the_nearest() {
        let refused = |name: &str| refuse_unknown(&settings(), std::iter::once(name.to_owned()));
        let told = refused("WORKROOM_RATE_LIMITS__READ_PER_ACCOUNT").unwrap_err().to_string();
        assert!(told.contains("WORKROOM_RATE_LIMITS__READS_PER_ACCOUNT"), "{told}");
        for known in ["WORKROOM_PORT", "WORKROOM_PASSWORD_POLICY__MIN_LENGTH", "WORKROOM_TOOLS", "PATH"] {
            refused(known).unwrap();
        }
        refused("WORKROOM_PORT_8080_TCP").unwrap();
    }
}

//! The names of settings, and what to say of a name that is none.

use super::{Config, development::Development};

/// Settings inside of one that is absent by default.
const INSIDE_OPTIONAL: [&str; 2] = ["identity_webhook__issuer", "identity_webhook__secrets"];
/// Settings that have names of their own in the environment, without the prefix.
pub(super) const UNPREFIXED: [&str; 4] = ["database_url", "direct_url", "owner_url", "nats_url"];
pub(super) const PREFIX: &str = "WORKROOM_";
/// Variables of this prefix that other programs read: the development commands, the tests, `docker-compose.yml`.
pub(super) const OF_OTHERS: [&str; 18] = [
    Development::VARIABLE,
    "WORKROOM_BIN",
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
pub(super) fn settings() -> Vec<String> {
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
pub(super) fn refuse_unknown_variables(
    settings: &[String],
    variables: impl Iterator<Item = String>,
) -> anyhow::Result<()> {
    for variable in variables {
        let Some(name) = variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase) else { continue };
        // Kubernetes names the addresses of a service that is called `workroom` so; compose its passwords.
        let is_of_others = ["service_", "port_"].iter().any(|of_others| name.starts_with(of_others))
            || name.ends_with("_password")
            || OF_OTHERS.contains(&variable.as_str());
        if is_of_others || settings.contains(&name) {
            continue;
        }
        let nearest = nearest(settings.iter(), &name).to_ascii_uppercase();
        anyhow::bail!("{variable} is no setting; the nearest that is one: {PREFIX}{nearest}");
    }
    Ok(())
}

/// Refuses a name in `workroom.toml` that is no setting's.
pub(super) fn refuse_unknown(settings: &[String], name: &str) -> anyhow::Result<()> {
    let own = UNPREFIXED.map(str::to_owned);
    let known = || settings.iter().chain(&own).filter(|known| !known.contains("__"));
    if known().any(|known| known == name) {
        return Ok(());
    }
    anyhow::bail!("workroom.toml: {name} is no setting; the nearest that is one: {}", nearest(known(), name))
}

fn nearest<'a>(settings: impl Iterator<Item = &'a String>, name: &str) -> &'a str {
    settings.min_by_key(|known| strsim::damerau_levenshtein(known, name)).map_or("", String::as_str)
}

//! Settings, their example and their documentation agree.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value;

use super::{
    Config, Connections, IdentitySettings, JobSettings, LiveConfig, LiveSettings, LoginThrottleConfig, MailSettings,
    PasswordPolicyConfig, Process, RateLimitsConfig, Requests, WebhookSettings,
    names::{OF_OTHERS, PREFIX, UNPREFIXED, refuse_unknown, refuse_unknown_variables, settings},
};

const EXAMPLE: &str = include_str!("../../.env.example");

/// The variables in the example, with their values.
fn example() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = EXAMPLE.lines().filter_map(|line| line.trim_start_matches('#').trim_start().split_once('='));
    lines.filter(|(name, _)| name.starts_with(PREFIX) || UNPREFIXED.contains(&name.to_ascii_lowercase().as_str()))
}

/// A variable's setting.
fn setting(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase()
}

#[test]
fn every_setting_stands_in_the_example_and_nothing_else() {
    let is_of_others = |name: &str| OF_OTHERS.contains(&name) || name.to_ascii_lowercase().ends_with("_password");
    let listed: BTreeSet<_> = example().map(|(name, _)| name).filter(|name| !is_of_others(name)).map(setting).collect();
    // What holds others is listed by those.
    let names: Vec<_> = settings().into_iter().chain(UNPREFIXED.map(str::to_owned)).collect();
    let holds_others = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}__")));
    let known: BTreeSet<_> = names.iter().filter(|name| !holds_others(name)).cloned().collect();
    assert_eq!(listed, known);
}

#[test]
fn the_example_shows_the_defaults() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut compared = 0;
    for (variable, shown) in example() {
        let setting = setting(variable);
        let default = defaults.pointer(&format!("/{}", setting.replace("__", "/"))).unwrap_or(&Value::Null);
        // Where there is none, the example shows how it is written.
        if default.is_null() || default.as_array().is_some_and(Vec::is_empty) || default.is_object() {
            continue;
        }
        let shown = shown.trim_matches('\'');
        let shown = match default {
            Value::String(_) => Value::String(shown.trim_matches('"').to_owned()),
            _ => serde_json::from_str(shown).unwrap_or_else(|error| panic!("{variable}: {error}")),
        };
        assert_eq!(shown, *default, "{variable}");
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
}

/// Settings of a section, with what each of them means.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 7] = [
    ("Where Postgres and NATS are", Connections::MEANINGS),
    ("The process", Process::MEANINGS),
    ("Requests", Requests::MEANINGS),
    ("Identity", IdentitySettings::MEANINGS),
    ("Mail (role `scheduler`)", MailSettings::MEANINGS),
    ("Sockets (role `live`)", LiveSettings::MEANINGS),
    ("Jobs (role `worker`)", JobSettings::MEANINGS),
];

/// Settings behind two underscores.
const INSIDE: [Section; 5] = [
    ("password_policy", PasswordPolicyConfig::MEANINGS),
    ("login_throttle", LoginThrottleConfig::MEANINGS),
    ("rate_limits", RateLimitsConfig::MEANINGS),
    ("live", LiveConfig::MEANINGS),
    ("webhooks", WebhookSettings::MEANINGS),
];

fn documented() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut page = "# Settings\n\nEvery setting, as a variable of the environment, and its default. [`.env.example`](../.env.example) \
                    says more of each, and how\nthey stand in `workroom.toml`. This page is written by a test from `src/config/`.\n"
        .to_owned();
    for (title, meanings) in SECTIONS {
        write!(page, "\n## {title}\n\n| variable | default | meaning |\n|---|---|---|\n").unwrap();
        for (name, meaning) in meanings {
            let inside = INSIDE.iter().find(|(outer, _)| outer == name).map(|(_, inside)| *inside);
            if let Some(inside) = inside {
                for (inner, meaning) in inside {
                    row(&mut page, &format!("{name}__{inner}"), &defaults[name][inner], meaning);
                }
            } else {
                row(&mut page, name, &defaults[name], meaning);
            }
        }
    }
    page
}

fn row(page: &mut String, setting: &str, default: &Value, meaning: &str) {
    let prefix = if UNPREFIXED.contains(&setting) { "" } else { PREFIX };
    let default = match default {
        Value::Null => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    writeln!(page, "| `{prefix}{}` | {default} | {} |", setting.to_ascii_uppercase(), meaning.trim()).unwrap();
}

/// `INSTA_UPDATE=always cargo test` writes the page anew.
#[test]
fn every_setting_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let page = documented();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "docs/settings.md is not as src/config/ says");
}

#[test]
fn a_misspelt_setting_is_told_with_the_nearest() {
    let refused = |name: &str| refuse_unknown_variables(&settings(), std::iter::once(name.to_owned()));
    let told = refused("WORKROOM_RATE_LIMITS__READ_PER_ACCOUNT").unwrap_err().to_string();
    assert!(told.contains("WORKROOM_RATE_LIMITS__READS_PER_ACCOUNT"), "{told}");
    for known in ["WORKROOM_PORT", "WORKROOM_PASSWORD_POLICY__MIN_LENGTH", "WORKROOM_TOOLS", "PATH"] {
        refused(known).unwrap();
    }
    refused("WORKROOM_PORT_8080_TCP").unwrap();

    let told = refuse_unknown(&settings(), "databas_url").unwrap_err().to_string();
    assert!(told.contains("databas_url") && told.ends_with(" database_url"), "{told}");
    refuse_unknown(&settings(), "rate_limits").unwrap();
}

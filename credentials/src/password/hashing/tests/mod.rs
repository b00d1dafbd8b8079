#![allow(clippy::unwrap_used)]

mod bounds;
mod hashes;
mod refusals;

use std::time::Duration;

use argon2::{Argon2, Block, password_hash::phc::PasswordHash};
use tokio::time::{Instant, timeout};

use super::{
    hasher::{Inner, REFUSAL_MARGIN},
    refusal::{Kind, RefusalWait, Speed},
    stored::Stored,
    *,
};
use crate::password::Password;

/// Cheap, so that the tests are quick.
fn cheap() -> PasswordHasherConfig {
    PasswordHasherConfig { memory_kib: 64, passes: 1, permits: 2, ..PasswordHasherConfig::default() }
}

fn one_at_a_time() -> PasswordHasherConfig {
    PasswordHasherConfig { permits: 1, ..cheap() }
}

fn hasher(config: &PasswordHasherConfig) -> PasswordHasher {
    PasswordHasher::new(config).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

const RIGHT: Verified = Verified { ok: true, needs_rehash: false };
const WRONG: Verified = Verified { ok: false, needs_rehash: false };
const OUTDATED: Verified = Verified { ok: true, needs_rehash: true };

async fn until(what: impl Fn() -> bool) {
    timeout(Duration::from_secs(30), async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

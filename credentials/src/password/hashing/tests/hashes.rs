//! Hashes, ours and those of others.

use super::*;

#[tokio::test]
async fn the_right_password_verifies_and_others_do_not() {
    let hasher = hasher(&PasswordHasherConfig::default());
    let stored = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(hasher.verify(&password("a quiet harbour"), &stored).await, Ok(RIGHT));
    for other in ["a quiet harbou", "a quiet harbour ", "A quiet harbour", ""] {
        assert_eq!(hasher.verify(&password(other), &stored).await, Ok(WRONG));
    }
}

#[tokio::test]
async fn every_way_to_type_a_password_verifies() {
    let hasher = hasher(&cheap());
    let stored = hasher.hash(&password("Zo\u{eb} \u{c5}ngstr\u{f6}m"), Queue::SignIn).await.unwrap();
    let typed = password("Zoe\u{308} \u{212B}ngstro\u{308}m");
    assert_eq!(hasher.verify(&typed, &stored).await, Ok(RIGHT));
}

#[tokio::test]
async fn one_password_has_many_hashes() {
    let hasher = hasher(&cheap());
    let p = password("a quiet harbour");
    assert_ne!(hasher.hash(&p, Queue::SignIn).await.unwrap(), hasher.hash(&p, Queue::SignIn).await.unwrap());
}

/// The memory is used again without being cleared: the library's own hash must still come out.
#[tokio::test]
async fn hashes_are_those_of_the_library() {
    use argon2::PasswordVerifier;
    let hasher = hasher(&one_at_a_time());
    for text in ["first", "second", "third"] {
        let stored = hasher.hash(&password(text), Queue::SignIn).await.unwrap();
        let parsed = PasswordHash::new(&stored).unwrap();
        assert!(Argon2::default().verify_password(text.as_bytes(), &parsed).is_ok());
    }
}

/// Made by the reference implementation: its tests, `password` and `somesalt`.
#[tokio::test]
async fn foreign_hashes_verify_and_are_to_be_replaced() {
    let hasher = hasher(&PasswordHasherConfig::default());
    for stored in [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ] {
        assert_eq!(hasher.verify(&password("password"), stored).await, Ok(OUTDATED), "{stored}");
        assert_eq!(hasher.verify(&password("passwore"), stored).await, Ok(WRONG), "{stored}");
    }
}

#[tokio::test]
async fn a_changed_cost_makes_old_hashes_outdated() {
    let stored = hasher(&cheap()).hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
    for config in [
        PasswordHasherConfig { memory_kib: 128, ..cheap() },
        PasswordHasherConfig { passes: 2, ..cheap() },
        PasswordHasherConfig { lanes: 2, ..cheap() },
    ] {
        assert_eq!(hasher(&config).verify(&password("a quiet harbour"), &stored).await, Ok(OUTDATED));
    }
}

#[tokio::test]
async fn unusable_hashes_are_errors_not_wrong_passwords() {
    let hasher = hasher(&cheap());
    for stored in [
        "",
        "password",
        "$",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2x$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$pbkdf2-sha256$i=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ] {
        assert_eq!(hasher.verify(&password("x"), stored).await, Err(PasswordError::UnusableHash), "{stored}");
    }
}

#[tokio::test]
async fn the_dummy_costs_as_much_as_an_account() {
    let hasher = hasher(&PasswordHasherConfig { permits: 1, ..PasswordHasherConfig::default() });
    let p = password("a quiet harbour");
    let stored = hasher.hash(&p, Queue::SignIn).await.unwrap();
    // Algorithm, version and cost, and the lengths of salt and hash.
    let shape = |hash: &str| {
        let parts: Vec<String> = hash.split('$').map(str::to_owned).collect();
        (parts[..4].to_vec(), parts[4].len(), parts[5].len())
    };
    assert_eq!(shape(&hasher.0.dummy), shape(&stored));
    let start = Instant::now();
    assert_eq!(hasher.compare(&p, None).await.unwrap().verified, WRONG);
    assert!(start.elapsed() > Duration::from_millis(1), "a dummy that does nothing takes microseconds");
    assert_eq!(hasher.verify(&p, &hasher.0.dummy).await, Ok(WRONG));
}

#[tokio::test]
async fn what_is_not_approved_is_not_hashed() {
    let hasher = hasher(&one_at_a_time());
    let p = password("a quiet harbour");
    assert_eq!(hasher.hash_approved(&p, Queue::SignIn, |_| Err("no")).await, Ok(Err("no")));
    let stored = hasher.hash_approved(&p, Queue::SignIn, |_| Ok::<_, ()>(())).await.unwrap().unwrap();
    assert_eq!(hasher.verify(&p, &stored).await, Ok(RIGHT));
}

/// `cargo test --release -- --ignored --nocapture cost`
#[tokio::test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
async fn cost() {
    let hasher = hasher(&PasswordHasherConfig::default());
    let p = password("a quiet harbour");
    for _ in 0..2 {
        let start = Instant::now();
        for _ in 0..50 {
            hasher.hash(&p, Queue::SignIn).await.unwrap();
        }
        println!("hash: {:?}", start.elapsed() / 50);
    }
    let start = Instant::now();
    for _ in 0..50 {
        let mut output = [0; OUTPUT_LENGTH];
        Argon2::default().hash_password_into(b"a quiet harbour", &[0; 16], &mut output).unwrap();
    }
    println!("hash with fresh memory: {:?}", start.elapsed() / 50);
}

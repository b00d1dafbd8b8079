//! Keys that come and go, and what is remembered of checked tokens.

use super::*;

#[test]
fn a_key_that_leaves_the_ring_takes_its_tokens_along() {
    let f = fixture();
    let token = f.issue();
    f.verify(&token).unwrap();
    f.verify(&token).unwrap();
    let next = SigningKey::generate().unwrap();
    let old = f.key.verification_key().clone();
    f.keys.store(KeyRing::new(next.clone(), [old]));
    f.verify(&token).unwrap();
    assert_ne!(f.issue().split('.').next(), token.split('.').next());
    f.keys.store(KeyRing::new(next, []));
    assert_eq!(f.refusal(&token), InvalidToken::UnknownKey);
}

#[test]
fn a_published_next_key_is_accepted_before_this_instance_uses_it() {
    let f = fixture();
    let other = fixture();
    f.keys.store(KeyRing::new(f.key.clone(), [other.key.verification_key().clone()]));
    f.verify(&other.issue()).unwrap();
}

#[test]
fn refusals_are_not_remembered_and_the_cache_is_bounded() {
    let f = fixture();
    for n in 0..50 {
        let _ = f.verify(&format!("{}{n}", f.issue()));
    }
    f.verifier.verified.run_pending_tasks();
    assert_eq!(f.verifier.verified.entry_count(), 0);
    f.verify(&f.issue()).unwrap();
    f.verifier.verified.run_pending_tasks();
    assert_eq!(f.verifier.verified.entry_count(), 1);
    assert_eq!(f.verifier.verified.policy().max_capacity(), Some(10_000));
}

/// `cargo test --release -- --ignored --nocapture cost`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn cost() {
    use std::hint::black_box;
    const ROUNDS: u32 = 10_000;
    let f = fixture();
    let timed = |what: &str, run: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            run();
        }
        println!("{what}: {:?}", start.elapsed() / ROUNDS);
    };
    let token = f.issue();
    let ring = f.keys.load();
    println!("token: {} bytes", token.len());
    timed("issue", &mut || {
        let _ = black_box(f.issue());
    });
    timed("cold", &mut || {
        let _ = black_box(f.verifier.verify_cold(&token, &ring));
    });
    timed("cached", &mut || {
        let _ = black_box(f.verify(&token));
    });
    let tokens: Vec<_> = (0..ROUNDS).map(|_| f.issue()).collect();
    let mut next = tokens.iter().cycle();
    timed("cold and inserted", &mut || {
        let _ = black_box(f.verify(next.next().unwrap()));
    });
    timed("cached, 10,000 tokens", &mut || {
        let _ = black_box(f.verify(next.next().unwrap()));
    });
    let mut forged = token.clone();
    forged.replace_range(token.len() - 10..token.len() - 9, "-");
    timed("forged signature", &mut || {
        let _ = black_box(f.verify(&forged));
    });
    let long = "a".repeat(MAX_TOKEN_LENGTH);
    timed("4 KiB of nothing", &mut || {
        let _ = black_box(f.verify(&long));
    });
}

//! Refusals, which all take the same.

use super::*;

/// From the test vectors of `crypt_blowfish`: the password is `U*U*U`.
const BCRYPT: &str = "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
const FOREIGN_ARGON2: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn kinds(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|&kind| kind.to_owned()).collect()
}

/// The clock stands still: what is compared is the moment that is decided on, not how long this machine takes.
#[tokio::test(start_paused = true)]
async fn all_refusals_are_told_at_one_moment_whatever_was_compared() {
    let hasher = hasher(&one_at_a_time());
    let own = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
    let dear = format!("$2b$31${}", &BCRYPT[7..]);
    let stored = [None, Some(own.as_str()), Some(BCRYPT), Some(FOREIGN_ARGON2), Some(&*dear), Some("no hash")];
    for expected in [vec![], kinds(&["$2a$05"]), kinds(&["$2b$05", "$argon2id$v=19$m=256,t=2,p=1", "$2y$08"])] {
        hasher.expect(&expected).await.unwrap();
        for typed in ["a wrong password", "e\u{301}in falsches Passwort"] {
            let wrong = password(typed);
            let wait = hasher.0.refusals().wait.of(&wrong);
            assert_eq!(wait.is_zero(), expected.is_empty(), "nobody waits where all hashes are ours");
            for stored in stored {
                let Comparison { verified, refuse_from } = hasher.compare(&wrong, stored).await.unwrap();
                assert_eq!((verified, refuse_from), (WRONG, Instant::now() + wait), "{stored:?}");
                // Waiting for that moment keeps nobody from the hasher.
                assert_eq!(hasher.0.permits.available_permits(), 1);
            }
        }
    }
}

#[tokio::test]
async fn refusals_wait_for_all_kinds_there_are() {
    let hasher = hasher(&PasswordHasherConfig::default());
    let own = "$argon2id$v=19$m=19456,t=2,p=1";
    let mut waits = Vec::new();
    for expected in [&[own][..], &["$2a$11", "$2b$11"], &["$2a$11", "$2b$14", own], &["$2b$14", "$2b$15", "?", ""]] {
        hasher.expect(&kinds(expected)).await.unwrap();
        waits.push(hasher.0.refusals().wait);
    }
    let Speed { own, bcrypt } = *hasher.0.speed.get().unwrap();
    let with = |bcrypts: u32| RefusalWait {
        plain: REFUSAL_MARGIN * (own + bcrypts * bcrypt),
        both_forms: REFUSAL_MARGIN * (own + 2 * bcrypts * bcrypt),
    };
    // What is not accepted is not computed.
    assert_eq!(waits, [RefusalWait::default(), with(32), with(32 + 256), with(256)]);
}

#[tokio::test]
async fn a_refusal_does_the_work_of_all_kinds_unless_somebody_waits() {
    let hasher = hasher(&one_at_a_time());
    let wrong = password("a wrong password");
    let make_up = |compared: Kind| {
        let inner = &hasher.0;
        inner.refusals().make_up(compared, inner, &wrong, &mut Vec::new()).unwrap()
    };
    let own = Stored::parse(&hasher.0.dummy).unwrap().kind();
    assert_eq!(make_up(own), 0, "there is no other kind");
    hasher.expect(&kinds(&["$2a$05", "$2y$05", "$2b$04", "$argon2id$v=19$m=256,t=2,p=1"])).await.unwrap();
    for compared in [own, Kind::Bcrypt(4), Kind::Bcrypt(5), Kind::Argon2(256, 2, 1)] {
        assert_eq!(make_up(compared), 3, "{compared:?}");
    }
    let waiting = hasher.0.places[0].try_acquire().unwrap();
    assert_eq!(make_up(own), 0);
    drop(waiting);
    assert_eq!(make_up(own), 3);
}

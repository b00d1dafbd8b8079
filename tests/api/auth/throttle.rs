//! How often signing in may fail, and from where.

use serde_json::json;
use workroom::identity::throttle::{Rule, Throttle};

use crate::support::{Client, Person, World};

async fn tries(client: &Client, person: &Person, password: &str) -> u16 {
    client.post("/auth/login", json!({"email": person.email, "password": password})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_for_the_guesser_and_not_for_the_owner() {
    let world = World::new().await;
    let settings = [("WORKROOM_TRUSTED_PROXIES", "1"), ("WORKROOM_LOGIN_THROTTLE__ACCOUNT_ATTEMPTS", "5")];
    let (here, there) = (world.server_with(&[], &settings).await, world.server_with(&[], &settings).await);
    let ada = here.person("ada").await;
    let from = |address: &str| here.client().with_header("x-forwarded-for", address);
    let guesser = from("203.0.113.66");
    let also = guesser.at(&there.address);
    let mut statuses = Vec::new();
    for guess in 0..8 {
        // In turns: the count is one over all instances.
        let client = if guess % 2 == 0 { &guesser } else { &also };
        statuses.push(tries(client, &ada, &format!("guess number {guess}")).await);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let refused = guesser.post("/auth/login", json!({"email": ada.email, "password": ada.password})).await.problem(429);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=300).contains(&wait), "{wait}");
    assert_eq!(tries(&from("203.0.113.67"), &ada, &ada.password).await, 200, "the owner, from elsewhere");
    assert_eq!(
        tries(&from("6.6.6.6, 203.0.113.66"), &ada, &ada.password).await,
        429,
        "what the client wrote is no news"
    );
    let grace = here.person("grace").await;
    assert_eq!(tries(&guesser, &grace, &grace.password).await, 200, "another account, from the same place");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_accounts_are_slowed_down_the_same_way_and_success_costs_nothing() {
    let world = World::new().await;
    let settings = [("WORKROOM_LOGIN_THROTTLE__ACCOUNT_ATTEMPTS", "3")];
    let server = world.server_with(&[], &settings).await;
    let ada = server.person("ada").await;
    for _ in 0..8 {
        assert_eq!(tries(&server.client(), &ada, &ada.password).await, 200);
    }
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let body = json!({"email": "nobody@example.com", "password": "guess a password"});
        statuses.push(server.client().post("/auth/login", body).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let change = json!({"current_password": "wrong", "new_password": "a good new one"});
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(ada.post("/auth/password", change.clone()).await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 429, 429], "a stolen token does not help guessing");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_failures_over_all_accounts() {
    let world = World::new().await;
    let settings = [("WORKROOM_TRUSTED_PROXIES", "1"), ("WORKROOM_LOGIN_THROTTLE__ADDRESS_ATTEMPTS", "4")];
    let server = world.server_with(&[], &settings).await;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let client = server.client().with_header("x-forwarded-for", &format!("2001:db8:1:2::{n}"));
        let body = json!({"email": format!("nobody{n}@example.com"), "password": "guess a password"});
        statuses.push(client.post("/auth/login", body).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429], "a /64 network is one address");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_counted_exactly_and_all_or_none() {
    let world = World::new().await;
    let pool = world.pool().await;
    let window = std::time::Duration::from_hours(1);
    let (few, many) = (Rule { attempts: 10, window }, Rule { attempts: 1000, window });
    let instances: Vec<_> = (0..4).map(|_| Throttle::new(pool.clone())).collect();
    let charges = [([1; 32], few), ([2; 32], many)];
    let racing = (0..40).map(|n| {
        let throttle = instances[n % 4].clone();
        let mut charges = charges;
        if n % 2 == 0 {
            charges.reverse();
        }
        async move { throttle.charge(&charges).await.expect("an answer").is_ok() }
    });
    let passed = futures::future::join_all(racing).await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 10);
    let owed: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM free_at - now())::float8 FROM throttles WHERE key = decode(repeat('02', 32), 'hex')",
    )
    .fetch_one(&pool)
    .await
    .expect("a row");
    assert!((owed - 36.0).abs() < 5.0, "ten attempts of 3.6 s, not forty: {owed}");
    assert!(Throttle::new(pool).charge(&charges).await.expect("an answer").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_when_they_are_known_and_never_beyond_a_window() {
    let world = World::new().await;
    let pool = world.pool().await;
    let rule = Rule { attempts: 3, window: std::time::Duration::from_hours(1) };
    let charges = [([1; 32], rule), ([2; 32], Rule { attempts: 1000, ..rule })];
    let fresh = || Throttle::new(pool.clone());
    for _ in 0..3 {
        assert_eq!(fresh().check(&charges).await.expect("an answer"), Ok(()));
        fresh().count(&charges).await.expect("a count");
    }
    // Looked at by many at the same time, and so counted beyond the bound.
    for _ in 0..20 {
        fresh().count(&charges).await.expect("a count");
    }
    let refused = fresh().check(&charges).await.expect("an answer").expect_err("three failed");
    assert_eq!(refused.key, [1; 32], "which key it was is told");
    let wait = refused.retry_after.as_secs();
    assert!((1195..=1200).contains(&wait), "the next one is due after a third of the window: {wait}");
    assert_eq!(fresh().check(&charges[1..]).await.expect("an answer"), Ok(()));
}

#[tokio::test]
async fn over_tls_the_cookie_of_a_device_is_of_this_host_alone() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_APP_URL", "https://workroom.example.com")]).await;
    let ada = server.person("ada").await;
    let client = server.client();
    let credentials = json!({"email": ada.email, "password": ada.password});
    let cookie = client.post("/auth/login", credentials.clone()).await.is(200).header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-workroom_device=wrd_"), "{cookie}");
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(attributes.contains(&attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap_or_default();
    let known = client.with_header("cookie", pair).post("/auth/login", credentials.clone()).await.is(200);
    assert!(!known.headers.contains_key("set-cookie"), "the device is known");
    // What somebody on the wire, or on a neighbouring host, could have set.
    let bare = pair.trim_start_matches("__Host-");
    let unknown = client.with_header("cookie", bare).post("/auth/login", credentials).await.is(200);
    assert!(unknown.headers.contains_key("set-cookie"), "a cookie without the prefix is not looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_everywhere_are_slowed_down_and_known_devices_pass() {
    let world = World::new().await;
    let settings = [
        ("WORKROOM_TRUSTED_PROXIES", "1"),
        ("WORKROOM_LOGIN_THROTTLE__EVERYWHERE_ATTEMPTS", "6"),
        ("WORKROOM_LOGIN_THROTTLE__ACCOUNT_ATTEMPTS", "3"),
    ];
    let server = world.server_with(&[], &settings).await;
    let ada = server.person("ada").await;
    let from = |address: &str| server.client().with_header("x-forwarded-for", address);
    let sign_in =
        async |client: &Client| client.post("/auth/login", json!({"email": ada.email, "password": ada.password})).await;
    let first = sign_in(&from("203.0.113.1")).await.is(200);
    let cookie = first.header("set-cookie").to_owned();
    assert!(cookie.starts_with("workroom_device=wrd_"), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default();

    for email in [ada.email.as_str(), "nobody@example.com"] {
        let mut statuses = Vec::new();
        for guess in 0..8 {
            let body = json!({"email": email, "password": format!("guess number {guess}")});
            statuses.push(from(&format!("198.51.100.{guess}")).post("/auth/login", body).await.status);
        }
        assert_eq!(
            statuses,
            [401, 401, 401, 401, 401, 401, 429, 429],
            "{email}: an account that is none looks the same"
        );
    }
    assert_eq!(sign_in(&from("192.0.2.7")).await.status, 429, "whoever is nobody's known device waits");
    assert_eq!(sign_in(&from("203.0.113.1")).await.status, 200, "from where a session was begun");
    let device = from("192.0.2.7").with_header("cookie", &format!("other=1; {cookie}"));
    let again = sign_in(&device).await.is(200);
    assert!(!again.headers.contains_key("set-cookie"), "the device is known");
    let grace = server.person("grace").await;
    let hers = from("203.0.113.9").post("/auth/login", json!({"email": grace.email, "password": grace.password})).await;
    let hers = hers.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    for foreign in [hers.as_str(), "workroom_device=wrd_", &cookie[..cookie.len() - 1]] {
        assert_eq!(sign_in(&from("192.0.2.8").with_header("cookie", foreign)).await.status, 429, "{foreign}");
    }

    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(tries(&device, &ada, "a wrong one").await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429], "a stolen device does not help guessing");
    assert_eq!(sign_in(&from("203.0.113.1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_ipv6_are_counted_in_steps() {
    let world = World::new().await;
    let settings = [("WORKROOM_TRUSTED_PROXIES", "1"), ("WORKROOM_LOGIN_THROTTLE__ADDRESS_ATTEMPTS", "2")];
    let server = world.server_with(&[], &settings).await;
    let mut next = 0;
    let mut guess = async |address: String| {
        next += 1;
        let client = server.client().with_header("x-forwarded-for", &address);
        let body = json!({"email": format!("nobody{next}@example.com"), "password": "guess a password"});
        client.post("/auth/login", body).await.status
    };
    // Each time from another /64: a /56 has four times as many, a /48 sixteen times.
    let mut statuses = Vec::new();
    for subnet in 0..10 {
        statuses.push(guess(format!("2001:db8:1:{subnet:x}::1")).await);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 401, 401, 429, 429], "one /56");
    let mut passed = 0;
    for subnet in 1..30 {
        passed += usize::from(guess(format!("2001:db8:1:{subnet:x}00::1")).await == 401);
    }
    assert_eq!(passed, 24, "one /48: 32, of which 8 were used");
    assert_eq!(guess("2001:db8:2::1".to_owned()).await, 401, "another /48");
}

#[tokio::test(flavor = "multi_thread")]
async fn right_passwords_at_a_time_are_no_guesses_and_wrong_ones_are_few() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_LOGIN_THROTTLE__ACCOUNT_ATTEMPTS", "3")]).await;
    let ada = server.person("ada").await;
    let at_once = async |password: &str| {
        let (server, ada) = (&server, &ada);
        let all = (0..40).map(|_| async move { tries(&server.client(), ada, password).await });
        futures::future::join_all(all).await
    };
    // On a busy machine some may have to come back; none is taken for a guess.
    let right = at_once(&ada.password).await;
    assert!(right.iter().all(|status| [200, 503].contains(status)) && right.contains(&200), "{right:?}");
    let wrong = at_once("a wrong one").await;
    assert!(wrong.iter().all(|status| [401, 429, 503].contains(status)), "{wrong:?}");
    let looked_at = wrong.iter().filter(|status| **status == 401).count();
    assert!(looked_at <= 4, "three, and one that was looked at beside the third: {looked_at}");
    assert!(wrong.contains(&429), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_floods_one_door_keeps_nobody_from_another() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_TRUSTED_PROXIES", "1")]).await;
    let ada = server.person("ada").await;
    let from = |address: &str| server.client().with_header("x-forwarded-for", address);
    let flood = |door: &'static str, body: fn(usize) -> serde_json::Value| {
        let client = from("198.51.100.1");
        let all = (0..150).map(move |number| {
            let client = client.clone();
            tokio::spawn(async move { client.post(door, body(number)).await.status })
        });
        all.collect::<Vec<_>>()
    };
    let mut flooding = flood(
        "/auth/register",
        |number| json!({"email": format!("flood{number}@example.com"), "password": "a rare and quiet harbour"}),
    );
    flooding.extend(flood(
        "/auth/login",
        |number| json!({"email": format!("nobody{number}@example.com"), "password": "guess a password"}),
    ));
    for _ in 0..5 {
        assert_eq!(tries(&from("203.0.113.1"), &ada, &ada.password).await, 200);
    }
    let mut statuses = Vec::new();
    for flooded in flooding {
        statuses.push(flooded.await.expect("a reply"));
    }
    assert!(statuses.iter().all(|status| [201, 401, 429, 503].contains(status)), "{statuses:?}");
    // Whose turn came has an account; the others were sent away.
    let registered = statuses.iter().position(|status| *status == 201).expect("somebody registered");
    let body = json!({"email": format!("flood{registered}@example.com"), "password": "a rare and quiet harbour"});
    from("203.0.113.2").post("/auth/register", body).await.problem(409);
}

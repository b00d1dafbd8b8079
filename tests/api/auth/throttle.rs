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
    let debits = [([1; 32], few), ([2; 32], many)];
    let racing = (0..40).map(|n| {
        let throttle = instances[n % 4].clone();
        let mut debits = debits;
        if n % 2 == 0 {
            debits.reverse();
        }
        async move { throttle.debit(&debits).await.expect("an answer").is_ok() }
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
    instances[0].credit(&debits).await.expect("credit");
    assert!(Throttle::new(pool.clone()).debit(&debits).await.expect("an answer").is_ok());
    assert!(Throttle::new(pool).debit(&debits).await.expect("an answer").is_err());
}

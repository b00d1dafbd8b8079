//! How often anything may be asked, and what replies tell of it.

use serde_json::json;

use crate::support::{Client, Socket, World, eventually};

/// What a reply tells of its quota: name, requests in a window, requests that are left.
fn quota(reply: &crate::support::Reply) -> (String, u32, u32) {
    let (policy, standing) = (reply.header("ratelimit-policy"), reply.header("ratelimit"));
    let number = |text: &str, name: &str| -> u32 {
        let field = text.split(';').find_map(|field| field.strip_prefix(name)).expect("a field");
        field.parse().expect("a number")
    };
    let name = policy.split(';').next().unwrap_or_default().to_owned();
    assert_eq!(standing.split(';').next(), Some(name.as_str()));
    assert_eq!(number(policy, "w="), 60);
    assert!((1..=120).contains(&number(standing, "t=")), "{standing}");
    (name, number(policy, "q="), number(standing, "r="))
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_by_account_by_address_and_by_class() {
    let world = World::new().await;
    let settings = [
        ("WORKROOM_TRUSTED_PROXIES", "1"),
        ("WORKROOM_RATE_LIMITS__READS_PER_ACCOUNT", "5"),
        ("WORKROOM_RATE_LIMITS__READS_PER_ADDRESS", "8"),
        ("WORKROOM_RATE_LIMITS__REGISTRATIONS_PER_ADDRESS", "3"),
        ("WORKROOM_RATE_LIMITS__WRITES_PER_ACCOUNT", "0"),
    ];
    let server = world.server_with(&[], &settings).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let from = |client: &Client, address: &str| client.with_header("x-forwarded-for", address);
    for left in (0..5).rev() {
        let reply = from(&ada, "203.0.113.1").get("/projects").await.is(200);
        assert_eq!(quota(&reply), ("\"read-by-account\"".to_owned(), 5, left));
    }
    let refused = from(&ada, "203.0.113.1").get("/projects").await.problem(429);
    assert_eq!(quota(&refused).2, 0);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=120).contains(&wait), "{wait}");
    from(&ada, "203.0.113.2").get("/projects").await.problem(429);
    // From the first address six were asked so far; another account has two more there.
    from(&grace, "203.0.113.1").get("/projects").await.is(200);
    let last = from(&grace, "203.0.113.1").get("/projects").await.is(200);
    assert_eq!(quota(&last), ("\"read-by-address\"".to_owned(), 8, 0));
    from(&grace, "203.0.113.1").get("/projects").await.problem(429);
    from(&grace, "203.0.113.3").get("/projects").await.is(200);
    // Changes are counted apart, and here without a bound by account.
    for n in 0..20 {
        from(&ada, "203.0.113.1").post("/projects", json!({"name": format!("Apollo {n}")})).await.is(201);
    }
    let mut statuses = Vec::new();
    for n in 0..5 {
        let body = json!({"email": format!("new{n}@example.com"), "password": "a rare and quiet harbour"});
        statuses.push(from(&server.client(), "203.0.113.4").post("/auth/register", body).await.status);
    }
    assert_eq!(statuses, [201, 201, 201, 429, 429]);
    for _ in 0..20 {
        from(&server.client(), "203.0.113.1").get("//health").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_count_together() {
    const REQUESTS: usize = 400;
    let world = World::new().await;
    let settings = [("WORKROOM_RATE_LIMITS__READS_PER_ACCOUNT", "200")];
    let (here, there) = (world.server_with(&[], &settings).await, world.server_with(&[], &settings).await);
    let ada = here.person("ada").await;
    // What is known of how many are left, at one instance of what was asked at the other.
    let left = async |client: &Client| quota(&client.get("/auth/me").await.is(200)).2;
    let before = left(&ada).await;
    eventually("the other has heard", async || left(&ada.at(&there.address)).await < before).await;
    let used = 200 - left(&ada).await as usize;
    let clients: [Client; 2] = [(*ada).clone(), (*ada.at(&there.address)).clone()];
    let mut passed = used;
    let mut asking = futures::stream::FuturesUnordered::new();
    for number in 0..REQUESTS {
        let client = &clients[number % 2];
        asking.push(client.get("/auth/me"));
        if asking.len() == 8 {
            passed += usize::from(futures::StreamExt::next(&mut asking).await.expect("a reply").status == 200);
        }
    }
    while let Some(reply) = futures::StreamExt::next(&mut asking).await {
        passed += usize::from(reply.status == 200);
    }
    // A window that ends meanwhile gives some back.
    assert!((195..=260).contains(&passed), "{passed} of {REQUESTS}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_bounded_by_address_and_by_account() {
    let world = World::new().await;
    let settings = [
        ("WORKROOM_TRUSTED_PROXIES", "1"),
        ("WORKROOM_SOCKETS_PER_ADDRESS", "3"),
        ("WORKROOM_SOCKETS_PER_ACCOUNT", "2"),
    ];
    let server = world.server_with(&[], &settings).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let bearer = |token: &str| format!("Bearer {token}");
    let open = async |token: &str, address: &str| {
        let authorization = bearer(token);
        let headers = [("authorization", authorization.as_str()), ("x-forwarded-for", address)];
        Socket::attempt(&server.address, "", &headers).await
    };
    let mut first = open(ada.token(), "203.0.113.1").await.expect("a socket");
    let mut second = open(ada.token(), "203.0.113.1").await.expect("a socket");
    first.expect("welcome").await;
    second.expect("welcome").await;
    let mut third = open(ada.token(), "203.0.113.1").await.expect("a handshake");
    assert_eq!(third.until_closed().await.1.0, 4429, "a third of one account");
    drop(third);
    let hers = std::cell::RefCell::new(None);
    eventually("its place is free again", async || {
        let opened = open(grace.token(), "203.0.113.1").await.ok();
        hers.replace(opened).is_none() && hers.borrow().is_some()
    })
    .await;
    let mut hers = hers.into_inner().expect("a socket");
    hers.expect("welcome").await;
    assert_eq!(open(grace.token(), "203.0.113.1").await.err(), Some(429), "a fourth from one address");
    let mut elsewhere = open(grace.token(), "203.0.113.2").await.expect("a socket");
    elsewhere.expect("welcome").await;
    drop(first);
    eventually("there is room again", async || match open(ada.token(), "203.0.113.3").await {
        Ok(mut socket) => socket.next().await.is_ok(),
        Err(_) => false,
    })
    .await;
}

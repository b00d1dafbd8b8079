//! Permits, queues and memory.

use super::*;

#[test]
fn the_defaults_are_the_documented_cost() {
    let config = PasswordHasherConfig::default();
    assert_eq!((config.memory_kib, config.passes, config.lanes), (19456, 2, 1));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(config.permits, if cores == 1 { 1 } else { cores - 1 });
}

#[test]
fn costs_out_of_bounds_are_refused() {
    for config in [
        PasswordHasherConfig { permits: 0, ..cheap() },
        PasswordHasherConfig { permits: usize::MAX, ..cheap() },
        PasswordHasherConfig { max_waiting: usize::MAX, ..cheap() },
        PasswordHasherConfig { memory_kib: 1, ..cheap() },
        PasswordHasherConfig { memory_kib: u32::MAX, ..cheap() },
        PasswordHasherConfig { passes: 0, ..cheap() },
        PasswordHasherConfig { passes: u32::MAX, lanes: u32::MAX, ..cheap() },
        PasswordHasherConfig { lanes: 0, ..cheap() },
    ] {
        assert_eq!(PasswordHasher::new(&config).err(), Some(InvalidCost), "{config:?}");
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_free_the_permit() {
    let hasher = hasher(&one_at_a_time());
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let (started, mut start) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn({
        let hasher = hasher.clone();
        async move {
            let work = move |_: &Inner, _: &mut Vec<Block>| {
                started.send(()).map_err(|_| PasswordError::Failed)?;
                finished.recv().map_err(|_| PasswordError::Failed)
            };
            hasher.run(Queue::SignIn, work).await
        }
    });
    start.recv().await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(hasher.0.permits.available_permits(), 0);
    finish.send(()).unwrap();
    until(|| hasher.0.permits.available_permits() == 1).await;
    assert_eq!(hasher.0.idle.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_hash_that_panics_gives_its_permit_back() {
    let hasher = hasher(&one_at_a_time());
    let outcome = hasher.run(Queue::SignIn, |_, _| -> Result<(), PasswordError> { panic!("of this test") }).await;
    assert_eq!(outcome, Err(PasswordError::Failed));
    assert!(hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.is_ok());
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let hasher = hasher(&PasswordHasherConfig { max_waiting: 2, max_wait: Duration::from_mins(1), ..one_at_a_time() });
    let p = password("a quiet harbour");
    let spawn = || {
        let (hasher, p) = (hasher.clone(), p.clone());
        tokio::spawn(async move { hasher.hash(&p, Queue::SignIn).await })
    };
    let held = hasher.permit(Queue::SignIn).await.unwrap();
    let (leaves, stays) = (spawn(), spawn());
    until(|| hasher.waiting() == 2).await;
    let busy = PasswordError::Busy { retry_after: Duration::from_secs(2) };
    assert_eq!(hasher.hash(&p, Queue::SignIn).await, Err(busy));
    assert_eq!(hasher.compare(&p, None).await.map(drop), Err(busy));
    let other = {
        let (hasher, p) = (hasher.clone(), p.clone());
        tokio::spawn(async move { hasher.hash(&p, Queue::Registration).await })
    };
    until(|| hasher.waiting() == 3).await;
    other.abort();
    leaves.abort();
    until(|| hasher.waiting() == 1).await;
    let comes = spawn();
    until(|| hasher.waiting() == 2).await;
    drop(held);
    assert!(stays.await.unwrap().is_ok());
    assert!(comes.await.unwrap().is_ok());
    assert_eq!(hasher.waiting(), 0);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let hasher = hasher(&PasswordHasherConfig { max_wait: Duration::from_millis(1), ..one_at_a_time() });
    let held = hasher.permit(Queue::SignIn).await.unwrap();
    let refused = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await;
    assert!(matches!(refused, Err(PasswordError::Busy { .. })));
    assert_eq!(hasher.waiting(), 0);
    drop(held);
    assert!(hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_by_the_permits() {
    let hasher = hasher(&cheap());
    let tasks: Vec<_> = (0..60)
        .map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { hasher.hash(&password("a quiet harbour"), Queue::SignIn).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    until(|| hasher.0.permits.available_permits() == 2).await;
    // A foreign hash may need more, but does not keep it.
    let foreign = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert_eq!(hasher.verify(&password("password"), foreign).await, Ok(OUTDATED));
    until(|| hasher.0.permits.available_permits() == 2).await;
    let idle = hasher.0.idle.lock().unwrap();
    assert!(idle.len() <= 2);
    assert!(idle.iter().all(|memory| memory.capacity() == 64));
}

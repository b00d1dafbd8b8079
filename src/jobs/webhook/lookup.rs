//! Looking up what addresses a name stands for, within bounds.
//!
//! The system's own way to do that (`getaddrinfo`) blocks a thread until it is done, and nobody can end it before. So
//! only so many are at work at a time, each keeps its place until its thread is free again, and nobody waits longer
//! than a while. A name that stands for nothing, and one that stands for addresses that may not be reached, end the
//! same: what names there are within the service's own network is nobody's business.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Semaphore, time::timeout};

use super::Destinations;

/// How long a name is looked up, and a place is waited for.
pub const TIMEOUT: Duration = Duration::from_secs(4);
/// Names that are looked up at a time.
const AT_ONCE: usize = 32;
/// What the C library says of a name server that did not answer, or could not: glibc and musl.
const PASSING: [&str; 2] = ["Temporary failure in name resolution", "Try again"];

/// Why a name has no address that a connection may be made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// It stands for nothing, or for no address that may be reached.
    #[error("the name stands for no address that may be reached")]
    NoAddress,
    /// It could not be looked up; that may pass.
    #[error("the name could not be looked up")]
    NoAnswer,
}

/// What looks a name up; it blocks.
type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks names up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lookups {
    places: Arc<Semaphore>,
    timeout: Duration,
    look_up: LookUp,
}

impl Default for Lookups {
    fn default() -> Self {
        Self::new(AT_ONCE, TIMEOUT, |name| (name, 0).to_socket_addrs().map(Iterator::collect))
    }
}

impl Lookups {
    fn new(at_once: usize, timeout: Duration, look_up: LookUp) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)), timeout, look_up }
    }

    /// The addresses that a name stands for, as far as they may be reached.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub async fn reachable(&self, name: String, destinations: &Destinations) -> Result<Vec<SocketAddr>, Unresolved> {
        let found = timeout(self.timeout, self.found(name)).await.unwrap_or(Err(Unresolved::NoAnswer))?;
        let reachable: Vec<_> = found.into_iter().filter(|address| destinations.may_reach(address.ip())).collect();
        if reachable.is_empty() { Err(Unresolved::NoAddress) } else { Ok(reachable) }
    }

    async fn found(&self, name: String) -> Result<Vec<SocketAddr>, Unresolved> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Unresolved::NoAnswer)?;
        let look_up = self.look_up;
        let looked_up = tokio::task::spawn_blocking(move || {
            let found = look_up(&name);
            drop(place);
            found
        });
        match looked_up.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) if may_pass(&error) => Err(Unresolved::NoAnswer),
            Ok(Err(_)) => Err(Unresolved::NoAddress),
            Err(_) => Err(Unresolved::NoAnswer),
        }
    }
}

/// Whether it is no answer to the question. The standard library tells that in words only, or has the system's own
/// error.
fn may_pass(error: &io::Error) -> bool {
    let text = error.to_string();
    error.raw_os_error().is_some() || PASSING.iter().any(|passing| text.contains(passing))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn scripted(name: &str) -> io::Result<Vec<SocketAddr>> {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        match name {
            "public" => Ok(vec![address("8.8.8.8"), address("10.0.0.1")]),
            "internal" => Ok(vec![address("10.0.0.1"), address("fd00::1")]),
            "away" => {
                Err(io::Error::other("failed to lookup address information: Temporary failure in name resolution"))
            }
            "files" => Err(io::Error::from_raw_os_error(24)),
            _ => Err(io::Error::other("failed to lookup address information: Name or service not known")),
        }
    }

    async fn reachable(lookups: &Lookups, name: &str) -> Result<Vec<SocketAddr>, Unresolved> {
        lookups.reachable(name.to_owned(), &Destinations::default()).await
    }

    #[tokio::test]
    async fn an_internal_name_is_not_told_from_one_that_stands_for_nothing() {
        let lookups = Lookups::new(2, TIMEOUT, scripted);
        assert_eq!(reachable(&lookups, "public").await, Ok(vec!["8.8.8.8:0".parse().unwrap()]));
        for name in ["internal", "nothing"] {
            assert_eq!(reachable(&lookups, name).await, Err(Unresolved::NoAddress), "{name}");
        }
        for name in ["away", "files"] {
            assert_eq!(reachable(&lookups, name).await, Err(Unresolved::NoAnswer), "{name}");
        }
    }

    static AT_WORK: AtomicUsize = AtomicUsize::new(0);
    static GATE: Mutex<()> = Mutex::new(());

    #[allow(clippy::unnecessary_wraps, reason = "it stands for one that can fail")]
    fn blocked(_: &str) -> io::Result<Vec<SocketAddr>> {
        AT_WORK.fetch_add(1, Ordering::SeqCst);
        drop(GATE.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(vec![SocketAddr::new([8, 8, 8, 8].into(), 0)])
    }

    #[tokio::test]
    #[allow(clippy::await_holding_lock, reason = "it keeps the threads of lookups busy, and no task waits for it")]
    async fn no_more_than_so_many_are_at_work_and_nobody_waits_for_ever() {
        let lookups = Lookups::new(2, Duration::from_millis(300), blocked);
        let closed = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let all = futures::future::join_all((0..5).map(|_| reachable(&lookups, "slow"))).await;
        assert!(all.iter().all(|found| *found == Err(Unresolved::NoAnswer)), "{all:?}");
        assert!(AT_WORK.load(Ordering::SeqCst) <= 2, "who has given up keeps its place while its thread is busy");
        drop(closed);
        assert!(reachable(&lookups, "slow").await.is_ok());
    }
}

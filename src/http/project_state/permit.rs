//! How many states are folded at a time, and how many are sent.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
};

use crate::{
    application::Error,
    http::places::{AccountPlace, AccountPlaces, next_place},
};

/// In this process: each may take three times [`MOST`](super::MOST) bytes of memory.
static FOLDS: Semaphore = Semaphore::const_new(3);
/// Large documents that this process sends at a time: each may have [`MOST`](super::MOST) bytes.
static SENDING: Semaphore = Semaphore::const_new(8);
/// What an account may have looked for, folded, or sent, at a time.
pub(super) static OF_ACCOUNTS: AccountPlaces = AccountPlaces::new(2, RETRY_AFTER);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lets a state be folded, as long as it is kept. To be taken once it is known which state: the places are few, and are there for
/// work, not for waiting.
pub(super) struct Permit {
    of_account: Option<Arc<AccountPlace>>,
    _any: SemaphorePermit<'static>,
}

impl Permit {
    /// The next permit, for an account that has one of its own places.
    ///
    /// # Errors
    /// The process folds as many as it may.
    pub(super) async fn take(of_account: AccountPlace) -> Result<Arc<Self>, Error> {
        let any = next_place(&FOLDS, RETRY_AFTER).await?;
        Ok(Arc::new(Self { of_account: Some(Arc::new(of_account)), _any: any }))
    }

    /// The next permit for what nobody waits for.
    pub(super) async fn for_keeping() -> Result<Arc<Self>, Error> {
        let any = FOLDS.acquire().await.map_err(Error::failure)?;
        Ok(Arc::new(Self { of_account: None, _any: any }))
    }
}

/// Works on a thread that may block. The permit is kept until that is done, even where nobody waits for it any more.
pub(super) async fn blocking<T: Send + 'static>(
    permit: &Arc<Permit>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let kept = Arc::clone(permit);
    let (done, _kept) = spawn_blocking(move || (work(), kept)).await.map_err(Error::failure)?;
    Ok(done)
}

/// Lets a large document be sent, as long as it is kept. It counts for the account as the fold did.
pub(super) struct Sending {
    _of_account: Option<Arc<AccountPlace>>,
    _any: SemaphorePermit<'static>,
}

impl Sending {
    /// The next place, for what was folded by a permit.
    ///
    /// # Errors
    /// The process sends as many as it may.
    pub(super) async fn take(permit: &Permit) -> Result<Self, Error> {
        Ok(Self { _of_account: permit.of_account.clone(), _any: next_place(&SENDING, RETRY_AFTER).await? })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::timeout};
    use uuid::Uuid;
    use workroom_domain::ids::AccountId;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_permit() {
        let account = AccountId(Uuid::from_u128(0xb10c));
        let permit = Permit::take(OF_ACCOUNTS.take(account).expect("a place")).await.expect("a permit");
        let weak = Arc::downgrade(&permit);
        let (begun, has_begun) = oneshot::channel();
        let (go, may_end) = std::sync::mpsc::channel::<()>();
        let request = tokio::spawn(async move {
            let work = move || {
                begun.send(()).expect("a test that waits");
                // Ends where the other side is dropped, too.
                let _ = may_end.recv();
            };
            blocking(&permit, work).await
        });
        has_begun.await.expect("work that begins");
        request.abort();
        assert!(request.await.is_err(), "the request is over");
        assert!(weak.upgrade().is_some(), "the work is not");
        drop(go);
        let freed = async {
            while weak.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), freed).await.expect("a permit that is given back");
    }
}

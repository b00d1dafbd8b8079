//! Which history the log tells, as it changes while the process runs.
//!
//! The epoch changes when the log was restored to an earlier state. Every process has to hear of it: doorbell subjects carry
//! the epoch, and clients' cursors are void. [`IncarnationWatch`] finds out.

use tokio::sync::watch;
use uuid::Uuid;

use crate::event_store::IncarnationWatch;

/// The log's epoch, which follows the watch for as long as that is there.
pub fn follow(watch: &IncarnationWatch) -> watch::Receiver<Uuid> {
    let (sender, receiver) = watch::channel(watch.current().epoch);
    watch.on_change(move |incarnation, _| {
        sender.send_if_modified(|known| std::mem::replace(known, incarnation.epoch) != incarnation.epoch);
    });
    receiver
}

//! What was carried out is answered as such, also to somebody who is removed a moment later.

use super::removal::{Raced, race};
use crate::support::World;

#[tokio::test]
async fn an_edit_that_is_in_the_log_is_not_answered_as_if_it_were_not() {
    let Raced { acknowledged, written } = race(&World::new().await, 60).await;
    assert_eq!(acknowledged, written, "edits were committed and answered 404");
}

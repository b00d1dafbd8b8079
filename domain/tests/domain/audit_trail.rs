//! What an audit trail answers: everything is noted, and again, whatever was noted before.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    audit_trail::{AuditTrail, AuditTrailCommand, AuditTrailEvent},
};

use crate::examples::PROJECT;

fn trail() -> TestFramework<AuditTrail> {
    TestFramework::with(())
}

#[test]
fn each_export_and_each_read_is_noted() {
    let export = AuditTrailCommand::RecordExport { after: 3, until: 12 };
    let exported = AuditTrailEvent::HistoryExported { after: 3, until: 12 };
    let read = AuditTrailCommand::RecordStateRead { as_of: 7 };
    let was_read = AuditTrailEvent::StateRead { as_of: 7 };
    trail().given_no_previous_events().when(export).then_expect_events(vec![exported.clone()]);
    trail().given(vec![exported.clone()]).when(export).then_expect_events(vec![exported.clone()]);
    trail().given(vec![exported]).when(read).then_expect_events(vec![was_read.clone()]);
    trail().given(vec![was_read.clone()]).when(read).then_expect_events(vec![was_read]);
}

#[test]
fn a_trail_is_in_the_feed_whose_id_it_has() {
    let mut trail = AuditTrail::default();
    trail.evolve(&AuditTrailEvent::StateRead { as_of: 1 });
    assert_eq!(trail.feed(PROJECT.0), PROJECT.0);
    assert_eq!(serde_json::to_string(&trail).unwrap(), "{}");
    assert_eq!(serde_json::from_str::<AuditTrail>("{}").unwrap(), trail);
}

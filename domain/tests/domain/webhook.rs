//! What a webhook answers.

use cqrs_es::test::TestFramework;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    ids::{JobId, ProjectId, WebhookId},
    job::{Job, JobEvent, Request, Work},
    webhook::{
        DisableReason, EndpointField, EventFilter, EventFilterRefused, Webhook, WebhookCommand, WebhookEvent,
        WebhookPatch, WebhookRefusal,
    },
};

use crate::examples::{PROJECT, request};

fn webhook() -> TestFramework<Webhook> {
    TestFramework::with(())
}

fn filter(names: &[&str]) -> EventFilter {
    EventFilter::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn create() -> WebhookCommand {
    WebhookCommand::Create { project_id: PROJECT, event_types: None }
}

fn created() -> WebhookEvent {
    WebhookEvent::WebhookCreated { project_id: PROJECT, event_types: None }
}

fn disabled(reason: DisableReason) -> WebhookEvent {
    WebhookEvent::WebhookDisabled { reason }
}

fn update(patch: WebhookPatch) -> WebhookCommand {
    WebhookCommand::Update(patch)
}

fn redeliver() -> WebhookCommand {
    WebhookCommand::Redeliver { delivery_id: JobId(Uuid::from_u128(1)), event_id: Uuid::from_u128(2), position: 3 }
}

#[test]
fn a_webhook_is_created_once() {
    webhook().given_no_previous_events().when(create()).then_expect_events(vec![created()]);
    webhook().given(vec![created()]).when(create()).then_expect_error(WebhookRefusal::AlreadyExists);
    let gone = vec![created(), WebhookEvent::WebhookDeleted {}];
    webhook().given(gone).when(create()).then_expect_error(WebhookRefusal::AlreadyExists);
}

#[test]
fn a_change_has_an_event_for_each_of_its_kinds_and_none_for_what_stays() {
    let tasks = filter(&["TaskUpdated", "TaskCreated"]);
    let patch = WebhookPatch {
        event_types: Some(Some(tasks.clone())),
        enabled: Some(false),
        endpoint: vec![EndpointField::Url],
    };
    let changed = vec![
        WebhookEvent::WebhookEndpointChanged { fields: vec![EndpointField::Url] },
        WebhookEvent::WebhookFilterChanged { from: None, to: Some(tasks.clone()) },
        disabled(DisableReason::Requested),
    ];
    webhook().given(vec![created()]).when(update(patch.clone())).then_expect_events(changed.clone());
    let given: Vec<_> = [created()].into_iter().chain(changed).collect();
    let same = WebhookPatch { endpoint: vec![], ..patch };
    webhook().given(given.clone()).when(update(same)).then_expect_events(vec![]);
    webhook().given(given.clone()).when(update(WebhookPatch::default())).then_expect_events(vec![]);
    let all = WebhookPatch { event_types: Some(None), enabled: Some(true), endpoint: vec![] };
    webhook().given(given).when(update(all)).then_expect_events(vec![
        WebhookEvent::WebhookFilterChanged { from: Some(tasks), to: None },
        WebhookEvent::WebhookEnabled {},
    ]);
}

#[test]
fn the_service_disables_what_sends_and_people_enable_it() {
    for reason in [DisableReason::Gone, DisableReason::Failing, DisableReason::CreatorLeft] {
        let disable = || WebhookCommand::Disable { reason };
        webhook().given(vec![created()]).when(disable()).then_expect_events(vec![disabled(reason)]);
        let given = vec![created(), disabled(reason)];
        webhook().given(given.clone()).when(disable()).then_expect_events(vec![]);
        let enable = update(WebhookPatch { enabled: Some(true), ..WebhookPatch::default() });
        webhook().given(given).when(enable).then_expect_events(vec![WebhookEvent::WebhookEnabled {}]);
        let gone = vec![created(), WebhookEvent::WebhookDeleted {}];
        webhook().given(gone).when(disable()).then_expect_events(vec![]);
        webhook().given_no_previous_events().when(disable()).then_expect_error(WebhookRefusal::Absent);
    }
}

#[test]
fn an_event_is_sent_again_unless_nothing_is_sent() {
    let asked = WebhookEvent::WebhookRedeliveryRequested {
        delivery_id: JobId(Uuid::from_u128(1)),
        event_id: Uuid::from_u128(2),
        position: 3,
    };
    webhook().given(vec![created()]).when(redeliver()).then_expect_events(vec![asked.clone()]);
    webhook().given(vec![created(), asked.clone()]).when(redeliver()).then_expect_events(vec![asked]);
    let silent = vec![created(), disabled(DisableReason::Requested)];
    webhook().given(silent).when(redeliver()).then_expect_error(WebhookRefusal::Disabled);
}

#[test]
fn nothing_happens_to_a_webhook_that_is_not_there() {
    let commands =
        [|| update(WebhookPatch::default()), || WebhookCommand::RotateSecret, redeliver, || WebhookCommand::Delete];
    for command in commands {
        webhook().given_no_previous_events().when(command()).then_expect_error(WebhookRefusal::Absent);
        let gone = vec![created(), WebhookEvent::WebhookDeleted {}];
        webhook().given(gone).when(command()).then_expect_error(WebhookRefusal::Absent);
    }
    let rotated = vec![WebhookEvent::WebhookSecretRotated {}];
    webhook().given(vec![created()]).when(WebhookCommand::RotateSecret).then_expect_events(rotated);
    let deleted = vec![WebhookEvent::WebhookDeleted {}];
    webhook().given(vec![created()]).when(WebhookCommand::Delete).then_expect_events(deleted);
}

#[test]
fn a_webhook_is_of_its_project_and_of_no_other() {
    let mut state = Webhook::default();
    state.evolve(&created());
    assert!(state.of(PROJECT).is_ok());
    assert_eq!(state.of(ProjectId(Uuid::nil())), Err(WebhookRefusal::Absent));
    assert_eq!(state.feed(Uuid::nil()), PROJECT.0);
    state.evolve(&WebhookEvent::WebhookDeleted {});
    assert_eq!(state.of(PROJECT), Err(WebhookRefusal::Absent));
    assert_eq!(state.feed(Uuid::nil()), PROJECT.0);
}

#[test]
fn a_filter_names_event_types_each_once_and_in_order() {
    assert_eq!(filter(&["B", "A", "B"]).names(), ["A", "B"]);
    let parse = |names: &[&str]| {
        EventFilter::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).map(|_| ())
    };
    assert_eq!(parse(&[]), Err(EventFilterRefused::Empty));
    for bad in ["", "task", "Task Created", "Tâche", "Task.Created", &"T".repeat(65)] {
        assert_eq!(parse(&["TaskCreated", bad]), Err(EventFilterRefused::NoName), "{bad}");
    }
    let many: Vec<String> = (0..=EventFilter::LIMIT).map(|number| format!("T{number}")).collect();
    assert_eq!(EventFilter::parse(&many), Err(EventFilterRefused::TooMany));
    assert!(EventFilter::parse(&many[1..]).is_ok());
}

#[test]
fn deliveries_are_in_the_feed_of_their_webhook() {
    let webhook_id = WebhookId(Uuid::from_u128(0x3eb));
    let work = Work::WebhookDelivery { webhook_id, event_id: Uuid::from_u128(2), position: 3 };
    let mut job = Job::default();
    job.evolve(&JobEvent::JobRequested(Box::new(Request { work, ..request() })));
    assert_eq!(job.feed(Uuid::nil()), webhook_id.0);
}

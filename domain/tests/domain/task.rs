//! What a task answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    change::Change,
    ids::ProjectId,
    task::{Task, TaskChanges, TaskCommand, TaskEvent, TaskFields, TaskPatch, TaskRefusal, TaskStatus},
};

use crate::examples::{ADA, BOB, PROJECT, due, name, task_changes, task_fields};

fn task() -> TestFramework<Task> {
    TestFramework::with(())
}

fn create() -> TaskCommand {
    TaskCommand::Create { project_id: PROJECT, fields: task_fields() }
}

fn created() -> TaskEvent {
    TaskEvent::TaskCreated { project_id: PROJECT, fields: task_fields() }
}

fn update(patch: TaskPatch) -> TaskCommand {
    TaskCommand::Update(patch)
}

fn begin() -> TaskCommand {
    update(TaskPatch { status: Some(TaskStatus::InProgress), ..TaskPatch::default() })
}

#[test]
fn a_task_is_written_down_once() {
    task().given_no_previous_events().when(create()).then_expect_events(vec![created()]);
    task().given(vec![created()]).when(create()).then_expect_error(TaskRefusal::AlreadyExists);
    let deleted = vec![created(), TaskEvent::TaskDeleted {}];
    task().given(deleted).when(create()).then_expect_error(TaskRefusal::AlreadyExists);
}

#[test]
fn an_update_tells_each_field_that_changed_from_and_to_and_no_other() {
    let everything = TaskPatch {
        title: task_changes().title.map(|change| change.to),
        description: task_changes().description.map(|change| change.to),
        assignee_id: Some(None),
        status: task_changes().status.map(|change| change.to),
        task_type: task_changes().task_type.map(|change| change.to),
        priority: task_changes().priority.map(|change| change.to),
        due_at: Some(None),
    };
    let updated = vec![TaskEvent::TaskUpdated { changes: task_changes() }];
    task().given(vec![created()]).when(update(everything)).then_expect_events(updated);
    let same = TaskPatch { title: Some(name("Launch")), status: Some(TaskStatus::InProgress), ..TaskPatch::default() };
    let status = Some(Change { from: TaskStatus::Todo, to: TaskStatus::InProgress });
    let updated = vec![TaskEvent::TaskUpdated { changes: TaskChanges { status, ..TaskChanges::default() } }];
    task().given(vec![created()]).when(update(same)).then_expect_events(updated);
}

#[test]
fn an_update_that_changes_nothing_is_no_event() {
    let TaskFields { title, description, assignee_id, status, task_type, priority, due_at } = task_fields();
    let same = TaskPatch {
        title: Some(title),
        description: Some(description),
        assignee_id: Some(assignee_id),
        status: Some(status),
        task_type: Some(task_type),
        priority: Some(priority),
        due_at: Some(due_at),
    };
    for patch in [same, TaskPatch::default()] {
        task().given(vec![created()]).when(update(patch)).then_expect_events(vec![]);
    }
}

#[test]
fn a_task_is_taken_only_from_who_has_it() {
    let unassign = |assignee_id| TaskCommand::Unassign { assignee_id };
    let unassigned = TaskEvent::TaskUnassigned { assignee_id: ADA };
    task().given(vec![created()]).when(unassign(ADA)).then_expect_events(vec![unassigned.clone()]);
    task().given(vec![created()]).when(unassign(BOB)).then_expect_events(vec![]);
    task().given(vec![created(), unassigned]).when(unassign(ADA)).then_expect_events(vec![]);
}

#[test]
fn nothing_happens_to_a_task_that_is_not_there() {
    let unassign = || TaskCommand::Unassign { assignee_id: ADA };
    for command in [begin, unassign, || TaskCommand::Delete] {
        task().given_no_previous_events().when(command()).then_expect_error(TaskRefusal::Absent);
        let deleted = vec![created(), TaskEvent::TaskDeleted {}];
        task().given(deleted).when(command()).then_expect_error(TaskRefusal::Absent);
    }
    task().given(vec![created()]).when(TaskCommand::Delete).then_expect_events(vec![TaskEvent::TaskDeleted {}]);
}

#[test]
fn a_task_is_of_its_project_and_no_other() {
    let mut state = Task::default();
    assert_eq!(state.of(PROJECT), Err(TaskRefusal::Absent));
    state.evolve(&created());
    assert_eq!(state.of(PROJECT).unwrap().due_at, Some(due()));
    assert_eq!(state.of(ProjectId(uuid::Uuid::nil())), Err(TaskRefusal::Absent));
    let id = uuid::Uuid::from_u128(9);
    assert_eq!(state.feed(id), PROJECT.0);
    state.evolve(&TaskEvent::TaskDeleted {});
    assert_eq!(state.of(PROJECT), Err(TaskRefusal::Absent));
    assert_eq!(state.feed(id), PROJECT.0, "its end is in its project's feed");
}

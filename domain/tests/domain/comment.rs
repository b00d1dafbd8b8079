//! What a comment answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    change::Change,
    comment::{Comment, CommentCommand, CommentEvent, CommentRefusal},
    ids::{ProjectId, TaskId},
};

use crate::examples::{ADA, PROJECT, TASK, prose};

fn comment() -> TestFramework<Comment> {
    TestFramework::with(())
}

fn post() -> CommentCommand {
    CommentCommand::Post { project_id: PROJECT, task_id: TASK, author_id: ADA, body: prose("Done.") }
}

fn posted() -> CommentEvent {
    CommentEvent::CommentPosted { project_id: PROJECT, task_id: TASK, author_id: ADA, body: prose("Done.") }
}

fn edit(text: &str) -> CommentCommand {
    CommentCommand::Edit { body: prose(text) }
}

fn deleted() -> CommentEvent {
    CommentEvent::CommentDeleted { task_id: TASK }
}

#[test]
fn a_comment_is_posted_once() {
    comment().given_no_previous_events().when(post()).then_expect_events(vec![posted()]);
    comment().given(vec![posted()]).when(post()).then_expect_error(CommentRefusal::AlreadyExists);
    comment().given(vec![posted(), deleted()]).when(post()).then_expect_error(CommentRefusal::AlreadyExists);
}

#[test]
fn an_edit_tells_what_was_said_before() {
    let body = Change { from: prose("Done."), to: prose("Not yet.") };
    let edited = CommentEvent::CommentEdited { task_id: TASK, body };
    comment().given(vec![posted()]).when(edit("Not yet.")).then_expect_events(vec![edited.clone()]);
    comment().given(vec![posted()]).when(edit("Done.")).then_expect_events(vec![]);
    comment().given(vec![posted(), edited]).when(edit("Not yet.")).then_expect_events(vec![]);
}

#[test]
fn nothing_happens_to_a_comment_that_is_not_there() {
    for command in [|| edit("Not yet."), || CommentCommand::Delete] {
        comment().given_no_previous_events().when(command()).then_expect_error(CommentRefusal::Absent);
        comment().given(vec![posted(), deleted()]).when(command()).then_expect_error(CommentRefusal::Absent);
    }
    comment().given(vec![posted()]).when(CommentCommand::Delete).then_expect_events(vec![deleted()]);
}

#[test]
fn a_comment_is_on_its_task_and_no_other() {
    let mut state = Comment::default();
    state.evolve(&posted());
    assert_eq!(state.on(PROJECT, TASK).unwrap().author_id, ADA);
    let nil = uuid::Uuid::nil();
    assert_eq!(state.on(ProjectId(nil), TASK), Err(CommentRefusal::Absent));
    assert_eq!(state.on(PROJECT, TaskId(nil)), Err(CommentRefusal::Absent));
    state.evolve(&deleted());
    assert_eq!(state.on(PROJECT, TASK), Err(CommentRefusal::Absent));
    assert_eq!(state.feed(nil), PROJECT.0);
}

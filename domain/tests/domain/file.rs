//! What a file answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    file::{Content, File, FileCommand, FileEvent},
};

use crate::examples::{PROJECT, WORKSPACE, content};

fn write(content: Content) -> FileCommand {
    FileCommand::Write { project_id: PROJECT, workspace_id: WORKSPACE, content }
}

fn written(content: Content) -> FileEvent {
    FileEvent::FileContentWritten { project_id: PROJECT, workspace_id: WORKSPACE, content }
}

#[test]
fn what_is_written_is_an_event_and_what_is_there_already_is_none() {
    let file = TestFramework::<File>::with;
    file(()).given_no_previous_events().when(write(content(1))).then_expect_events(vec![written(content(1))]);
    file(()).given(vec![written(content(1))]).when(write(content(2))).then_expect_events(vec![written(content(2))]);
    file(()).given(vec![written(content(1))]).when(write(content(1))).then_expect_events(vec![]);
    file(()).given_no_previous_events().when(write(Content::EMPTY)).then_expect_events(vec![]);
    let emptied = vec![written(Content::EMPTY)];
    file(()).given(vec![written(content(1))]).when(write(Content::EMPTY)).then_expect_events(emptied);
}

#[test]
fn a_file_holds_what_was_written_last() {
    let mut file = File::default();
    assert_eq!(file.content(), Content::EMPTY);
    file.evolve(&written(content(1)));
    file.evolve(&written(content(2)));
    assert_eq!(file.content(), content(2));
    assert_eq!(file.feed(uuid::Uuid::nil()), PROJECT.0);
}

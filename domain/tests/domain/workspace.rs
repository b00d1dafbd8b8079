//! What a workspace answers: the room, and the tree of files in it.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    change::Change,
    ids::{FileId, ProjectId},
    workspace::{Workspace, WorkspaceChanges, WorkspaceCommand, WorkspaceEvent, WorkspacePatch, WorkspaceRefusal},
};

use crate::examples::{FILE, OTHER_FILE, PROJECT, name, path, prose};

fn workspace() -> TestFramework<Workspace> {
    TestFramework::with(())
}

fn create() -> WorkspaceCommand {
    WorkspaceCommand::Create { project_id: PROJECT, name: name("Lab"), description: prose("To try.") }
}

fn created() -> WorkspaceEvent {
    WorkspaceEvent::WorkspaceCreated { project_id: PROJECT, name: name("Lab"), description: prose("To try.") }
}

fn create_file(file_id: FileId, at: &str) -> WorkspaceCommand {
    WorkspaceCommand::CreateFile { file_id, path: path(at) }
}

fn file_created(file_id: FileId, at: &str) -> WorkspaceEvent {
    WorkspaceEvent::FileCreated { file_id, path: path(at) }
}

fn move_file(file_id: FileId, to: &str) -> WorkspaceCommand {
    WorkspaceCommand::MoveFile { file_id, path: path(to) }
}

fn file_moved(file_id: FileId, from: &str, to: &str) -> WorkspaceEvent {
    WorkspaceEvent::FileMoved { file_id, path: Change { from: path(from), to: path(to) } }
}

#[test]
fn a_workspace_is_opened_once() {
    workspace().given_no_previous_events().when(create()).then_expect_events(vec![created()]);
    workspace().given(vec![created()]).when(create()).then_expect_error(WorkspaceRefusal::AlreadyExists);
    let closed = vec![created(), WorkspaceEvent::WorkspaceDeleted {}];
    workspace().given(closed).when(create()).then_expect_error(WorkspaceRefusal::AlreadyExists);
}

#[test]
fn an_update_tells_what_changed_and_nothing_else() {
    let patch = WorkspacePatch { name: Some(name("Office")), description: Some(prose("To try.")) };
    let changes = WorkspaceChanges {
        name: Some(Change { from: name("Lab"), to: name("Office") }),
        ..WorkspaceChanges::default()
    };
    workspace()
        .given(vec![created()])
        .when(WorkspaceCommand::Update(patch))
        .then_expect_events(vec![WorkspaceEvent::WorkspaceUpdated { changes }]);
    workspace()
        .given(vec![created()])
        .when(WorkspaceCommand::Update(WorkspacePatch::default()))
        .then_expect_events(vec![]);
}

#[test]
fn a_workspace_that_is_not_there_answers_nothing() {
    let closed = || vec![created(), file_created(FILE, "a"), WorkspaceEvent::WorkspaceDeleted {}];
    for command in [
        WorkspaceCommand::Update(WorkspacePatch::default()),
        WorkspaceCommand::Delete,
        create_file(OTHER_FILE, "b"),
        move_file(FILE, "b"),
        WorkspaceCommand::DeleteFile { file_id: FILE },
    ] {
        workspace().given_no_previous_events().when(command.clone()).then_expect_error(WorkspaceRefusal::Absent);
        workspace().given(closed()).when(command).then_expect_error(WorkspaceRefusal::Absent);
    }
}

#[test]
fn a_path_belongs_to_one_file_and_is_free_again_when_that_leaves() {
    let taken = || WorkspaceRefusal::PathTaken("a".to_owned());
    let one = || vec![created(), file_created(FILE, "a")];
    workspace().given(one()).when(create_file(OTHER_FILE, "a")).then_expect_error(taken());
    workspace().given(one()).when(create_file(OTHER_FILE, "A")).then_expect_events(vec![file_created(OTHER_FILE, "A")]);
    let two = || vec![created(), file_created(FILE, "a"), file_created(OTHER_FILE, "b")];
    workspace().given(two()).when(move_file(OTHER_FILE, "a")).then_expect_error(taken());
    let moved = [two(), vec![file_moved(FILE, "a", "c")]].concat();
    workspace()
        .given(moved)
        .when(move_file(OTHER_FILE, "a"))
        .then_expect_events(vec![file_moved(OTHER_FILE, "b", "a")]);
    let deleted = [two(), vec![WorkspaceEvent::FileDeleted { file_id: FILE, path: path("a") }]].concat();
    workspace()
        .given(deleted)
        .when(move_file(OTHER_FILE, "a"))
        .then_expect_events(vec![file_moved(OTHER_FILE, "b", "a")]);
}

#[test]
fn nothing_is_both_file_and_folder() {
    let file = || vec![created(), file_created(FILE, "a")];
    let not_a_folder = WorkspaceRefusal::NotAFolder("a".to_owned());
    workspace().given(file()).when(create_file(OTHER_FILE, "a/b/c")).then_expect_error(not_a_folder);
    let folder = || vec![created(), file_created(FILE, "a/b/c")];
    for name in ["a", "a/b"] {
        let is_a_folder = WorkspaceRefusal::IsAFolder(name.to_owned());
        workspace().given(folder()).when(create_file(OTHER_FILE, name)).then_expect_error(is_a_folder);
    }
    workspace()
        .given(folder())
        .when(create_file(OTHER_FILE, "a/b-c"))
        .then_expect_events(vec![file_created(OTHER_FILE, "a/b-c")]);
    // A file may become a part of its own path, and the other way round.
    workspace().given(folder()).when(move_file(FILE, "a")).then_expect_events(vec![file_moved(FILE, "a/b/c", "a")]);
    workspace().given(file()).when(move_file(FILE, "a/b")).then_expect_events(vec![file_moved(FILE, "a", "a/b")]);
}

#[test]
fn a_file_that_stays_where_it_is_does_not_move() {
    workspace().given(vec![created(), file_created(FILE, "a")]).when(move_file(FILE, "a")).then_expect_events(vec![]);
}

#[test]
fn a_file_that_is_not_there_is_neither_moved_nor_removed() {
    let gone =
        || vec![created(), file_created(FILE, "a"), WorkspaceEvent::FileDeleted { file_id: FILE, path: path("a") }];
    for command in [move_file(FILE, "b"), WorkspaceCommand::DeleteFile { file_id: FILE }] {
        workspace().given(gone()).when(command).then_expect_error(WorkspaceRefusal::NoSuchFile);
    }
}

#[test]
fn a_workspace_is_full_some_time() {
    let mut state = Workspace::default();
    state.evolve(&created());
    for number in 0..Workspace::FILE_LIMIT {
        let file_id = FileId(uuid::Uuid::from_u128(u128::try_from(number).unwrap()));
        state.evolve(&file_created(file_id, &format!("{number}")));
    }
    let limit = Workspace::FILE_LIMIT;
    assert_eq!(state.decide(create_file(FileId(uuid::Uuid::max()), "x")), Err(WorkspaceRefusal::Full { limit }));
    state.evolve(&WorkspaceEvent::FileDeleted { file_id: FileId(uuid::Uuid::nil()), path: path("0") });
    assert!(state.decide(create_file(FileId(uuid::Uuid::max()), "x")).is_ok());
}

#[test]
fn a_workspace_is_found_in_its_own_project_only() {
    let mut state = Workspace::default();
    state.evolve(&created());
    assert!(state.of(PROJECT).is_ok());
    assert_eq!(state.of(ProjectId(uuid::Uuid::nil())), Err(WorkspaceRefusal::Absent));
}

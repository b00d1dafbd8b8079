//! What a project answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    change::Change,
    project::{
        EditPolicy, Priority, Project, ProjectChanges, ProjectCommand, ProjectEvent, ProjectFields, ProjectPatch,
        ProjectRefusal, ProjectStatus, Schedule, SchedulePatch,
    },
};

use crate::examples::{APRIL, BOB, MARCH, MAY, ORGANIZATION, OTHER_ORGANIZATION, fields, name, prose};

fn project() -> TestFramework<Project> {
    TestFramework::with(())
}

fn create(fields: ProjectFields) -> ProjectCommand {
    ProjectCommand::Create { organization_id: ORGANIZATION, fields }
}

fn created() -> ProjectEvent {
    ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields: fields() }
}

fn updated(changes: ProjectChanges) -> ProjectEvent {
    ProjectEvent::ProjectUpdated { changes }
}

fn deleted() -> ProjectEvent {
    ProjectEvent::ProjectDeleted {}
}

fn rename(to: &str) -> ProjectCommand {
    ProjectCommand::Update(ProjectPatch { name: Some(name(to)), ..ProjectPatch::default() })
}

fn renamed(from: &str, to: &str) -> ProjectEvent {
    updated(ProjectChanges { name: Some(Change { from: name(from), to: name(to) }), ..ProjectChanges::default() })
}

fn scheduled(start_date: Option<time::Date>, end_date: Option<time::Date>) -> ProjectFields {
    ProjectFields { schedule: Schedule { start_date, end_date }, ..fields() }
}

fn reschedule(start_date: Option<Option<time::Date>>, end_date: Option<Option<time::Date>>) -> ProjectPatch {
    ProjectPatch { schedule: SchedulePatch { start_date, end_date }, ..ProjectPatch::default() }
}

/// A patch that gives every field of the example the value it has.
fn patch_that_repeats_everything() -> ProjectPatch {
    let ProjectFields {
        name,
        description,
        is_public,
        status,
        priority,
        schedule,
        team_lead,
        edit_policy,
        lead_can_add_members,
    } = fields();
    ProjectPatch {
        name: Some(name),
        description: Some(description),
        is_public: Some(is_public),
        status: Some(status),
        priority: Some(priority),
        schedule: SchedulePatch { start_date: Some(schedule.start_date), end_date: Some(schedule.end_date) },
        team_lead: Some(team_lead),
        edit_policy: Some(edit_policy),
        lead_can_add_members: Some(lead_can_add_members),
    }
}

mod creating {
    use super::*;

    #[test]
    fn founds_the_project_with_its_fields() {
        project().given_no_previous_events().when(create(fields())).then_expect_events(vec![created()]);
    }

    #[test]
    fn accepts_any_schedule_that_does_not_end_before_it_starts() {
        for (start, end) in [
            (None, None),
            (Some(MARCH), None),
            (None, Some(MARCH)),
            (Some(MARCH), Some(MARCH)),
            (Some(MARCH), Some(APRIL)),
        ] {
            let fields = scheduled(start, end);
            project()
                .given_no_previous_events()
                .when(create(fields.clone()))
                .then_expect_events(vec![ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields }]);
        }
    }

    #[test]
    fn refuses_a_schedule_that_ends_before_it_starts() {
        project()
            .given_no_previous_events()
            .when(create(scheduled(Some(APRIL), Some(MARCH))))
            .then_expect_error(ProjectRefusal::EndBeforeStart);
    }

    #[test]
    fn refuses_an_id_that_is_taken() {
        project().given(vec![created()]).when(create(fields())).then_expect_error(ProjectRefusal::AlreadyExists);
    }

    #[test]
    fn refuses_the_id_of_a_deleted_project() {
        let elsewhere = ProjectCommand::Create { organization_id: OTHER_ORGANIZATION, fields: fields() };
        project().given(vec![created(), deleted()]).when(elsewhere).then_expect_error(ProjectRefusal::AlreadyExists);
    }
}

mod updating {
    use super::*;

    #[test]
    fn tells_each_changed_field_from_and_to() {
        let patch = ProjectPatch {
            name: Some(name("Artemis")),
            description: Some(prose("")),
            is_public: Some(true),
            status: Some(ProjectStatus::Active),
            priority: Some(Priority::High),
            schedule: SchedulePatch { start_date: Some(Some(APRIL)), end_date: Some(None) },
            team_lead: Some(Some(BOB)),
            edit_policy: Some(EditPolicy::Lead),
            lead_can_add_members: Some(true),
        };
        let changes = ProjectChanges {
            name: Some(Change { from: name("Apollo"), to: name("Artemis") }),
            description: Some(Change { from: prose("To the moon.\nAnd back."), to: prose("") }),
            is_public: Some(Change { from: false, to: true }),
            status: Some(Change { from: ProjectStatus::Planning, to: ProjectStatus::Active }),
            priority: Some(Change { from: Priority::Medium, to: Priority::High }),
            schedule: Some(Change {
                from: Schedule { start_date: Some(MARCH), end_date: Some(MAY) },
                to: Schedule { start_date: Some(APRIL), end_date: None },
            }),
            team_lead: Some(Change { from: None, to: Some(BOB) }),
            edit_policy: Some(Change { from: EditPolicy::Collaborators, to: EditPolicy::Lead }),
            lead_can_add_members: Some(Change { from: false, to: true }),
        };
        project().given(vec![created()]).when(ProjectCommand::Update(patch)).then_expect_events(vec![updated(changes)]);
    }

    #[test]
    fn leaves_out_the_fields_that_stay_as_they_are() {
        let patch = ProjectPatch { name: Some(name("Artemis")), ..patch_that_repeats_everything() };
        project()
            .given(vec![created()])
            .when(ProjectCommand::Update(patch))
            .then_expect_events(vec![renamed("Apollo", "Artemis")]);
    }

    #[test]
    fn builds_on_the_updates_before_it() {
        project()
            .given(vec![created(), renamed("Apollo", "Artemis")])
            .when(rename("Apollo"))
            .then_expect_events(vec![renamed("Artemis", "Apollo")]);
    }

    #[test]
    fn with_an_empty_patch_emits_nothing() {
        project()
            .given(vec![created()])
            .when(ProjectCommand::Update(ProjectPatch::default()))
            .then_expect_events(vec![]);
    }

    #[test]
    fn with_the_present_values_emits_nothing() {
        project()
            .given(vec![created()])
            .when(ProjectCommand::Update(patch_that_repeats_everything()))
            .then_expect_events(vec![]);
    }

    #[test]
    fn clears_a_date() {
        let patch = reschedule(Some(None), None);
        let changes = ProjectChanges {
            schedule: Some(Change {
                from: Schedule { start_date: Some(MARCH), end_date: Some(MAY) },
                to: Schedule { start_date: None, end_date: Some(MAY) },
            }),
            ..ProjectChanges::default()
        };
        project().given(vec![created()]).when(ProjectCommand::Update(patch)).then_expect_events(vec![updated(changes)]);
    }

    #[test]
    fn of_one_date_is_checked_against_the_other_that_stays() {
        let starts_too_late = reschedule(Some(MAY.next_day()), None);
        let ends_too_early = reschedule(None, Some(MARCH.previous_day()));
        for patch in [starts_too_late, ends_too_early] {
            project()
                .given(vec![created()])
                .when(ProjectCommand::Update(patch))
                .then_expect_error(ProjectRefusal::EndBeforeStart);
        }
    }

    #[test]
    fn of_both_dates_is_checked_as_one() {
        let to = Schedule { start_date: MAY.next_day(), end_date: MAY.next_day() };
        let patch = reschedule(Some(to.start_date), Some(to.end_date));
        let changes =
            ProjectChanges { schedule: Some(Change { from: fields().schedule, to }), ..ProjectChanges::default() };
        project().given(vec![created()]).when(ProjectCommand::Update(patch)).then_expect_events(vec![updated(changes)]);
    }

    #[test]
    fn is_refused_as_a_whole_when_one_field_is() {
        let patch = ProjectPatch { name: Some(name("Artemis")), ..reschedule(None, Some(MARCH.previous_day())) };
        project()
            .given(vec![created()])
            .when(ProjectCommand::Update(patch))
            .then_expect_error(ProjectRefusal::EndBeforeStart);
    }

    #[test]
    fn needs_a_project() {
        project().given_no_previous_events().when(rename("Artemis")).then_expect_error(ProjectRefusal::Absent);
    }

    #[test]
    fn needs_a_project_that_is_not_deleted() {
        project().given(vec![created(), deleted()]).when(rename("Artemis")).then_expect_error(ProjectRefusal::Absent);
    }
}

mod deleting {
    use super::*;

    #[test]
    fn ends_the_project() {
        project().given(vec![created()]).when(ProjectCommand::Delete).then_expect_events(vec![deleted()]);
    }

    #[test]
    fn needs_a_project() {
        project().given_no_previous_events().when(ProjectCommand::Delete).then_expect_error(ProjectRefusal::Absent);
    }

    #[test]
    fn happens_once() {
        project()
            .given(vec![created(), deleted()])
            .when(ProjectCommand::Delete)
            .then_expect_error(ProjectRefusal::Absent);
    }
}

mod purging {
    use super::*;

    fn purge(reason: &str) -> ProjectCommand {
        ProjectCommand::OrderPurge { reason: name(reason) }
    }

    fn purge_ordered() -> ProjectEvent {
        ProjectEvent::ProjectPurgeOrdered { reason: name("over") }
    }

    #[test]
    fn is_ordered_once_whatever_the_reason() {
        project().given(vec![created(), deleted()]).when(purge("over")).then_expect_events(vec![purge_ordered()]);
        for reason in ["over", "another"] {
            project().given(vec![created(), deleted(), purge_ordered()]).when(purge(reason)).then_expect_events(vec![]);
        }
    }

    #[test]
    fn needs_a_project_that_is_deleted() {
        project().given_no_previous_events().when(purge("over")).then_expect_error(ProjectRefusal::Absent);
        project().given(vec![created()]).when(purge("over")).then_expect_error(ProjectRefusal::NotDeleted);
    }

    #[test]
    fn brings_nothing_back() {
        project()
            .given(vec![created(), deleted(), purge_ordered()])
            .when(rename("Artemis"))
            .then_expect_error(ProjectRefusal::Absent);
    }
}

//! What the seed makes: a small company that writes software for small harbours.
//!
//! All of it is fixed, but for the suffix of a run and dates, which are relative to now. A new task is a line or two in
//! its project's file.

mod berthline;
mod harbourmaster;
mod people;
pub(super) mod source;
mod tidetable;

pub(super) use people::{PEOPLE, PersonData, Who};

/// The organization's name, and what its short name begins with.
pub(super) const ORGANIZATION: (&str, &str) = ("Lantern Software", "lantern-software");
/// The password of all.
pub(super) const PASSWORD: &str = "lanterns along the quay";

/// The projects. The one with the source tree is [`source::PROJECT`].
pub(super) const PROJECTS: [&ProjectData; 3] = [&berthline::PROJECT, &tidetable::PROJECT, &harbourmaster::PROJECT];

/// A project, and everything in it.
pub(super) struct ProjectData {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) status: &'static str,
    pub(super) priority: &'static str,
    pub(super) is_public: bool,
    /// First and last day, counted from today.
    pub(super) days: (i64, i64),
    /// Who creates it: an admin of the organization.
    pub(super) creator: Who,
    /// Who leads it; then only they and owners edit it.
    pub(super) lead: Option<Who>,
    /// Who belongs to it from the beginning, as collaborators.
    pub(super) team: &'static [Who],
    /// Who joins then, and as what.
    pub(super) members: &'static [(Who, &'static str)],
    /// Somebody without an account, and as what they are invited.
    pub(super) invited: Option<(&'static str, &'static str)>,
    /// Its tasks, in the order in which they are written down.
    pub(super) tasks: &'static [TaskData],
}

/// A task, and what is said about it.
pub(super) struct TaskData {
    pub(super) author: Who,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) task_type: &'static str,
    pub(super) status: &'static str,
    pub(super) priority: &'static str,
    pub(super) assignee: Option<Who>,
    /// When it is due: days from today, and the hour (UTC) of that day.
    pub(super) due: Option<(i64, u8)>,
    /// Who says what, in this order.
    pub(super) comments: &'static [(Who, &'static str)],
}

impl TaskData {
    /// Written down by somebody: to be done by nobody yet, at no time, and neither urgent nor not.
    const fn new(author: Who, title: &'static str, description: &'static str) -> Self {
        Self {
            author,
            title,
            description,
            task_type: "task",
            status: "todo",
            priority: "medium",
            assignee: None,
            due: None,
            comments: &[],
        }
    }

    const fn kind(self, task_type: &'static str) -> Self {
        Self { task_type, ..self }
    }

    const fn high(self) -> Self {
        Self { priority: "high", ..self }
    }

    const fn low(self) -> Self {
        Self { priority: "low", ..self }
    }

    const fn doing(self, assignee: Who) -> Self {
        Self { status: "in_progress", assignee: Some(assignee), ..self }
    }

    const fn done(self, assignee: Who) -> Self {
        Self { status: "done", assignee: Some(assignee), ..self }
    }

    const fn waits_for(self, assignee: Who) -> Self {
        Self { assignee: Some(assignee), ..self }
    }

    const fn due(self, days: i64, hour: u8) -> Self {
        Self { due: Some((days, hour)), ..self }
    }

    const fn said(self, comments: &'static [(Who, &'static str)]) -> Self {
        Self { comments, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn whoever_writes_or_is_to_do_something_belongs_to_the_project_and_may() {
        for project in PROJECTS {
            let mut editors: Vec<Who> = project.team.iter().copied().chain(project.lead).collect();
            editors.push(project.creator);
            editors.extend(project.members.iter().filter(|(_, role)| *role != "viewer").map(|(who, _)| *who));
            assert!(PEOPLE[project.creator as usize].is_admin, "{}", project.name);
            for task in project.tasks {
                let authors = task.comments.iter().map(|(who, _)| *who);
                for who in authors.chain(task.assignee).chain([task.author]) {
                    assert!(editors.contains(&who), "{who:?} cannot edit {}: {}", project.name, task.title);
                }
            }
        }
    }

    #[test]
    fn there_is_some_of_everything() {
        let tasks = || PROJECTS.iter().flat_map(|project| project.tasks);
        let some = |of: fn(&TaskData) -> &'static str| tasks().map(of).collect::<HashSet<_>>();
        assert_eq!(some(|task| task.status).len(), 3);
        assert_eq!(some(|task| task.task_type).len(), 5);
        assert_eq!(some(|task| task.priority).len(), 3);
        assert!(tasks().count() >= 40 && some(|task| task.title).len() == tasks().count());
        assert!(tasks().map(|task| task.comments.len()).sum::<usize>() >= 30);
        let assignees: HashSet<_> = tasks().filter_map(|task| task.assignee.map(|who| who as usize)).collect();
        assert_eq!(assignees.len(), PEOPLE.len(), "everybody has something to do");
        assert_eq!(PROJECTS.iter().filter(|project| project.is_public).count(), 1);
    }
}

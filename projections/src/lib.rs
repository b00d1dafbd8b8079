//! Read models of Workroom: each is `apply` (what an event changes) and the queries over what it wrote, side by side in one
//! folder. What a batch changes is a pure function of its events; [`changes`] carries it out.
//!
//! [`log`] reads the event log, [`runner`] keeps the views of a group at its head, [`progress`] lets a reply wait until
//! they are, [`incarnation`] tells which run of the server that holds for, [`leader`] elects who does what one process at a
//! time does, [`rebuild`] makes them again from nothing and [`verify`](rebuild::verify) compares.
//!
//! To add a view: a folder with `project.rs` (implement [`Projection`]) and `query.rs`, its tables in schema `views` by
//! a migration, and a line in [`groups`].

pub mod accounts;
pub mod changes;
pub mod comments;
pub mod describe;
pub mod history;
pub mod incarnation;
pub mod job_rules;
pub mod jobs;
pub mod leader;
pub mod locks;
pub mod log;
pub mod members;
pub mod organizations;
pub mod page;
pub mod progress;
pub mod projects;
#[allow(clippy::disallowed_methods, reason = "its transactions are on sessions of its own")]
pub mod rebuild;
pub mod recent;
pub mod relation;
#[allow(clippy::disallowed_methods, reason = "its transactions are on sessions of its own")]
pub mod runner;
pub mod schedules;
pub mod session;
pub mod state;
pub mod tasks;
pub mod webhooks;
pub mod workspaces;

use changes::{Changes, Table};
use log::Recorded;

/// A view's writing side.
pub trait Projection: Send + Sync {
    /// The tables it owns, in schema `views`, in the order in which they are written.
    fn tables(&self) -> &'static [Table];

    /// The aggregate types whose events it reads.
    fn reads(&self) -> &'static [&'static str];

    /// Adds what an event changes to what the events of the same batch before it do. It reads nothing else. A batch is written
    /// at once: one statement an event could never rebuild at the speed that the log can be read.
    fn apply(&self, recorded: &Recorded, changes: &mut Changes);
}

/// Projections that move together: one leader, one checkpoint, one statement a batch. A failure halts its own group
/// and no other.
pub struct Group {
    /// Name of the group, in checkpoints, metrics and messages.
    pub name: &'static str,
    /// The projections of the group, in the order in which their tables are written.
    pub projections: Vec<Box<dyn Projection>>,
}

impl Group {
    /// The aggregate types that any projection of the group reads.
    pub fn reads(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = self.projections.iter().flat_map(|p| p.reads()).copied().collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// The tables that the projections of the group own.
    pub fn tables(&self) -> Vec<&'static str> {
        self.projections.iter().flat_map(|p| p.tables()).map(Table::name).collect()
    }
}

/// Names of all groups.
pub const GROUPS: [&str; 2] = ["workspace", "jobs"];

/// All groups with their projections, in the order of [`GROUPS`].
pub fn groups() -> Vec<Group> {
    let [workspace, jobs] = GROUPS;
    vec![
        Group {
            name: workspace,
            projections: vec![
                Box::new(organizations::Organizations),
                Box::new(projects::Projects),
                Box::new(members::Members),
                Box::new(tasks::Tasks),
                Box::new(comments::Comments),
                Box::new(workspaces::Workspaces),
                Box::new(webhooks::Webhooks),
            ],
        },
        Group {
            name: jobs,
            projections: vec![
                Box::new(jobs::Jobs),
                Box::new(job_rules::JobRules),
                Box::new(webhooks::WebhookDeliveries),
                Box::new(schedules::Schedules),
            ],
        },
    ]
}

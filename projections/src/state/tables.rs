//! The tables that are kept of a project, and how their rows are shown.

use crate::changes::{Column, Kept};

/// Raised when a projection sets other values than before, or the bytes of a snapshot mean something else.
const VERSION: u64 = 2;

const fn required(name: &'static str) -> Column {
    Column::required(name)
}

const fn nullable(name: &'static str) -> Column {
    Column::nullable(name)
}

const fn kept(table: &'static str, columns: &'static [Column]) -> Kept {
    Kept { table, columns, counts: None }
}

/// The tables, as migrations make them, in an order in which they can be written.
pub const KEPT: &[Kept] = &[
    kept(
        "projects",
        &[
            required("id"),
            required("organization_id"),
            required("name"),
            required("description"),
            required("is_public"),
            required("status"),
            required("priority"),
            nullable("start_date"),
            nullable("end_date"),
            nullable("team_lead"),
            required("edit_policy"),
            required("lead_can_add_members"),
            required("created_by"),
            required("created_at"),
            required("updated_at"),
            required("version"),
            required("deleted"),
        ],
    ),
    kept(
        "members",
        &[
            required("project_id"),
            required("account_id"),
            required("role"),
            required("added_at"),
            required("updated_at"),
        ],
    ),
    Kept {
        table: "rosters",
        columns: &[required("project_id"), required("version"), required("member_count")],
        counts: Some(1),
    },
    kept(
        "workspaces",
        &[
            required("id"),
            required("project_id"),
            required("name"),
            required("description"),
            Column::counter("file_count"),
            required("created_by"),
            required("created_at"),
            required("updated_at"),
            required("version"),
        ],
    ),
    kept(
        "files",
        &[
            required("id"),
            required("workspace_id"),
            required("path"),
            required("size"),
            required("sha256"),
            required("created_by"),
            required("created_at"),
            required("updated_by"),
            required("updated_at"),
            Column::counter("version"),
        ],
    ),
    kept(
        "tasks",
        &[
            required("id"),
            required("project_id"),
            required("title"),
            required("description"),
            nullable("assignee_id"),
            required("status"),
            required("task_type"),
            required("priority"),
            nullable("due_at"),
            Column::counter("comment_count"),
            required("created_by"),
            required("created_at"),
            required("updated_at"),
            required("version"),
        ],
    ),
    kept(
        "comments",
        &[
            required("id"),
            required("project_id"),
            required("task_id"),
            required("author_id"),
            required("body"),
            required("created_at"),
            required("updated_at"),
            required("version"),
        ],
    ),
    kept("jobs", JOBS),
    kept("schedules", SCHEDULES),
    kept(
        "webhooks",
        &[
            required("id"),
            required("project_id"),
            nullable("event_types"),
            nullable("disabled_reason"),
            required("sends_from"),
            nullable("acts_for"),
            required("created_by"),
            required("created_at"),
            required("updated_at"),
            required("version"),
        ],
    ),
    kept(
        "job_rules",
        &[
            required("id"),
            nullable("organization_id"),
            nullable("project_id"),
            nullable("account_id"),
            nullable("job_type"),
            nullable("key"),
            nullable("fairness_key"),
            required("paused"),
            nullable("weight"),
            nullable("running"),
            nullable("rate_count"),
            nullable("rate_seconds"),
            required("in_force"),
            required("updated_at"),
            required("version"),
        ],
    ),
];

const JOBS: &[Column] = &[
    required("id"),
    nullable("project_id"),
    nullable("organization_id"),
    required("submitted_by"),
    required("job_type"),
    nullable("language"),
    nullable("timeout_seconds"),
    required("max_attempts"),
    required("status"),
    required("attempt"),
    required("priority").or("3"),
    nullable("run_at"),
    nullable("key"),
    nullable("fairness_key"),
    nullable("schedule_id"),
    nullable("worker_id"),
    required("uncounted").or("0"),
    nullable("cancel_reason"),
    nullable("exit_code"),
    nullable("execution_time_ms"),
    nullable("truncated"),
    nullable("limit_hit"),
    nullable("matched"),
    nullable("changed"),
    nullable("refused"),
    nullable("due_at"),
    required("created_at"),
    nullable("started_at"),
    nullable("completed_at"),
    nullable("ended_at"),
    required("version"),
];

const SCHEDULES: &[Column] = &[
    required("id"),
    nullable("project_id"),
    required("created_by"),
    required("acts_for"),
    nullable("name"),
    nullable("cron"),
    nullable("every_seconds"),
    required("time_zone"),
    required("missed"),
    required("paused"),
    nullable("suspended"),
    required("job_type"),
    nullable("language"),
    nullable("timeout_seconds"),
    required("priority"),
    required("max_attempts"),
    nullable("key"),
    nullable("fairness_key"),
    nullable("workspace_id"),
    nullable("unique_seconds"),
    required("counted_from"),
    nullable("next_at"),
    nullable("last_run_at"),
    nullable("last_job_id"),
    nullable("passed_over"),
    required("created_at"),
    required("updated_at"),
    required("version"),
];

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// Bytes, in hexadecimal without the prefix that Postgres writes.
    Hex,
    /// A limit that a program hit, by the name that it has today.
    Limit,
    /// Whether it is null.
    IsNull,
    /// A number, less that of another column.
    Less(&'static str),
}

/// A field, as the API names it, and the column that it shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The name of the field.
    pub name: &'static str,
    /// The column.
    pub column: &'static str,
    /// How it is shown.
    pub form: Form,
}

/// What is shown of a project.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    /// What one of them is called, in a difference.
    pub kind: &'static str,
    /// What all of them are called, in a state.
    pub list: &'static str,
    /// The table that they stand in.
    pub table: &'static str,
    /// Their fields; the first is their id.
    pub fields: &'static [Shown],
    /// A column that is true for those that are shown in a state.
    pub only: Option<&'static str>,
    /// Whether a visitor of a public project sees them.
    pub seen_by_visitors: bool,
}

const fn plain(name: &'static str) -> Shown {
    named(name, name)
}

const fn named(name: &'static str, column: &'static str) -> Shown {
    Shown { name, column, form: Form::Plain }
}

const fn formed(name: &'static str, column: &'static str, form: Form) -> Shown {
    Shown { name, column, form }
}

const fn noun(kind: &'static str, list: &'static str, table: &'static str, fields: &'static [Shown]) -> Noun {
    Noun { kind, list, table, fields, only: None, seen_by_visitors: false }
}

/// What is shown, in the order in which it is. The project itself comes first, and is one.
pub const NOUNS: &[Noun] = &[
    Noun {
        seen_by_visitors: true,
        ..noun(
            "project",
            "project",
            "projects",
            &[
                plain("id"),
                plain("organization_id"),
                plain("name"),
                plain("description"),
                plain("is_public"),
                plain("status"),
                plain("priority"),
                plain("start_date"),
                plain("end_date"),
                plain("team_lead"),
                plain("edit_policy"),
                plain("lead_can_add_members"),
                plain("created_by"),
                plain("created_at"),
                plain("updated_at"),
                plain("version"),
                plain("deleted"),
            ],
        )
    },
    noun("member", "members", "members", &[named("user_id", "account_id"), plain("role"), plain("added_at")]),
    noun(
        "workspace",
        "workspaces",
        "workspaces",
        &[
            plain("id"),
            plain("project_id"),
            plain("name"),
            plain("description"),
            plain("file_count"),
            plain("created_by"),
            plain("created_at"),
            plain("updated_at"),
            plain("version"),
        ],
    ),
    noun(
        "file",
        "files",
        "files",
        &[
            plain("id"),
            plain("workspace_id"),
            plain("path"),
            plain("size"),
            formed("sha256", "sha256", Form::Hex),
            plain("created_by"),
            plain("created_at"),
            plain("updated_by"),
            plain("updated_at"),
            plain("version"),
        ],
    ),
    Noun {
        seen_by_visitors: true,
        ..noun(
            "task",
            "tasks",
            "tasks",
            &[
                plain("id"),
                plain("project_id"),
                plain("title"),
                plain("description"),
                plain("status"),
                named("type", "task_type"),
                plain("priority"),
                plain("assignee_id"),
                plain("due_at"),
                plain("comment_count"),
                plain("created_by"),
                plain("created_at"),
                plain("updated_at"),
                plain("version"),
            ],
        )
    },
    Noun {
        seen_by_visitors: true,
        ..noun(
            "comment",
            "comments",
            "comments",
            &[
                plain("id"),
                plain("project_id"),
                plain("task_id"),
                plain("body"),
                plain("author_id"),
                plain("created_at"),
                plain("updated_at"),
                plain("version"),
            ],
        )
    },
    noun("job", "jobs", "jobs", SHOWN_OF_JOBS),
    noun("schedule", "schedules", "schedules", SHOWN_OF_SCHEDULES),
    noun(
        "webhook",
        "webhooks",
        "webhooks",
        &[
            plain("id"),
            plain("project_id"),
            plain("event_types"),
            formed("enabled", "disabled_reason", Form::IsNull),
            plain("disabled_reason"),
            plain("created_by"),
            plain("created_at"),
            plain("updated_at"),
            plain("version"),
        ],
    ),
    Noun {
        only: Some("in_force"),
        ..noun(
            "job_rule",
            "job_rules",
            "job_rules",
            &[
                plain("id"),
                plain("project_id"),
                named("type", "job_type"),
                plain("key"),
                plain("fairness_key"),
                plain("paused"),
                plain("weight"),
                plain("running"),
                plain("rate_count"),
                plain("rate_seconds"),
                plain("version"),
            ],
        )
    },
];

const SHOWN_OF_JOBS: &[Shown] = &[
    plain("id"),
    named("type", "job_type"),
    plain("language"),
    plain("timeout_seconds"),
    plain("project_id"),
    plain("submitted_by"),
    plain("status"),
    plain("priority"),
    plain("run_at"),
    plain("key"),
    plain("fairness_key"),
    plain("schedule_id"),
    formed("attempts", "attempt", Form::Less("uncounted")),
    plain("max_attempts"),
    named("next_attempt_at", "due_at"),
    plain("exit_code"),
    plain("execution_time_ms"),
    plain("truncated"),
    formed("limit_hit", "limit_hit", Form::Limit),
    plain("matched"),
    plain("changed"),
    plain("refused"),
    plain("created_at"),
    plain("started_at"),
    plain("completed_at"),
    plain("version"),
];

const SHOWN_OF_SCHEDULES: &[Shown] = &[
    plain("id"),
    plain("name"),
    plain("project_id"),
    plain("created_by"),
    plain("acts_for"),
    plain("cron"),
    plain("every_seconds"),
    plain("time_zone"),
    plain("missed"),
    plain("paused"),
    plain("suspended"),
    named("type", "job_type"),
    plain("language"),
    plain("timeout_seconds"),
    plain("priority"),
    plain("max_attempts"),
    plain("key"),
    plain("fairness_key"),
    plain("workspace_id"),
    plain("unique_seconds"),
    named("next_run_at", "next_at"),
    plain("last_run_at"),
    plain("last_job_id"),
    plain("passed_over"),
    plain("created_at"),
    plain("updated_at"),
    plain("version"),
];

/// What the bytes of a snapshot mean: it changes with the tables, their columns and the version (FNV-1a).
pub fn shape() -> i64 {
    let names = KEPT.iter().flat_map(|kept| {
        std::iter::once(kept.table).chain(kept.columns.iter().flat_map(|column| [",", column.name])).chain([";"])
    });
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ VERSION;
    for byte in names.flat_map(str::bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash.cast_signed()
}

//! Which fields of which events hold texts that somebody wrote, or digests of such. `tests/domain/redaction.rs` insists that each
//! event type stands here once.

use super::{PAYLOAD_REDACTED, Placeholder};

/// The name of a field, wherever in the payload it stands, and what stands for each string in it.
type Field = (&'static str, Placeholder);

const NAMED: &[Field] = &[("name", Placeholder::Text), ("description", Placeholder::Text)];
const TASK: &[Field] = &[("title", Placeholder::Text), ("description", Placeholder::Text)];
const COMMENT: &[Field] = &[("body", Placeholder::Text)];
const ORGANIZATION: &[Field] =
    &[("name", Placeholder::Text), ("slug", Placeholder::Unique), ("image_url", Placeholder::Address)];
const SLUG: &[Field] = &[("slug", Placeholder::Unique)];
const PATH: &[Field] = &[("path", Placeholder::Unique)];
const CONTENT: &[Field] = &[("sha256", Placeholder::Digest)];
const KEYS: &[Field] = &[("key", Placeholder::Unique), ("fairness_key", Placeholder::Unique)];
/// Version 1 had `code` and `stdin` elsewhere, by the same names.
const JOB: &[Field] = &[
    ("key", Placeholder::Unique),
    ("fairness_key", Placeholder::Unique),
    ("code", Placeholder::Text),
    ("stdin", Placeholder::Text),
    ("sha256", Placeholder::Digest),
];
const SCHEDULE: &[Field] = &[
    ("name", Placeholder::Text),
    ("key", Placeholder::Unique),
    ("fairness_key", Placeholder::Unique),
    ("code", Placeholder::Text),
    ("stdin", Placeholder::Text),
    ("sha256", Placeholder::Digest),
];

/// The event types that hold texts, and the fields in which they do.
pub const TEXTS: &[(&str, &[Field])] = &[
    ("ProjectCreated", NAMED),
    ("ProjectUpdated", NAMED),
    ("TaskCreated", TASK),
    ("TaskUpdated", TASK),
    ("CommentPosted", COMMENT),
    ("CommentEdited", COMMENT),
    ("OrganizationCreated", ORGANIZATION),
    ("OrganizationUpdated", ORGANIZATION),
    ("SlugClaimed", SLUG),
    ("WorkspaceCreated", NAMED),
    ("WorkspaceUpdated", NAMED),
    ("FileCreated", PATH),
    ("FileMoved", PATH),
    ("FileDeleted", PATH),
    ("FileContentWritten", CONTENT),
    ("JobRequested", JOB),
    ("JobRuleChanged", KEYS),
    ("ScheduleCreated", SCHEDULE),
    ("ScheduleUpdated", SCHEDULE),
];

/// The event types that hold none: ids, roles, numbers, times and words of a fixed list alone. What an account says of itself,
/// the address of a webhook and that of who is invited are in no event. That something was redacted, or was to be, stays, and so does
/// why: the reasons are texts, and are not redacted.
pub const WITHOUT_TEXTS: &[&str] = &[
    "ProjectDeleted",
    "MemberAdded",
    "MemberRoleChanged",
    "MemberRemoved",
    "MembershipClosed",
    "JobStarted",
    "JobSucceeded",
    "JobAttemptFailed",
    "JobInterrupted",
    "JobSnoozed",
    "JobDeadLettered",
    "JobCancelled",
    "JobRedriven",
    "JobDeleted",
    "JobKeyClaimed",
    "JobKeyGranted",
    "ScheduleTicked",
    "ScheduleSuspended",
    "ScheduleResumed",
    "ScheduleDeleted",
    "AccountRegistered",
    "SessionStarted",
    "SessionRefreshed",
    "SessionEnded",
    "LoginFailed",
    "ProfileChanged",
    "PasswordChanged",
    "PasswordResetRequested",
    "EmailVerified",
    "TokenCreated",
    "TokenRevoked",
    "AccountDeactivated",
    "AccountReactivated",
    "AccountErased",
    "TaskUnassigned",
    "TaskDeleted",
    "CommentDeleted",
    "OrganizationMemberAdded",
    "OrganizationMemberRoleChanged",
    "OrganizationMemberRemoved",
    "OrganizationDeleted",
    "ProjectAddedToOrganization",
    "SlugReleased",
    "WorkspaceDeleted",
    "InvitationSent",
    "InvitationRevoked",
    "InvitationLapsed",
    "InvitationAccepted",
    "WebhookCreated",
    "WebhookFilterChanged",
    "WebhookEndpointChanged",
    "WebhookSecretRotated",
    "WebhookEnabled",
    "WebhookDisabled",
    "WebhookRedeliveryRequested",
    "WebhookDeleted",
    "HistoryExported",
    "StateRead",
    "ProjectPurgeOrdered",
    PAYLOAD_REDACTED,
];

/// The fields of an event that hold texts.
pub(super) fn texts_of(event_type: &str) -> &'static [Field] {
    TEXTS.iter().find(|(known, _)| *known == event_type).map_or(&[], |(_, fields)| fields)
}

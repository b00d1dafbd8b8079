//! What the application refuses, by code; the domain's own codes stand beside its refusals.

workroom_domain::codes! {
    FORBIDDEN = "forbidden", Forbidden,
        "you do not have the right to do this",
        "ask an owner of the project, or an admin of the organization, for the right";
    STALE = "stale", Stale,
        "the resource has changed since the version given in If-Match",
        "read it again, and decide anew";
    INVALID = "invalid", Invalid,
        "the request is not valid",
        "correct the fields that `errors` names";
    INTERNAL = "internal", Failure,
        "an internal error occurred",
        "try again; tell whoever runs the service the request id, which `instance` holds";
    DATABASE_AWAY = "database-away", Unavailable,
        "the database cannot be reached",
        "try again after `Retry-After`";
    OVERLOADED = "overloaded", Unavailable,
        "the service is overloaded",
        "try again after `Retry-After`";
    OUTCOME_UNKNOWN = "outcome-unknown", Unavailable,
        "the service did not answer in time; a command may or may not have been carried out",
        "read the resource, or send the request again under the same `Idempotency-Key`";
    VIEWS_BEHIND = "views-behind", Unavailable,
        "the read models are behind",
        "try again after `Retry-After`";
    REQUEST_IN_PROGRESS = "request-in-progress", Conflict,
        "a request with this Idempotency-Key is still running",
        "send it again a moment later, and get its reply";
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", Invalid,
        "this Idempotency-Key was used for another request",
        "use a new key for each new request";
    ORGANIZATION_NOT_EMPTY = "organization-not-empty", Conflict,
        "the organization has projects",
        "delete them first";
    EMAIL_UNPROVEN = "email-unproven", Conflict,
        "your own e-mail address is not proven, and only who has proven theirs may invite others",
        "follow the link in the mail that came with the registration";
    NO_GUESTS = "no-guests", Conflict,
        "only members of the project's organization can join it",
        "ask an admin of the organization to add you, or to allow guests";
    LAST_OF_SHARED = "last-of-shared", Conflict,
        "you are the last owner of projects, or the last admin of organizations, that you share",
        "hand them over, or delete them, first";
    ALREADY_INVITED = "already-invited", Conflict,
        "this address has been invited already",
        "wait for the answer, or take the invitation back first";
    INVITATIONS_UNWANTED = "invitations-unwanted", Conflict,
        "whoever reads mail to this address wants no invitations",
        "reach them another way";
    NO_SANDBOX = "no-sandbox", Unavailable,
        "code cannot be run here at the moment: there is no usable sandbox for it",
        "tell whoever runs the service; `/ready` says what is missing";
    TOO_MANY_JOBS = "too-many-jobs", Throttled,
        "too many jobs of the account, the project or the organization wait or run",
        "try again when some are done, after `Retry-After`; cancel what is not needed";
    UNKNOWN_LANGUAGE = "unknown-language", Field,
        "programs cannot be in this language here",
        "choose `python`, `javascript` or `bash`, or ask whoever runs the service to configure it";
    NO_SUCH_ACCOUNT = "no-such-account", Field,
        "no account has this e-mail address",
        "check the address";
    NOT_A_MEMBER = "not-a-member", Field,
        "the account is not a member of the project or organization, or not in a role that this takes",
        "add it first, or name another";
    MISSING_FIELD = "missing-field", Field,
        "a field that is required is missing",
        "add it";
    OUT_OF_RANGE = "out-of-range", Field,
        "the value lies outside the range that the field takes",
        "choose another value; the detail names the range";
    MALFORMED_CURSOR = "malformed-cursor", Field,
        "the cursor is not one of this list",
        "begin at the first page, and pass on each `next_cursor` unchanged";
}

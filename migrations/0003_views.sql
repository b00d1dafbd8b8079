-- Read models. Everything in the schema `views` is a pure function of the log (law 7): `workroom projections rebuild`
-- makes it again in a schema beside it and swaps the two. Statements name these tables without a schema; the
-- connection's search_path decides which copy they mean.

CREATE TABLE projection_checkpoints (
    projection_group text   PRIMARY KEY,
    position         bigint NOT NULL DEFAULT 0,
    halted_at        bigint,
    halt_reason      text
);

CREATE SCHEMA views;

CREATE TABLE views.projects (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL,
    name            text        NOT NULL,
    description     text        NOT NULL,
    is_public       boolean     NOT NULL,
    status          text        NOT NULL,
    priority        text        NOT NULL,
    start_date      date,
    end_date        date,
    created_by      uuid        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL,
    deleted         boolean     NOT NULL
);
CREATE INDEX projects_of_organization ON views.projects (organization_id, id) WHERE NOT deleted;

CREATE TABLE views.members (
    project_id uuid        NOT NULL,
    account_id uuid        NOT NULL,
    role       text        NOT NULL,
    added_at   timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, account_id)
);
CREATE INDEX members_by_account ON views.members (account_id, project_id);

-- One row a project: how far its roster is, and how many are on it.
CREATE TABLE views.rosters (
    project_id   uuid   PRIMARY KEY,
    version      bigint NOT NULL,
    member_count int    NOT NULL
);

CREATE TABLE views.jobs (
    id                uuid        PRIMARY KEY,
    project_id        uuid,
    submitted_by      uuid        NOT NULL,
    job_type          text        NOT NULL,
    language          text        NOT NULL,
    timeout_seconds   int         NOT NULL,
    max_attempts      int         NOT NULL,
    status            text        NOT NULL,
    attempt           int         NOT NULL,
    exit_code         int,
    execution_time_ms bigint,
    truncated         boolean,
    limit_hit         text,
    due_at            timestamptz,
    created_at        timestamptz NOT NULL,
    started_at        timestamptz,
    completed_at      timestamptz,
    version           bigint      NOT NULL
);
CREATE INDEX jobs_of_project ON views.jobs (project_id, id);
CREATE INDEX jobs_of_account ON views.jobs (submitted_by, id);
CREATE INDEX jobs_due ON views.jobs (due_at) WHERE status = 'pending';
CREATE INDEX jobs_running ON views.jobs (started_at) WHERE status = 'running';

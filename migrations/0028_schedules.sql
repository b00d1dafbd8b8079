-- Schedules: jobs that are submitted again and again.

CREATE TABLE views.schedules (
    id              uuid        PRIMARY KEY,
    project_id      uuid,
    created_by      uuid        NOT NULL,
    acts_for        uuid        NOT NULL,
    name            text,
    cron            text,
    every_seconds   int,
    time_zone       text        NOT NULL,
    missed          text        NOT NULL,
    paused          boolean     NOT NULL,
    suspended       text,
    job_type        text        NOT NULL,
    language        text,
    timeout_seconds int,
    priority        int         NOT NULL,
    max_attempts    int         NOT NULL,
    key             text,
    fairness_key    text,
    counted_from    timestamptz NOT NULL,
    next_at         timestamptz,
    last_run_at     timestamptz,
    last_job_id     uuid,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL
);
CREATE INDEX schedules_of_project ON views.schedules (project_id, id);
CREATE INDEX schedules_of_account ON views.schedules (created_by, id) WHERE project_id IS NULL;
-- Whoever runs them looks for what is due, several times a second.
CREATE INDEX schedules_due ON views.schedules (next_at, id) WHERE next_at IS NOT NULL;

-- What the jobs of a schedule work on; each job gets a copy. The event names it by its digest.
CREATE TABLE schedule_inputs (
    schedule_id uuid        PRIMARY KEY,
    sha256      bytea       NOT NULL,
    content     bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

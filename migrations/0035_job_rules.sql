-- Rules for jobs: what is paused, and what limits jobs of an organization, a project or an account. Whoever hands out jobs reads them
-- when it begins.

CREATE TABLE views.job_rules (
    id              uuid        PRIMARY KEY,
    organization_id uuid,
    project_id      uuid,
    account_id      uuid,
    job_type        text,
    key             text,
    fairness_key    text,
    paused          boolean     NOT NULL,
    weight          int,
    running         int,
    rate_count      int,
    rate_seconds    int,
    -- Whether it says anything.
    in_force        boolean     NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL
);
CREATE INDEX job_rules_of_organization ON views.job_rules (organization_id, id) WHERE in_force;
CREATE INDEX job_rules_of_project ON views.job_rules (project_id, id) WHERE in_force;
CREATE INDEX job_rules_of_account ON views.job_rules (account_id, id) WHERE in_force;

-- Webhooks of projects: what the log tells of them, where they send events to, and what was answered there.

CREATE TABLE views.webhooks (
    id               uuid        PRIMARY KEY,
    project_id       uuid        NOT NULL,
    event_types      text[],
    disabled_reason  text,
    -- What happened behind this place in the log is sent.
    sends_from       bigint      NOT NULL,
    created_by       uuid        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL
);
CREATE INDEX webhooks_of_project ON views.webhooks (project_id, id);

CREATE TABLE views.webhook_deliveries (
    id             uuid   PRIMARY KEY,
    webhook_id     uuid   NOT NULL,
    event_id       uuid   NOT NULL,
    event_position bigint NOT NULL
);
CREATE INDEX deliveries_of_webhook ON views.webhook_deliveries (webhook_id, id);

-- What is in no event: the address, what people say about it, and the secrets, encrypted with a key of the deployment.
-- A row goes with its webhook, and with the project.
CREATE TABLE webhook_endpoints (
    id                  uuid        PRIMARY KEY,
    project_id          uuid        NOT NULL,
    url                 text        NOT NULL CHECK (octet_length(url) <= 2048),
    description         text        NOT NULL,
    secret              bytea       NOT NULL,
    -- The secret before it signs, too, until then: receivers change at their own pace.
    former_secret       bytea,
    former_secret_until timestamptz,
    -- Deliveries that were given up since the last success, and when the first of them was; counted up to a place in
    -- the log.
    dead_in_row         int         NOT NULL DEFAULT 0,
    dead_since          timestamptz,
    counted_to          bigint      NOT NULL DEFAULT 0,
    CHECK ((former_secret IS NULL) = (former_secret_until IS NULL))
);
CREATE INDEX webhook_endpoints_of_project ON webhook_endpoints (project_id);

-- How the latest attempt of a delivery ended. What was answered is not kept, only how.
CREATE TABLE webhook_responses (
    job_id     uuid        PRIMARY KEY,
    webhook_id uuid        NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    attempt    int         NOT NULL,
    status     int,
    failure    text,
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_responses_of_webhook ON webhook_responses (webhook_id);

-- What happened before there were webhooks is sent nowhere.
INSERT INTO reactor_checkpoints (reactor, position) SELECT 'webhooks', COALESCE(max(position), 0) FROM events;

-- Webhooks, second version: how many deliveries wait is bounded, failures are attempts, and a webhook acts for an account.

ALTER TABLE webhook_endpoints
    DROP COLUMN dead_in_row,
    DROP COLUMN dead_since,
    -- Attempts that failed since the last success, and when the first of them did; counted up to a place in the log.
    ADD COLUMN failed_in_row int NOT NULL DEFAULT 0,
    ADD COLUMN failing_since timestamptz,
    -- Set while it has as many deliveries open as it may have: what happened up to this place in the log was asked for,
    -- nothing behind it. None: it is as far as all others.
    ADD COLUMN behind_at bigint;
CREATE INDEX webhook_endpoints_behind ON webhook_endpoints (id) WHERE behind_at IS NOT NULL;

-- Open deliveries of a webhook: their fairness key names it.
CREATE INDEX jobs_open_of_webhook ON views.jobs (fairness_key)
    WHERE job_type = 'webhook_delivery' AND status IN ('pending', 'running');

-- What an address answered goes after a while, where jobs' data does.
CREATE INDEX webhook_responses_by_age ON webhook_responses (at);

-- Who enabled it last, or created it: its events are sent as long as that account may manage the project's webhooks.
ALTER TABLE views.webhooks ADD COLUMN acts_for uuid;
UPDATE views.webhooks w SET acts_for = COALESCE((
    SELECT substring(e.metadata->>'actor' FROM '^account:(.*)$')::uuid FROM events e
    WHERE e.aggregate_type = 'webhook' AND e.aggregate_id = w.id::text AND e.event_type = 'WebhookEnabled'
      AND e.sequence <= w.version
    ORDER BY e.sequence DESC LIMIT 1
), w.created_by);

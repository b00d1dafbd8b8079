-- Tickets for clients that open the same address again and again (EventSource, y-websocket): good until what they were made
-- with ends.
ALTER TABLE realtime_tickets
    ADD COLUMN reusable   boolean     NOT NULL DEFAULT false,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
-- The newest of a session or token stay.
CREATE INDEX realtime_tickets_reusable ON realtime_tickets (credential_id, created_at) WHERE reusable;

-- How far the reactors have read the log: what has to follow an event in other aggregates is done once, whichever process
-- dies in between. A lease says who is at it; a second one at the same time would do no harm. What earlier versions left
-- is found by a sweep.
CREATE TABLE reactor_checkpoints (
    reactor      text        PRIMARY KEY,
    position     bigint      NOT NULL,
    holder       uuid,
    leased_until timestamptz,
    swept_at     timestamptz
);
INSERT INTO reactor_checkpoints (reactor, position)
SELECT reactor, (SELECT COALESCE(max(position), 0) FROM events) FROM unnest(ARRAY['departures', 'deletions']) AS reactor;

-- The projects that were created in an organization, for its deletion.
CREATE INDEX events_projects_of_organization ON events ((payload->>'organization_id'))
    WHERE event_type = 'ProjectCreated';

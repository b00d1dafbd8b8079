-- States of projects at some places of their histories, folded from the log: where the reading of an earlier state begins, so
-- that it costs the same however long the history is. They are made out of band, may be missing, and can be deleted at any time.
-- They hold what events say: whoever redacts an event calls forget_project_states in the same transaction.
CREATE TABLE project_states (
    project_id uuid        NOT NULL,
    -- The last event of the project's feed that is in it.
    seq        bigint      NOT NULL,
    -- What its bytes mean; one of another shape than the reader's is ignored. Two versions of the service may run side by side,
    -- so each has its own.
    shape      bigint      NOT NULL,
    -- The history that it is of; one of another epoch than today's is ignored.
    epoch      uuid        NOT NULL,
    bytes      int         NOT NULL,
    state      bytea       NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, shape, seq)
);

-- Keeps a state that was folded from what the log said when its feed ended at `since`. Not if an event of the feed was redacted
-- after that, or the project was deleted: the fold may have read what must be forgotten. Then the answer is false.
CREATE FUNCTION save_project_state(
    project uuid, place bigint, since bigint, its_shape bigint, its_epoch uuid, its_bytes int, its_state bytea
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time with forget_project_states. The statements behind it see what was committed before.
    PERFORM pg_advisory_xact_lock(7770017, hashtext(project::text));
    IF EXISTS (SELECT FROM events e WHERE e.feed_id = project AND e.feed_seq > since
               AND e.event_type IN ('PayloadRedacted', 'ProjectDeleted'))
       OR EXISTS (SELECT FROM views.projects p WHERE p.id = project AND p.deleted) THEN
        RETURN false;
    END IF;
    INSERT INTO project_states (project_id, seq, shape, epoch, bytes, state)
    VALUES (project, place, its_shape, its_epoch, its_bytes, its_state)
    ON CONFLICT (project_id, shape, seq) DO UPDATE
    SET (epoch, bytes, state, made_at) = (excluded.epoch, excluded.bytes, excluded.state, excluded.made_at);
    RETURN true;
END $$;

-- Forgets the states, of whatever shape, that have an event in them, and those that are being made.
CREATE FUNCTION forget_project_states(project uuid, from_seq bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7770017, hashtext(project::text));
    DELETE FROM project_states WHERE project_id = project AND seq >= from_seq;
END $$;

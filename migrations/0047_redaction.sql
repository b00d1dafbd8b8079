-- Redaction: the payload of an event gives way to what remains of it, its salt to its commitment, and an event says so. Its leaf stays
-- as it is, so every proof still holds. See docs/auditing.md, "Redaction".

-- Which event was redacted, by its position.
CREATE INDEX events_redactions ON events (((payload->>'position')::bigint)) WHERE event_type = 'PayloadRedacted';
-- How far redactions have come.
CREATE INDEX events_redactions_by_position ON events (position) WHERE event_type = 'PayloadRedacted';
-- The replies that show an event.
CREATE INDEX idempotency_receipts_position ON idempotency_receipts (position);

-- History stays as it is, but for payloads that are redacted.
DROP TRIGGER events_are_final ON events;
CREATE TRIGGER events_are_final
    BEFORE DELETE OR TRUNCATE OR UPDATE OF position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type,
                                           event_version, metadata, recorded_at ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();

-- A payload is redacted once, and by redact_payload alone: it runs in the name of who owns the log, as nothing else does.
CREATE FUNCTION refuse_change_of_payload() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user <> (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = TG_RELID)
       OR OLD.event_type = 'PayloadRedacted'
       OR EXISTS (SELECT FROM events r WHERE r.event_type = 'PayloadRedacted'
                  AND (r.payload->>'position')::bigint = OLD.position) THEN
        RAISE EXCEPTION 'events are never changed or deleted';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER events_payloads_are_final BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_payload();

-- No payload is redacted in silence: when the transaction commits, the event that tells of it is there (before, there was none), and it
-- says what remains.
CREATE FUNCTION insist_on_redaction() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM events r WHERE r.event_type = 'PayloadRedacted'
                   AND (r.payload->>'position')::bigint = NEW.position AND r.position > NEW.position
                   AND (r.payload->>'event_id')::uuid = NEW.event_id
                   AND r.feed_id = NEW.feed_id AND r.aggregate_type = NEW.aggregate_type AND r.aggregate_id = NEW.aggregate_id
                   AND r.payload->>'remains' = encode(sha256(convert_to(NEW.payload::text, 'UTF8')), 'hex'))
       OR NOT EXISTS (SELECT FROM log_leaves l WHERE l.position = NEW.position AND l.salt IS NULL) THEN
        RAISE EXCEPTION 'a payload is redacted together with an event that says so';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER events_are_redacted_openly AFTER UPDATE ON events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION insist_on_redaction();

-- Nor is a salt destroyed in silence.
CREATE FUNCTION insist_on_redacted_leaf() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.position, NEW.hash) IS DISTINCT FROM (OLD.position, OLD.hash) OR NEW.salt IS NOT NULL
       OR NOT EXISTS (SELECT FROM events r WHERE r.event_type = 'PayloadRedacted'
                      AND (r.payload->>'position')::bigint = NEW.position) THEN
        RAISE EXCEPTION 'a leaf is never changed; its salt goes when its event is redacted';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER leaves_are_redacted_openly AFTER UPDATE ON log_leaves DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION insist_on_redacted_leaf();
-- The service needs no right to change them: redact_payload has it.
DO $$ BEGIN
    IF to_regrole('workroom_service') IS NOT NULL THEN
        REVOKE UPDATE, DELETE ON log_leaves FROM workroom_service;
    END IF;
END $$;

-- Whether `after` is `before` with placeholders in the place of some of its strings, and nothing else is another.
CREATE FUNCTION is_redacted_form(before jsonb, after jsonb, place bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF before = after THEN
        RETURN true;
    ELSIF jsonb_typeof(before) <> jsonb_typeof(after) THEN
        RETURN false;
    END IF;
    CASE jsonb_typeof(before)
        WHEN 'string' THEN
            RETURN after #>> '{}' IN ('[redacted]', '[redacted]-' || place, repeat('0', 64), 'https://redacted.invalid/');
        WHEN 'object' THEN
            RETURN NOT EXISTS (
                SELECT FROM jsonb_each(before) b FULL JOIN jsonb_each(after) a USING (key)
                WHERE a.value IS NULL OR b.value IS NULL OR NOT public.is_redacted_form(b.value, a.value, place));
        WHEN 'array' THEN
            RETURN NOT EXISTS (
                SELECT FROM jsonb_array_elements(before) WITH ORDINALITY b (value, n)
                FULL JOIN jsonb_array_elements(after) WITH ORDINALITY a (value, n) USING (n)
                WHERE a.value IS NULL OR b.value IS NULL OR NOT public.is_redacted_form(b.value, a.value, place));
        ELSE
            RETURN false;
    END CASE;
END $$;

-- Redacts a payload: `remains` takes its place, and its salt is destroyed. False where there is nothing to redact: no such event, none
-- that has its leaf, one that was redacted before; or if more than texts would be another. The event that tells of it follows in the
-- same transaction.
CREATE FUNCTION redact_payload(place bigint, id uuid, remains text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE log_leaves l SET commitment = sha256(l.salt || convert_to(e.payload::text, 'UTF8')), salt = NULL
    FROM events e
    WHERE l.position = place AND l.salt IS NOT NULL AND e.position = place AND e.event_id = id
      -- Nobody changes what happened by calling it a redaction.
      AND public.is_redacted_form(e.payload::jsonb, remains::jsonb, place) AND e.payload::jsonb <> remains::jsonb
      -- A reason stays.
      AND e.event_type NOT IN ('PayloadRedacted', 'ProjectPurgeOrdered');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE events e SET payload = remains::json WHERE e.position = place;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION redact_payload FROM PUBLIC;

-- Keeps a snapshot, unless an event of its aggregate was redacted behind it: the state may hold what must be forgotten.
CREATE FUNCTION save_snapshot(its_type text, its_id text, its_sequence bigint, its_shape int, its_state json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time with forget_snapshot. The statements behind it see what was committed before.
    PERFORM pg_advisory_xact_lock(7770018, hashtext(its_id));
    INSERT INTO aggregate_snapshots AS s (aggregate_type, aggregate_id, sequence, shape, state)
    SELECT its_type, its_id, its_sequence, its_shape, its_state
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.aggregate_type = its_type AND e.aggregate_id = its_id
                      AND e.sequence > its_sequence AND e.event_type = 'PayloadRedacted')
    ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
        SET (sequence, shape, state) = (excluded.sequence, excluded.shape, excluded.state)
        WHERE s.sequence < excluded.sequence OR s.shape <> excluded.shape;
END $$;

-- Forgets the snapshot of an aggregate, and one that is being made.
CREATE FUNCTION forget_snapshot(its_type text, its_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7770018, hashtext(its_id));
    DELETE FROM aggregate_snapshots WHERE aggregate_type = its_type AND aggregate_id = its_id;
END $$;

-- Redactions that are too many for a request: of all that an account wrote, or of a whole feed. Somebody works them off, portion by
-- portion; what was done is done, however often it is begun.
CREATE TABLE redaction_orders (
    id           uuid        PRIMARY KEY,
    -- Either whose events, in all feeds, or the feed.
    account_id   uuid,
    feed_id      uuid,
    reason       text        NOT NULL,
    -- What is at this position, or before it, is done.
    position     bigint      NOT NULL DEFAULT 0,
    -- What is behind this one is not meant; null until the order is first looked at.
    until        bigint,
    -- The positions of what could not be redacted, to be tried again.
    failed       bigint[]    NOT NULL DEFAULT '{}',
    -- How often it was begun since it last went on.
    tries        int         NOT NULL DEFAULT 0,
    ordered_at   timestamptz NOT NULL DEFAULT now(),
    -- Until then somebody is at it, or it rests. Who has waited longest comes first.
    leased_until timestamptz,
    CONSTRAINT redaction_orders_of_one CHECK ((account_id IS NULL) <> (feed_id IS NULL)),
    CONSTRAINT redaction_orders_once UNIQUE (account_id),
    CONSTRAINT redaction_orders_of_feed_once UNIQUE (feed_id)
);

-- The planner keeps samples of what is in tables: they are made anew behind redactions, once the views show these.
CREATE TABLE redaction_statistics (
    -- One row.
    id          int    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- The last redaction whose text is in no sample.
    analyzed_to bigint NOT NULL
);
INSERT INTO redaction_statistics (analyzed_to) VALUES (0);

-- Makes the planner's samples of a table anew: only who owns a table may.
CREATE FUNCTION refresh_statistics(of_table regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT c.relnamespace::regnamespace::text FROM pg_class c WHERE c.oid = of_table) NOT IN ('public', 'views') THEN
        RAISE EXCEPTION '% is no table of the service', of_table;
    END IF;
    EXECUTE format('ANALYZE %s', of_table);
END $$;
REVOKE ALL ON FUNCTION refresh_statistics FROM PUBLIC;

-- How many days what jobs print and leave, and what they work on, is kept; null or 0: for ever, or as the service is set.
ALTER TABLE views.organizations ADD COLUMN job_output_days int, ADD COLUMN job_code_days int;

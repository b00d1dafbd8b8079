-- The append, made linear in what it appends, and complete in one statement: no lock of the log is ever held while the server
-- waits for a word from the client.

-- Which server this is, as far as memory of it goes: another process, a restart, a promotion each make another name. What a
-- client remembers of the log belongs to one of them.
CREATE FUNCTION server_incarnation() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/'
        || CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END
$$;

-- Appends one batch: everything is inserted, or nothing is. One row tells which:
--   outcome 0: committed behind position `head` at `recorded_at`; `places` are the last feed_seq before the batch of each feed.
--   outcome 1: the checks named in `items` do not hold; `places` are the sequences found instead.
--   outcome 2: the receipts named in `items` exist: their commands were answered before.
--   outcome 3: the client's memory belongs to another server or epoch.
--
-- Checks and feeds come once each, however many events rely on them. What the client knows of them (the first `known_checks`
-- checks, feed places that are not negative) it learned when the log ended at `known_head`: while it still ends there nothing can
-- have moved, and nothing is looked up.
--
-- PL/pgSQL, because each statement inside takes its own snapshot: the head is read after the lock is held. One plain
-- statement that takes the lock would read the head as it was before it waited.
CREATE FUNCTION append_batch(
    known_incarnation      text,
    known_epoch            uuid,
    known_head             bigint,
    known_checks           int,
    check_types            text[],
    check_ids              text[],
    check_sequences        bigint[],
    feed_ids               uuid[],
    feed_places            bigint[],
    event_ids              uuid[],
    event_feeds            int[],
    event_feed_offsets     int[],
    event_aggregate_types  text[],
    event_aggregate_ids    text[],
    event_sequences        bigint[],
    event_types            text[],
    event_versions         text[],
    event_payloads         text[],
    event_metadata         text[],
    receipt_principals     uuid[],
    receipt_keys           text[],
    receipt_fingerprints   bytea[],
    receipt_statuses       smallint[],
    receipt_headers        text[],
    receipt_bodies         text[],
    receipt_event_offsets  int[]
) RETURNS TABLE (outcome int, head bigint, recorded_at timestamptz, items int[], places bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    last_position bigint;
    last_time     timestamptz;
    is_known      boolean;
    found_items   int[];
    found_places  bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(7770001);

    PERFORM FROM log_epoch l WHERE l.epoch = known_epoch AND server_incarnation() = known_incarnation;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 3, 0::bigint, NULL::timestamptz, NULL::int[], NULL::bigint[];
        RETURN;
    END IF;

    SELECT e.position, e.recorded_at INTO last_position, last_time FROM events e ORDER BY e.position DESC LIMIT 1;
    last_position := COALESCE(last_position, 0);
    is_known := last_position = known_head;

    IF NOT is_known OR known_checks < cardinality(check_sequences) THEN
        SELECT array_agg(c.item), array_agg(c.actual) INTO found_items, found_places
        FROM (
            SELECT n.item, n.expected, COALESCE((
                SELECT e.sequence FROM events e WHERE e.aggregate_type = n.type AND e.aggregate_id = n.id
                ORDER BY e.sequence DESC LIMIT 1), 0) AS actual
            FROM unnest(check_types, check_ids, check_sequences)
                 WITH ORDINALITY AS n (type, id, expected, item)
            WHERE NOT is_known OR n.item > known_checks
        ) AS c (item, expected, actual)
        WHERE c.expected <> c.actual;
        IF found_items IS NOT NULL THEN
            RETURN QUERY SELECT 1, last_position, last_time, found_items, found_places;
            RETURN;
        END IF;
    END IF;

    IF cardinality(receipt_keys) > 0 THEN
        SELECT array_agg(r.item) INTO found_items
        FROM unnest(receipt_principals, receipt_keys) WITH ORDINALITY AS r (principal, key, item)
        JOIN idempotency_receipts k ON k.principal = r.principal AND k.key = r.key
        WHERE k.created_at > now() - interval '24 hours';
        IF found_items IS NOT NULL THEN
            RETURN QUERY SELECT 2, last_position, last_time, found_items, NULL::bigint[];
            RETURN;
        END IF;
    END IF;

    IF is_known AND NOT (-1 = ANY (feed_places)) THEN
        found_places := feed_places;
    ELSE
        SELECT array_agg(CASE WHEN is_known AND f.place >= 0 THEN f.place ELSE COALESCE((
                   SELECT e.feed_seq FROM events e WHERE e.feed_id = f.id ORDER BY e.feed_seq DESC LIMIT 1), 0) END
                   ORDER BY f.item)
        INTO found_places
        FROM unnest(feed_ids, feed_places) WITH ORDINALITY AS f (id, place, item);
    END IF;

    -- Time never runs backwards along the log, whatever the clock does.
    last_time := GREATEST(clock_timestamp(), last_time);

    INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
                        event_type, event_version, payload, metadata, recorded_at)
    SELECT last_position + n.ordinal, n.event_id, feed_ids[n.feed], found_places[n.feed] + n.feed_offset,
           n.aggregate_type, n.aggregate_id, n.sequence, n.event_type, n.event_version,
           n.payload::json, n.metadata::json, last_time
    FROM unnest(event_ids, event_feeds, event_feed_offsets, event_aggregate_types, event_aggregate_ids,
                event_sequences, event_types, event_versions, event_payloads, event_metadata)
         WITH ORDINALITY AS n (event_id, feed, feed_offset, aggregate_type, aggregate_id,
                               sequence, event_type, event_version, payload, metadata, ordinal);

    IF cardinality(receipt_keys) > 0 THEN
        INSERT INTO idempotency_receipts AS k
            (principal, key, fingerprint, status, headers, body, position)
        SELECT r.principal, r.key, r.fingerprint, r.status, r.headers::json, r.body, last_position + r.event_offset
        FROM unnest(receipt_principals, receipt_keys, receipt_fingerprints, receipt_statuses, receipt_headers,
                    receipt_bodies, receipt_event_offsets)
             AS r (principal, key, fingerprint, status, headers, body, event_offset)
        ON CONFLICT (principal, key) DO UPDATE
            SET (fingerprint, status, headers, body, position, created_at) =
                (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.position, now());
    END IF;

    RETURN QUERY SELECT 0, last_position, last_time, NULL::int[], found_places;
END $$;

-- Changes tables beside the log and appends what explains it, in one statement, so in one transaction that waits for nobody but
-- the server itself. Each change is a statement with its arguments as one JSON value, `$1`; one that must change a row and does
-- not ends it all with SQLSTATE WR001 and its number in DETAIL. The changes come first: whatever locks of rows they wait for, the
-- log's lock is not held meanwhile. An append that does not commit takes them back, with SQLSTATE WR002 and its outcome in
-- DETAIL.
CREATE FUNCTION append_with_tables(
    changes                text[],
    change_arguments       text[],
    change_is_required     boolean[],
    known_incarnation      text,
    known_epoch            uuid,
    known_head             bigint,
    known_checks           int,
    check_types            text[],
    check_ids              text[],
    check_sequences        bigint[],
    feed_ids               uuid[],
    feed_places            bigint[],
    event_ids              uuid[],
    event_feeds            int[],
    event_feed_offsets     int[],
    event_aggregate_types  text[],
    event_aggregate_ids    text[],
    event_sequences        bigint[],
    event_types            text[],
    event_versions         text[],
    event_payloads         text[],
    event_metadata         text[],
    receipt_principals     uuid[],
    receipt_keys           text[],
    receipt_fingerprints   bytea[],
    receipt_statuses       smallint[],
    receipt_headers        text[],
    receipt_bodies         text[],
    receipt_event_offsets  int[]
) RETURNS TABLE (outcome int, head bigint, recorded_at timestamptz, items int[], places bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    changed  bigint;
    appended record;
BEGIN
    FOR number IN 1 .. cardinality(changes) LOOP
        EXECUTE changes[number] USING change_arguments[number]::jsonb;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed = 0 AND change_is_required[number] THEN
            RAISE EXCEPTION 'a change of tables does not apply' USING ERRCODE = 'WR001', DETAIL = number::text;
        END IF;
    END LOOP;

    SELECT a.* INTO appended FROM append_batch(
        known_incarnation, known_epoch, known_head, known_checks, check_types, check_ids, check_sequences,
        feed_ids, feed_places, event_ids, event_feeds, event_feed_offsets, event_aggregate_types, event_aggregate_ids,
        event_sequences, event_types, event_versions, event_payloads, event_metadata, receipt_principals,
        receipt_keys, receipt_fingerprints, receipt_statuses, receipt_headers, receipt_bodies,
        receipt_event_offsets) AS a;
    IF appended.outcome <> 0 THEN
        RAISE EXCEPTION 'the append does not commit' USING ERRCODE = 'WR002', DETAIL = appended.outcome::text;
    END IF;
    RETURN QUERY SELECT appended.outcome, appended.head, appended.recorded_at, appended.items, appended.places;
END $$;

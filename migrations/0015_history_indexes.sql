-- Histories can be narrowed by type and by actor without reading what is passed over. Each index leads with one hash of all
-- that narrows: that keeps it small, for an append has to write it, and leaves the planner nothing else to walk, whatever it
-- believes of how often a type or an actor occurs. What one actor did is found type by type (projections/src/history/query.rs).
CREATE INDEX events_of_feed_by_type ON events
    (uuid_hash_extended(feed_id, hashtextextended(event_type, 0)), feed_seq);
CREATE INDEX events_of_feed_by_actor ON events
    (uuid_hash_extended(feed_id, hashtextextended(metadata->>'actor', 0)), event_type, feed_seq);

-- The place in a feed of its first event that was recorded at this time or later; one behind its last where none was.
-- Neither places nor times run backwards along a feed, and places have no holes: so the index on places finds times, and
-- appending need not keep another.
CREATE FUNCTION feed_place_at(feed uuid, at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    low      bigint := 1;
    high     bigint;
    middle   bigint;
    recorded timestamptz;
BEGIN
    SELECT e.feed_seq + 1 INTO high FROM events e WHERE e.feed_id = feed ORDER BY e.feed_seq DESC LIMIT 1;
    high := COALESCE(high, 1);
    WHILE low < high LOOP
        middle := low + (high - low) / 2;
        SELECT e.recorded_at INTO recorded FROM events e WHERE e.feed_id = feed AND e.feed_seq = middle;
        IF recorded < at THEN
            low := middle + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- Shortcuts to aggregates that never were: asking for an unknown id left one behind.
DELETE FROM aggregate_snapshots s
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id);

-- How often something was tried, by keyed digest of what and from where. Unlogged: a crash only forgives.
CREATE UNLOGGED TABLE throttles (
    key     bytea       PRIMARY KEY,
    -- When all attempts are forgiven (the theoretical arrival time of the generic cell rate algorithm).
    free_at timestamptz NOT NULL
);
CREATE INDEX throttles_age ON throttles (free_at);

-- Counts one attempt under every key, or none where one of them has had too many; then it returns the seconds to wait.
-- Each attempt is forgiven after `intervals` seconds; as many as fit into `windows` seconds may be outstanding.
CREATE FUNCTION debit_attempts(keys bytea[], intervals float8[], windows float8[]) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
    at   timestamptz := clock_timestamp();
    wait float8;
BEGIN
    -- Without a lock first: a flood is refused by reading.
    SELECT max(extract(epoch FROM t.free_at - at) + k.interval_s - k.window_s) INTO wait
    FROM unnest(keys, intervals, windows) AS k (key, interval_s, window_s) JOIN throttles t ON t.key = k.key;
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    -- In one order, so that two calls never wait for each other.
    INSERT INTO throttles (key, free_at) SELECT k, at FROM unnest(keys) AS k ORDER BY k
    ON CONFLICT (key) DO UPDATE SET free_at = GREATEST(throttles.free_at, at);
    SELECT max(extract(epoch FROM t.free_at - at) + k.interval_s - k.window_s) INTO wait
    FROM unnest(keys, intervals, windows) AS k (key, interval_s, window_s) JOIN throttles t ON t.key = k.key;
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    UPDATE throttles t SET free_at = t.free_at + make_interval(secs => k.interval_s)
    FROM unnest(keys, intervals) AS k (key, interval_s) WHERE t.key = k.key;
    RETURN 0;
END $$;

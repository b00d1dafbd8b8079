-- Failures are counted once they are known, so that many right passwords at a time are never taken for guesses.

-- The key that has had the most of its attempts too many, and the seconds until its next one; no row where none has.
CREATE FUNCTION refused_attempt(keys bytea[], intervals float8[], windows float8[])
RETURNS TABLE (key bytea, wait float8) LANGUAGE sql STABLE AS $$
    SELECT k.key, w.wait
    FROM unnest(keys, intervals, windows) AS k (key, interval_s, window_s)
    JOIN throttles t ON t.key = k.key
    CROSS JOIN LATERAL (SELECT extract(epoch FROM t.free_at - clock_timestamp())::float8 + k.interval_s - k.window_s) AS w (wait)
    WHERE w.wait > 0
    ORDER BY w.wait DESC
    LIMIT 1
$$;

-- Counts a failed attempt under every key. Nobody is ever further behind than a whole window.
CREATE FUNCTION count_attempt(keys bytea[], intervals float8[], windows float8[]) RETURNS void LANGUAGE sql AS $$
    -- In one order, so that two calls never wait for each other.
    INSERT INTO throttles AS t (key, free_at)
    SELECT k.key, clock_timestamp() + make_interval(secs => k.interval_s)
    FROM unnest(keys, intervals, windows) AS k (key, interval_s, window_s)
    ORDER BY k.key
    ON CONFLICT (key) DO UPDATE SET free_at = LEAST(
        GREATEST(t.free_at, clock_timestamp()) + (EXCLUDED.free_at - clock_timestamp()),
        clock_timestamp() + make_interval(secs => (
            SELECT k.window_s FROM unnest(keys, windows) AS k (key, window_s) WHERE k.key = EXCLUDED.key LIMIT 1)))
$$;

-- From which network a session was begun, as a keyed digest: whoever signed in from there before is no stranger.
ALTER TABLE sessions ADD COLUMN network bytea;

-- Addresses whose reader wants no invitations, as keyed digests of what is normalized.
CREATE TABLE blocked_addresses (
    digest     bytea       PRIMARY KEY,
    blocked_at timestamptz NOT NULL DEFAULT now()
);

-- How far a job says that it is: the latest word of its latest attempt. It is for showing, and lies outside the log.
CREATE TABLE job_progress (
    job_id  uuid        PRIMARY KEY,
    attempt int         NOT NULL,
    percent float8      NOT NULL CHECK (percent BETWEEN 0 AND 100),
    message text        CHECK (char_length(message) <= 200),
    at      timestamptz NOT NULL DEFAULT now()
);
-- What is kept of jobs is deleted by age.
CREATE INDEX job_progress_age ON job_progress (at);

-- Keeps how far attempts are that this worker has started and that were not taken up anew since. Of several words of one
-- job the last one counts.
CREATE FUNCTION store_job_progress(worker uuid, jobs uuid[], attempts int[], percents float8[], messages text[])
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO job_progress AS known (job_id, attempt, percent, message)
    SELECT DISTINCT ON (t.job) t.job, t.attempt, t.percent, t.message
    FROM unnest(jobs, attempts, percents, messages) WITH ORDINALITY AS t (job, attempt, percent, message, place)
    CROSS JOIN LATERAL (
        SELECT e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = t.job::text AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started
    WHERE (started.payload->>'attempt')::int = t.attempt AND (started.payload->>'worker_id')::uuid = worker
    ORDER BY t.job, t.place DESC
    ON CONFLICT (job_id) DO UPDATE
        SET attempt = EXCLUDED.attempt, percent = EXCLUDED.percent, message = EXCLUDED.message, at = now()
        -- Another worker may have begun the next attempt meanwhile.
        WHERE known.attempt <= EXCLUDED.attempt
$$;
REVOKE ALL ON FUNCTION store_job_progress FROM PUBLIC;

-- Files that programs leave.
CREATE TABLE job_artifacts (
    job_id     uuid        NOT NULL,
    attempt    int         NOT NULL,
    path       text        NOT NULL,
    content    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, attempt, path)
);

-- Keeps what a program has left, of an attempt that this worker has started and that was not taken up anew since.
CREATE FUNCTION store_job_artifacts(worker uuid, job uuid, running_attempt int, paths text[], contents bytea[])
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM (
        SELECT e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = job::text AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started
    WHERE (started.payload->>'attempt')::int = running_attempt AND (started.payload->>'worker_id')::uuid = worker;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO job_artifacts (job_id, attempt, path, content)
    SELECT job, running_attempt, a.path, a.content FROM unnest(paths, contents) AS a (path, content)
    ON CONFLICT (job_id, attempt, path) DO NOTHING;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION store_job_artifacts FROM PUBLIC;

-- What is kept of jobs is deleted by age.
CREATE INDEX job_inputs_age ON job_inputs (created_at);
CREATE INDEX job_output_pieces_age ON job_output_pieces (created_at);
CREATE INDEX job_artifacts_age ON job_artifacts (created_at);

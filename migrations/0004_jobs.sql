-- What jobs keep outside the log: output, and who is at work on what.

CREATE TABLE job_outputs (
    job_id     uuid        NOT NULL,
    attempt    int         NOT NULL,
    stdout     text        NOT NULL,
    stderr     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, attempt)
);

-- A worker's claim on a running attempt, renewed while it works. A claim past its time means a lost worker.
CREATE TABLE job_leases (
    job_id     uuid        PRIMARY KEY,
    attempt    int         NOT NULL,
    worker_id  uuid        NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Attempts that were handed to the queue by the reconciler, so that it does not hand them over again and again while
-- they wait for a free worker.
CREATE TABLE job_dispatches (
    job_id        uuid        PRIMARY KEY,
    attempt       int         NOT NULL,
    dispatched_at timestamptz NOT NULL
);

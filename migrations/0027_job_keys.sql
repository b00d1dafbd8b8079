-- Workers read the keys of jobs too: an attempt starts only while its job's key is granted to it.
CREATE OR REPLACE VIEW workers.events AS
    SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type, event_version,
           CASE WHEN aggregate_type IN ('job', 'job_key') THEN payload END AS payload,
           CASE WHEN aggregate_type IN ('job', 'job_key') THEN metadata END AS metadata,
           recorded_at
    FROM events;

CREATE OR REPLACE VIEW workers.aggregate_snapshots AS
    SELECT aggregate_type, aggregate_id, sequence, shape, state FROM aggregate_snapshots
    WHERE aggregate_type IN ('job', 'job_key');

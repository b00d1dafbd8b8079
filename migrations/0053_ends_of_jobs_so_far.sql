-- No lock of the table: the view goes on. What it writes meanwhile has its time already, and is left as it is.

UPDATE views.jobs j SET ended_at = (
    SELECT e.recorded_at FROM events e
    WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text AND e.sequence <= j.version
      AND e.event_type IN ('JobSucceeded', 'JobDeadLettered', 'JobCancelled')
    ORDER BY e.sequence DESC LIMIT 1)
WHERE j.completed_at IS NOT NULL AND j.ended_at IS NULL;

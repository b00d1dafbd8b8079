-- What a controlling job has done before it was interrupted: it counts the events that name its request as their cause.
CREATE INDEX events_caused_in_jobs ON events ((metadata->>'causation_id'))
    WHERE aggregate_type = 'job' AND event_type IN ('JobCancelled', 'JobRedriven', 'JobDeleted');

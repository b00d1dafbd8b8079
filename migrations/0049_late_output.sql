-- What was stored of jobs behind their end, or that of their project or account, is found from what has ended of late.

CREATE INDEX events_ends ON events (recorded_at)
    WHERE event_type IN ('ProjectDeleted', 'AccountErased', 'JobDeleted');

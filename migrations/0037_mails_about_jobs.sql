-- Mails that tell whoever submitted jobs that they have failed for good.

-- Adds one for a job that has failed, unless one that is there tells of it: a mail tells of what has failed after the time of
-- the one before it, up to its own. They come an hour apart at least, for each account and project. Whether one was added.
CREATE FUNCTION tell_of_failed_job(recipient uuid, project uuid, failed_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    latest timestamptz;
    due timestamptz;
BEGIN
    -- Two at a time would both find that there is none.
    PERFORM pg_advisory_xact_lock(hashtextextended('jobs_failed:' || recipient || ':' || COALESCE(project::text, ''), 0));
    SELECT max(due_at) INTO latest FROM mails
    WHERE account_id = recipient AND kind = 'jobs_failed' AND about IS NOT DISTINCT FROM project;
    IF latest >= failed_at THEN
        RETURN false;
    END IF;
    due := GREATEST(failed_at, latest + interval '1 hour');
    INSERT INTO mails (id, account_id, kind, about, reason, due_at, expires_at)
    VALUES (gen_random_uuid(), recipient, 'jobs_failed', project,
            format('jobs_failed:%s:%s:%s', recipient, COALESCE(project::text, 'own'),
                   (extract(epoch FROM due) * 1000000)::bigint),
            due, due + interval '1 day')
    ON CONFLICT (reason) DO NOTHING;
    RETURN FOUND;
END $$;

-- Nobody is told of what failed before.
INSERT INTO reactor_checkpoints (reactor, position) SELECT 'failures', COALESCE(max(position), 0) FROM events;

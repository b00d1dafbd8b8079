-- How many rules for jobs an owner has is counted where no other process adds to it; so are the mails that jobs send.

-- The rules that say anything, of an organization, a project or an account. A row comes and goes with what its rule
-- says, and goes with the owner.
CREATE TABLE job_rule_slots (
    rule_id  uuid PRIMARY KEY,
    owner_id uuid NOT NULL
);
CREATE INDEX job_rule_slots_of_owner ON job_rule_slots (owner_id);
-- From the log: the views may be behind. A rule is in the feed of its owner, and its last event has all that it says.
INSERT INTO job_rule_slots (rule_id, owner_id)
    SELECT latest.rule_id, latest.owner_id
    FROM (
        SELECT DISTINCT ON (e.aggregate_id) e.aggregate_id::uuid AS rule_id, e.feed_id AS owner_id, e.payload
        FROM events e
        WHERE e.aggregate_type = 'job_rule' AND e.event_type = 'JobRuleChanged'
        ORDER BY e.aggregate_id, e.sequence DESC
    ) AS latest
    WHERE ((latest.payload->>'paused')::boolean OR latest.payload->>'weight' IS NOT NULL
           OR latest.payload->>'running' IS NOT NULL OR latest.payload->>'rate' IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM events gone
          WHERE gone.aggregate_type IN ('organization', 'project', 'account')
            AND gone.aggregate_id = latest.owner_id::text
            AND gone.event_type IN ('OrganizationDeleted', 'ProjectDeleted', 'AccountErased'));

-- Adds the mail that a job sends to an account, unless it is there, or there have been too many within the hour.
-- Nobody writes to an address that may be a stranger's: it is proven, or trusted.
CREATE FUNCTION add_job_email(
    recipient uuid, is_trusted boolean, mail_kind text, job uuid, most bigint,
    OUT has_address boolean, OUT are_many boolean
)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    is_there boolean;
BEGIN
    are_many := false;
    -- Two at a time would both find that there is room. The count sees what others have added before.
    PERFORM pg_advisory_xact_lock(hashtextextended('job_email:' || recipient, 0));
    SELECT EXISTS (SELECT FROM accounts a
                   WHERE a.id = recipient AND a.email IS NOT NULL AND (a.email_verified_at IS NOT NULL OR is_trusted))
    INTO has_address;
    IF NOT has_address THEN
        RETURN;
    END IF;
    SELECT count(*) >= most, COALESCE(bool_or(m.about = job), false) INTO are_many, is_there
    FROM mails m
    WHERE m.account_id = recipient AND m.kind = mail_kind AND m.created_at > now() - interval '1 hour';
    are_many := are_many AND NOT is_there;
    IF NOT are_many THEN
        INSERT INTO mails (id, account_id, kind, about, reason, due_at, expires_at)
        VALUES (gen_random_uuid(), recipient, mail_kind, job, mail_kind || ':' || job, now(), now() + interval '1 day')
        ON CONFLICT (reason) DO NOTHING;
    END IF;
END $$;

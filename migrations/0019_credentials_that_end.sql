-- Who closed an account is part of its state: only they, or the operator, open it again.
ALTER TABLE accounts
    ADD COLUMN closed_by_operator_at timestamptz,
    ADD COLUMN closed_by_issuer_at   timestamptz;
UPDATE accounts SET closed_by_operator_at = deactivated_at WHERE deactivated_at IS NOT NULL;
ALTER TABLE accounts DROP COLUMN deactivated_at;
ALTER TABLE accounts
    ADD COLUMN deactivated_at timestamptz
        GENERATED ALWAYS AS (LEAST(closed_by_operator_at, closed_by_issuer_at)) STORED,
    -- The time from one closing to the next. What lives on a credential that outlasts a closing (a socket that was opened by a
    -- personal token, or by another issuer's) ends with it.
    ADD COLUMN period_id uuid NOT NULL DEFAULT gen_random_uuid();

-- What a ticket's credential rests on: see above; for access tokens it is the key that signed them.
DELETE FROM realtime_tickets;
ALTER TABLE realtime_tickets ADD COLUMN rests_on uuid NOT NULL;

-- Open invitations end with their sender's right to invite.
CREATE INDEX invitations_by_sender ON invitations (invited_by);

-- Invitations: whom they went to, which the log does not say, and the secrets that were mailed. And what mails may be
-- about besides the account itself.

CREATE TABLE invitations (
    id               uuid        PRIMARY KEY,
    project_id       uuid,
    organization_id  uuid,
    role             text        NOT NULL,
    email            text        NOT NULL,
    email_normalized text        NOT NULL,
    message          text,
    invited_by       uuid        NOT NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    accepted_at      timestamptz,
    CHECK (num_nonnulls(project_id, organization_id) = 1)
);
-- One invitation of an address to a place, and the order of its list.
CREATE UNIQUE INDEX invitations_to_project ON invitations (project_id, email_normalized) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX invitations_to_organization ON invitations (organization_id, email_normalized)
    WHERE organization_id IS NOT NULL;
CREATE INDEX invitations_of_project ON invitations (project_id, id) WHERE project_id IS NOT NULL;
CREATE INDEX invitations_of_organization ON invitations (organization_id, id) WHERE organization_id IS NOT NULL;
CREATE INDEX invitations_by_email ON invitations (email_normalized);
CREATE INDEX invitations_by_age ON invitations (expires_at);

CREATE TABLE invitation_tokens (
    token_hash    bytea PRIMARY KEY,
    invitation_id uuid  NOT NULL REFERENCES invitations (id) ON DELETE CASCADE
);
CREATE INDEX invitation_tokens_of_invitation ON invitation_tokens (invitation_id);

ALTER TABLE mails
    ALTER COLUMN account_id DROP NOT NULL,
    -- Instead of an account: who is invited need not have one.
    ADD COLUMN invitation_id uuid REFERENCES invitations (id) ON DELETE CASCADE,
    -- The task, or the organization, that it is about.
    ADD COLUMN about uuid,
    ADD COLUMN note text,
    -- When to try again; when it was meant for stays in due_at.
    ADD COLUMN retry_at timestamptz,
    -- What it would have said was no longer true.
    ADD COLUMN dropped_at timestamptz,
    ADD CHECK (num_nonnulls(account_id, invitation_id) = 1);
DROP INDEX mails_due;
CREATE INDEX mails_due ON mails ((COALESCE(retry_at, due_at)))
    WHERE sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL;
CREATE INDEX mails_of_invitation ON mails (invitation_id) WHERE invitation_id IS NOT NULL;
CREATE INDEX mails_by_age ON mails (expires_at);

-- How far the log has been read for what people are told by mail. What happened before is told to nobody.
CREATE TABLE notifier_checkpoint (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    position bigint  NOT NULL
);
INSERT INTO notifier_checkpoint (position) SELECT COALESCE(max(position), 0) FROM events;

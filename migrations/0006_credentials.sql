-- Sessions that can be ended at once, personal access tokens, keys that rotate, identities vouched for by others.

-- Whoever is vouched for by another issuer may have no address of their own here.
ALTER TABLE accounts
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN email_normalized DROP NOT NULL,
    ADD COLUMN email_verified_at timestamptz,
    ADD COLUMN deactivated_at timestamptz,
    ADD COLUMN version bigint NOT NULL DEFAULT 1;

ALTER TABLE sessions ADD COLUMN user_agent text;

-- Sessions and tokens that ended before their time, by id: what every instance must refuse while an access token of
-- theirs may still be about. Ids only, so that an erased account's are remembered too.
CREATE TABLE ended_credentials (
    id       uuid        PRIMARY KEY,
    ended_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ended_credentials_age ON ended_credentials (ended_at);

-- Tokens that programs sign in with; only their hash is kept.
CREATE TABLE personal_tokens (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    token_hash   bytea       NOT NULL UNIQUE,
    name         text        NOT NULL,
    scope        text        NOT NULL CHECK (scope IN ('read', 'write')),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX personal_tokens_of_account ON personal_tokens (account_id, id);

-- The key that signs is the youngest whose time has come; the next one is published before.
ALTER TABLE signing_keys ADD COLUMN active_from timestamptz NOT NULL DEFAULT now();
UPDATE signing_keys SET active_from = created_at;
ALTER TABLE signing_keys DROP COLUMN retired_at;

-- Whatever opened the ticket's door opens the socket's: the ticket carries its scope, and ends with it.
DELETE FROM realtime_tickets;
ALTER TABLE realtime_tickets RENAME COLUMN session_id TO credential_id;
ALTER TABLE realtime_tickets ADD COLUMN kind text NOT NULL, ADD COLUMN scope text NOT NULL;

-- Who an issuer's subject is here.
CREATE TABLE external_identities (
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    account_id uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identities_of_account ON external_identities (account_id);

-- Identities that were erased, by keyed digest: they never come back, and nobody can tell who they were.
CREATE TABLE erased_identities (
    digest    bytea       PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);

-- Webhook messages that were taken in: each counts once.
CREATE TABLE webhook_messages (
    id          text        PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_messages_age ON webhook_messages (received_at);

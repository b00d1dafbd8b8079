-- Personal data and credentials: the part of identity that can be erased (law 6). What happened to an account is in the
-- log; these rows say who it is.

CREATE TABLE accounts (
    id                       uuid        PRIMARY KEY,
    email                    text        NOT NULL,
    email_normalized         text        NOT NULL CONSTRAINT accounts_email UNIQUE,
    username                 text        NOT NULL CONSTRAINT accounts_username UNIQUE,
    full_name                text,
    image_url                text,
    password_hash            text,
    personal_organization_id uuid        NOT NULL UNIQUE,
    created_at               timestamptz NOT NULL,
    updated_at               timestamptz NOT NULL
);

-- One row a sign-in. A refresh token is derived from (session, generation, salt), so that none is ever stored.
CREATE TABLE sessions (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    salt       bytea       NOT NULL,
    generation int         NOT NULL DEFAULT 0,
    rotated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX sessions_of_account ON sessions (account_id);

-- Keys that sign access tokens (PKCS #8).
CREATE TABLE signing_keys (
    kid        text        PRIMARY KEY,
    pkcs8      bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);

-- Symmetric secrets of this deployment, generated on first start.
CREATE TABLE service_secrets (
    name   text  PRIMARY KEY,
    secret bytea NOT NULL
);

-- Single-use tickets that open a WebSocket where no header can be set; only their hash is kept.
CREATE TABLE realtime_tickets (
    ticket_hash      bytea       PRIMARY KEY,
    account_id       uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session_id       uuid        NOT NULL,
    token_expires_at timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL
);
CREATE INDEX realtime_tickets_age ON realtime_tickets (expires_at);

-- Mails to be sent. A row says to whom and why; address and text are put together at the moment of sending, so that
-- nothing personal waits here and what is sent is true then.
CREATE TABLE mails (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind         text        NOT NULL,
    -- One mail a reason, however often it is asked for.
    reason       text        NOT NULL UNIQUE,
    due_at       timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    leased_until timestamptz,
    sent_at      timestamptz,
    failed_at    timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mails_of_account ON mails (account_id);

-- Secrets that were mailed, by hash.
CREATE TABLE mail_tokens (
    token_hash       bytea       PRIMARY KEY,
    account_id       uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    purpose          text        NOT NULL,
    -- What the mail was sent to: a token proves that address and no other.
    email_normalized text        NOT NULL,
    expires_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_tokens_of_account ON mail_tokens (account_id, purpose);

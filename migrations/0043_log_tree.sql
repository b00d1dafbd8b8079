-- The log tree: a Merkle tree (RFC 6962) over the whole log, and one over each feed. See docs/auditing.md and src/log_tree/.
-- It follows the log and is never written by an append. All of it is only added to.

-- Which log this is, in every leaf and in the name of every key. It stays when a backup is restored; the epoch changes then.
CREATE TABLE log_identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    log_id   uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO log_identity DEFAULT VALUES;

-- The epoch that leaves name, from a position on.
CREATE TABLE log_tree_epochs (
    first_position bigint PRIMARY KEY CHECK (first_position > 0),
    epoch          uuid   NOT NULL
);

-- One leaf an event. The salt is destroyed when the payload is redacted; what it made of the payload is kept instead.
CREATE TABLE log_leaves (
    position   bigint PRIMARY KEY CHECK (position > 0),
    salt       bytea  CHECK (octet_length(salt) = 16),
    commitment bytea  CHECK (octet_length(commitment) = 32),
    hash       bytea  NOT NULL CHECK (octet_length(hash) = 32),
    CONSTRAINT log_leaves_salted_or_committed CHECK ((salt IS NULL) = (commitment IS NOT NULL))
);

-- What stands above the leaves: a hash of level n covers 256^n of them. The tree of the whole log is the nil UUID, that of a feed
-- the feed's id. The leaves of a feed are found by its events.
CREATE TABLE log_nodes (
    tree  uuid     NOT NULL,
    level smallint NOT NULL CHECK (level > 0),
    index bigint   NOT NULL CHECK (index >= 0),
    hash  bytea    NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tree, level, index)
);

-- How long each feed was behind the last of its events of a batch: whoever takes away the end of a feed contradicts it.
CREATE TABLE log_feed_sizes (
    feed     uuid   NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    size     bigint NOT NULL CHECK (size > 0),
    PRIMARY KEY (feed, position)
);

-- Signed heads of the tree of the whole log. Older ones are thinned out.
CREATE TABLE log_checkpoints (
    size      bigint      PRIMARY KEY CHECK (size > 0),
    root      bytea       NOT NULL CHECK (octet_length(root) = 32),
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- The keys that sign them. A retired key verifies what it signed, for ever, and signs no more: its seed is gone.
CREATE TABLE log_signing_keys (
    verifier   text        PRIMARY KEY,
    seed       bytea       CHECK (octet_length(seed) = 32),
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    retired_at timestamptz,
    CONSTRAINT log_signing_keys_retired CHECK ((retired_at IS NULL) = (seed IS NOT NULL))
);
CREATE UNIQUE INDEX log_signing_keys_current ON log_signing_keys ((true)) WHERE retired_at IS NULL;

CREATE FUNCTION refuse_change_of_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the tree of the log is only added to';
END $$;

CREATE TRIGGER log_identity_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON log_identity
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_tree();
CREATE TRIGGER log_tree_epochs_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON log_tree_epochs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_tree();
CREATE TRIGGER log_nodes_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON log_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_tree();
CREATE TRIGGER log_feed_sizes_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON log_feed_sizes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_tree();
CREATE TRIGGER log_leaves_are_final BEFORE DELETE OR TRUNCATE ON log_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_tree();
-- A salt may give way to its commitment, and nothing else may change.
CREATE TRIGGER log_leaves_stay BEFORE UPDATE ON log_leaves FOR EACH ROW
    WHEN (OLD.position <> NEW.position OR OLD.hash <> NEW.hash OR OLD.salt IS NULL OR NEW.salt IS NOT NULL)
    EXECUTE FUNCTION refuse_change_of_tree();

-- How many events of a feed there were when the log had so many. Positions grow along a feed and its places have no holes: so the
-- index on places finds them.
CREATE FUNCTION feed_size_at(feed uuid, log_size bigint) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    low    bigint := 0;
    high   bigint;
    middle bigint;
    place  bigint;
BEGIN
    SELECT e.feed_seq, e.position INTO high, place FROM events e WHERE e.feed_id = feed ORDER BY e.feed_seq DESC LIMIT 1;
    IF high IS NULL THEN
        RETURN 0;
    END IF;
    IF place <= log_size THEN
        RETURN high;
    END IF;
    -- The event at `low` is within, the one at `high` is not.
    WHILE high - low > 1 LOOP
        middle := low + (high - low) / 2;
        SELECT e.position INTO place FROM events e WHERE e.feed_id = feed AND e.feed_seq = middle;
        IF place <= log_size THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- How many events of a feed the tree had taken in, at least, when the log had so many; 0 for none. A plan that was made while the
-- table was small must not walk along all of it for each feed of a batch.
CREATE FUNCTION feed_size_taken_in(of_feed uuid, log_size bigint) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE
SET enable_seqscan = off AS $$
DECLARE
    taken bigint;
BEGIN
    SELECT s.size INTO taken FROM log_feed_sizes s
    WHERE s.feed = of_feed AND s.position <= log_size ORDER BY s.position DESC LIMIT 1;
    RETURN COALESCE(taken, 0);
END $$;

-- Who leads what, and that they live. And which run of the server the views belong to.
--
-- Unlogged, all of it: what is here is about sessions, and after a crash or on a promoted copy there are none of those left.

-- One row for each thing that one process at a time does. `beat_at` is by the clock of this server; whoever has been silent is
-- deposed: their session is ended, and with it the advisory lock (7770002, hashtext(name)) and whatever was not committed.
CREATE UNLOGGED TABLE leaders (
    name          text        PRIMARY KEY,
    holder        uuid        NOT NULL,
    -- The session that holds the lock: a process id alone may belong to another session by now.
    backend_pid   int         NOT NULL,
    backend_start timestamptz NOT NULL,
    beat_at       timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Empty after each crash, each promotion, each restore of files: whoever finds it so gives it another id.
CREATE UNLOGGED TABLE view_incarnations (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       uuid    NOT NULL DEFAULT gen_random_uuid()
);

-- Which incarnation of the views this is. Views commit without waiting for the disk, so a crash takes them back: what is known of
-- how far they are holds within one incarnation. A crash need not restart the server process, so its start time alone does not
-- tell; it is named for the sake of copies of files, which may carry the id along.
CREATE FUNCTION view_incarnation() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    known uuid;
BEGIN
    SELECT i.id INTO known FROM view_incarnations i;
    IF NOT FOUND THEN
        INSERT INTO view_incarnations DEFAULT VALUES ON CONFLICT (only_row) DO NOTHING;
        SELECT i.id INTO known FROM view_incarnations i;
    END IF;
    RETURN known || '/' || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint;
END $$;

-- Whether mails leave at all is asked of the ones that left last.
CREATE INDEX mails_sent ON mails (sent_at) WHERE sent_at IS NOT NULL;

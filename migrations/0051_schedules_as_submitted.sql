-- Schedules, third version: their jobs run the files of a workspace, are the only ones with their key for a while, and a run
-- that was passed over says why.

ALTER TABLE views.schedules
    ADD COLUMN workspace_id uuid,
    ADD COLUMN unique_seconds int,
    ADD COLUMN passed_over text;

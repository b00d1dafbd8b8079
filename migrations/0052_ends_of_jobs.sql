-- When the log recorded that a job was over: how long what it left is kept counts from then, whatever the clock of who tells of the
-- end says. Here nothing is read, so that nobody waits for long; the next two steps fill the column and index it.

ALTER TABLE views.jobs ADD COLUMN ended_at timestamptz;
DROP INDEX views.jobs_over_of_organization;

-- Jobs that control many others: what became of those, and how those of an organization are found.
ALTER TABLE views.jobs
    ADD COLUMN matched bigint,
    ADD COLUMN changed bigint,
    ADD COLUMN refused bigint;
CREATE INDEX jobs_of_organization ON views.jobs (organization_id, id) WHERE organization_id IS NOT NULL;

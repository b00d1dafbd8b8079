-- The jobs of an organization whose end the log recorded some time ago.

CREATE INDEX jobs_ended_of_organization ON views.jobs (organization_id, ended_at)
    WHERE organization_id IS NOT NULL AND ended_at IS NOT NULL;

-- Whether people may belong to an organization's projects who do not belong to it; null where nobody has said so: then they may.
ALTER TABLE views.organizations ADD COLUMN allow_guests boolean;
-- Whether the lead of a project may add members to it.
ALTER TABLE views.projects ADD COLUMN lead_can_add_members boolean NOT NULL DEFAULT false;
ALTER TABLE views.projects ALTER COLUMN lead_can_add_members DROP DEFAULT;

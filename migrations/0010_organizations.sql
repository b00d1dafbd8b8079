-- Organizations, and what projects have gained with them.

CREATE TYPE organization_role AS ENUM ('member', 'admin');
CREATE TYPE edit_policy AS ENUM ('collaborators', 'lead');

CREATE TABLE views.organizations (
    id                          uuid        PRIMARY KEY,
    name                        text        NOT NULL,
    slug                        text        NOT NULL,
    image_url                   text,
    members_can_create_projects boolean     NOT NULL,
    is_personal                 boolean     NOT NULL,
    member_count                int         NOT NULL,
    created_at                  timestamptz NOT NULL,
    updated_at                  timestamptz NOT NULL,
    version                     bigint      NOT NULL
);

CREATE TABLE views.organization_members (
    organization_id uuid              NOT NULL,
    account_id      uuid              NOT NULL,
    role            organization_role NOT NULL,
    added_at        timestamptz       NOT NULL,
    updated_at      timestamptz       NOT NULL,
    PRIMARY KEY (organization_id, account_id)
);
CREATE INDEX organization_members_by_account ON views.organization_members (account_id, organization_id);

ALTER TABLE views.projects
    ADD COLUMN team_lead uuid,
    ADD COLUMN edit_policy edit_policy NOT NULL DEFAULT 'collaborators';
ALTER TABLE views.projects ALTER COLUMN edit_policy DROP DEFAULT;

-- The organizations that an account audits, among those it belongs to.
CREATE INDEX organization_auditors ON views.organization_members (account_id, organization_id) WHERE role = 'auditor';

-- The organizations whose projects' histories an account may read as an auditor: but for personal ones.
CREATE FUNCTION audited_organizations(account uuid) RETURNS TABLE (organization_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT m.organization_id
    FROM views.organization_members m
    JOIN views.organizations o ON o.id = m.organization_id
    WHERE m.account_id = account AND m.role = 'auditor' AND NOT o.is_personal
$$;

-- As before (`0024_project_relation.sql`, which says how it is written), with `auditor` between members and visitors.
CREATE OR REPLACE FUNCTION project_relation(
    project uuid, organization uuid, is_public boolean, deleted boolean, account uuid
) RETURNS TABLE (relation text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS
$$
    SELECT CASE
        WHEN deleted THEN NULL
        WHEN EXISTS (SELECT FROM public.administered_organizations(account) a WHERE a.organization_id = organization)
            THEN 'admin'
        ELSE COALESCE(
            (SELECT m.role::text FROM views.members m WHERE m.project_id = project AND m.account_id = account),
            CASE
                WHEN EXISTS (SELECT FROM public.audited_organizations(account) a WHERE a.organization_id = organization)
                    THEN 'auditor'
                WHEN is_public THEN 'visitor'
            END)
    END
$$;

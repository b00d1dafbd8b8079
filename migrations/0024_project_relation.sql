-- How accounts stand to projects: the answer of `domain/src/access/relation.rs`, for queries. `tests/api/access/relation`
-- compares the two.
--
-- The bodies are texts, which Postgres reads when a statement is planned, and puts in its place (STABLE, not STRICT, one SELECT,
-- no settings of their own). So a rebuild of the views may swap the tables; a view would go on reading the old ones.

-- The organizations in whose projects an account has an owner's rights: those that it administers, but for personal ones.
CREATE FUNCTION administered_organizations(account uuid) RETURNS TABLE (organization_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT m.organization_id
    FROM views.organization_members m
    JOIN views.organizations o ON o.id = m.organization_id
    WHERE m.account_id = account AND m.role = 'admin' AND NOT o.is_personal
$$;

-- How an account stands to a project, of which the caller has the row: `admin`, `owner`, `collaborator`, `viewer` or `visitor`;
-- null to whom the project does not exist. One row. Subqueries, not joins: each looks into an index for a row that is
-- shown, whatever the planner expects of an account with many projects.
CREATE FUNCTION project_relation(project uuid, organization uuid, is_public boolean, deleted boolean, account uuid)
    RETURNS TABLE (relation text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS
$$
    SELECT CASE
        WHEN deleted THEN NULL
        WHEN EXISTS (SELECT FROM public.administered_organizations(account) a WHERE a.organization_id = organization)
            THEN 'admin'
        ELSE COALESCE(
            (SELECT m.role::text FROM views.members m WHERE m.project_id = project AND m.account_id = account),
            CASE WHEN is_public THEN 'visitor' END)
    END
$$;

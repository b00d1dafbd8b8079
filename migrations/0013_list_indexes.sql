-- The other ways to narrow a list of tasks. Reminders are found in the outbox, no longer by a scan of the tasks.
CREATE INDEX tasks_by_type ON views.tasks (project_id, task_type, id);
CREATE INDEX tasks_by_priority ON views.tasks (project_id, priority, id);
DROP INDEX views.tasks_due;
-- The organizations that an account administers, among those it belongs to.
CREATE INDEX organization_admins ON views.organization_members (account_id, organization_id) WHERE role = 'admin';
-- Whole: that a comparison of rows leaves out those without a project, the planner does not see.
DROP INDEX invitations_of_project, invitations_of_organization;
CREATE INDEX invitations_of_project ON invitations (project_id, id);
CREATE INDEX invitations_of_organization ON invitations (organization_id, id);

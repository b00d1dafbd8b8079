-- Tasks and comments, and types for what only has a few values: what no projection may write, the database refuses.

CREATE TYPE project_status AS ENUM ('planning', 'active', 'on_hold', 'completed', 'cancelled');
CREATE TYPE priority AS ENUM ('low', 'medium', 'high');
CREATE TYPE project_role AS ENUM ('viewer', 'collaborator', 'owner');
CREATE TYPE task_status AS ENUM ('todo', 'in_progress', 'done');
CREATE TYPE task_type AS ENUM ('task', 'bug', 'feature', 'improvement', 'other');

ALTER TABLE views.projects
    ALTER COLUMN status TYPE project_status USING status::project_status,
    ALTER COLUMN priority TYPE priority USING priority::priority;
ALTER TABLE views.members ALTER COLUMN role TYPE project_role USING role::project_role;

CREATE TABLE views.tasks (
    id            uuid        PRIMARY KEY,
    project_id    uuid        NOT NULL,
    title         text        NOT NULL,
    description   text        NOT NULL,
    assignee_id   uuid,
    status        task_status NOT NULL,
    task_type     task_type   NOT NULL,
    priority      priority    NOT NULL,
    due_at        timestamptz,
    comment_count int         NOT NULL,
    created_by    uuid        NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    version       bigint      NOT NULL
);
-- One for each way to narrow a list; what is left of a narrowed list is sorted by the same index.
CREATE INDEX tasks_of_project ON views.tasks (project_id, id);
CREATE INDEX tasks_by_status ON views.tasks (project_id, status, id);
CREATE INDEX tasks_by_assignee ON views.tasks (project_id, assignee_id, id);
CREATE INDEX tasks_by_due ON views.tasks (project_id, due_at, id) WHERE due_at IS NOT NULL;
-- For reminders.
CREATE INDEX tasks_due ON views.tasks (due_at) WHERE assignee_id IS NOT NULL AND status <> 'done';

CREATE TABLE views.comments (
    id         uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    author_id  uuid        NOT NULL,
    body       text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE INDEX comments_of_task ON views.comments (task_id, id);

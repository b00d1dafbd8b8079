-- Workspaces, and the files in them.

CREATE TABLE views.workspaces (
    id          uuid        PRIMARY KEY,
    project_id  uuid        NOT NULL,
    name        text        NOT NULL,
    description text        NOT NULL,
    file_count  int         NOT NULL,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL
);
CREATE INDEX workspaces_of_project ON views.workspaces (project_id, id);

CREATE TABLE views.files (
    id           uuid             PRIMARY KEY,
    workspace_id uuid             NOT NULL,
    path         text COLLATE "C" NOT NULL,
    size         int              NOT NULL,
    sha256       bytea            NOT NULL,
    created_by   uuid             NOT NULL,
    created_at   timestamptz      NOT NULL,
    updated_by   uuid             NOT NULL,
    updated_at   timestamptz      NOT NULL,
    version      bigint           NOT NULL
);
-- Not unique: within one batch of events two files may change places. That no two share one, the domain sees to.
CREATE INDEX files_by_path ON views.files (workspace_id, path);

-- Every content that a file ever had, named by the digest that its event tells: written once, never changed, so that the
-- past can be read as it was.
CREATE TABLE file_contents (
    file_id uuid  NOT NULL,
    sha256  bytea NOT NULL CHECK (length(sha256) = 32),
    content bytea NOT NULL CHECK (length(content) <= 1048576),
    PRIMARY KEY (file_id, sha256)
);

"""The story that README tells, played with a client that is generated from the OpenAPI document."""

import sys
import time
import uuid
from typing import TypeVar

from workroom_client import AuthenticatedClient, Client
from workroom_client.api.auth import login, register
from workroom_client.api.comments import create_comment
from workroom_client.api.files import create_file
from workroom_client.api.history import list_project_events
from workroom_client.api.jobs import create_job, get_job
from workroom_client.api.members import add_member, list_members
from workroom_client.api.projects import create_project
from workroom_client.api.tasks import create_task, update_task
from workroom_client.api.workspaces import create_workspace
from workroom_client.models import (
    Account,
    AddMemberRequest,
    Comment,
    CommentRequest,
    CreateFileRequest,
    CreateProjectRequest,
    CreateTaskRequest,
    CreateWorkspaceRequest,
    EventList,
    File,
    Job,
    JobStatus,
    LoginRequest,
    MemberList,
    ProblemDetails,
    Project,
    ProjectCreatedEvent,
    RegisterRequest,
    Role,
    SubmitJobRequest,
    Task,
    TaskStatus,
    TaskUpdatedEvent,
    Tokens,
    UpdateTaskRequest,
    Workspace,
)

T = TypeVar("T")


def given(kind: type[T], reply: object) -> T:
    """The reply, which is of this kind."""
    assert isinstance(reply, kind), reply
    return reply


address = sys.argv[1]
tag = uuid.uuid4().hex
anonymous = Client(base_url=address)
grace_email, ada_email = f"grace-{tag}@example.com", f"ada-{tag}@example.com"
grace_account = RegisterRequest(email=grace_email, password="nanoseconds of wire")
given(Account, register.sync(client=anonymous, body=grace_account))
ada_account = RegisterRequest(email=ada_email, password="an analytical engine", full_name="Ada Lovelace")
ada = given(Account, register.sync(client=anonymous, body=ada_account))
wrong = login.sync(client=anonymous, body=LoginRequest(email=ada_email, password="a guess at it"))
assert given(ProblemDetails, wrong).code == "wrong-credentials"
tokens = given(
    Tokens, login.sync(client=anonymous, body=LoginRequest(email=ada_email, password="an analytical engine"))
)
assert tokens.user.id == ada.id

api = AuthenticatedClient(base_url=address, token=tokens.access_token)
apollo = CreateProjectRequest(name="Apollo", description="To the moon")
project = given(Project, create_project.sync(client=api, body=apollo, idempotency_key=f"project-{tag}"))
again = create_project.sync_detailed(client=api, body=apollo, idempotency_key=f"project-{tag}")
assert given(Project, again.parsed).id == project.id
assert again.headers["idempotent-replayed"] == "true"

add_member.sync(project.id, client=api, body=AddMemberRequest(email=grace_email, role=Role.COLLABORATOR))
members = given(MemberList, list_members.sync(project.id, client=api, limit=100))
grace = next(member for member in members.items if member.email == grace_email)
assert grace.role == Role.COLLABORATOR

trajectory = CreateTaskRequest(title="Compute the trajectory", assignee_id=grace.user_id)
task = given(Task, create_task.sync(project.id, client=api, body=trajectory))
assert task.status == TaskStatus.TODO and task.assignee_id == grace.user_id
given(Comment, create_comment.sync(project.id, task.id, client=api, body=CommentRequest(body="By Friday?")))
begun = UpdateTaskRequest(status=TaskStatus.IN_PROGRESS, assignee_id=None)
changed = given(Task, update_task.sync(project.id, task.id, client=api, body=begun, if_match=f'"{task.version}"'))
assert changed.status == TaskStatus.IN_PROGRESS and changed.assignee_id is None

workspace = given(
    Workspace, create_workspace.sync(project.id, client=api, body=CreateWorkspaceRequest(name="Guidance"))
)
orbit = CreateFileRequest(path="src/orbit.py", content="print(6 * 7)\n")
file = given(File, create_file.sync(project.id, workspace.id, client=api, body=orbit))
assert file.size == 13

code = SubmitJobRequest(language="python", code="print(6 * 7)", project_id=project.id)
submitted = create_job.sync(client=api, body=code)
if isinstance(submitted, Job):
    for _ in range(300):
        if submitted.status not in (JobStatus.PENDING, JobStatus.RUNNING):
            break
        time.sleep(0.1)
        submitted = given(Job, get_job.sync(submitted.id, client=api))
    assert submitted.result is not None and submitted.result.stdout == "42\n", submitted
else:
    assert given(ProblemDetails, submitted).code == "no-sandbox"

history = given(EventList, list_project_events.sync(project.id, client=api, limit=100))
assert [event.seq for event in history.items] == list(range(1, len(history.items) + 1))
founded = history.items[0]
assert isinstance(founded, ProjectCreatedEvent), founded
assert founded.data.name == "Apollo"
updated = next(event for event in history.items if isinstance(event, TaskUpdatedEvent))
assert updated.data.changes.status
assert (updated.data.changes.status.from_, updated.data.changes.status.to) == ("todo", "in_progress")

// The story that README tells, played with a client whose types are generated from the OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Event = components["schemas"]["Event"];

declare const process: { argv: string[]; exit(code: number): never };

const baseUrl = process.argv[2];
if (baseUrl === undefined) throw new Error("the API's address is missing");

function given<T>(reply: { data?: T; error?: unknown; response: Response }): T {
  if (reply.data === undefined) throw new Error(`${reply.response.status}: ${JSON.stringify(reply.error)}`);
  return reply.data;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const anonymous = createClient<paths>({ baseUrl });
const tag = Math.random().toString(36).slice(2);
const people = {
  grace: { email: `grace-${tag}@example.com`, password: "nanoseconds of wire" },
  ada: { email: `ada-${tag}@example.com`, password: "an analytical engine", full_name: "Ada Lovelace" },
};
given(await anonymous.POST("/auth/register", { body: people.grace }));
const ada = given(await anonymous.POST("/auth/register", { body: people.ada }));
const wrong = await anonymous.POST("/auth/login", { body: { email: people.ada.email, password: "a guess at it" } });
check(wrong.error?.code === "wrong-credentials", "a refusal has its code");
const tokens = given(
  await anonymous.POST("/auth/login", { body: { email: people.ada.email, password: people.ada.password } }),
);
check(tokens.user.id === ada.id, "who signs in is who registered");

const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${tokens.access_token}` } });

const created = await api.POST("/projects", {
  body: { name: "Apollo", description: "To the moon" },
  params: { header: { "Idempotency-Key": `project-${tag}` } },
});
const project = given(created);
check(created.response.headers.get("location") === `/api/v1/projects/${project.id}`, "the new project has an address");
const path = { project_id: project.id };
const again = await api.POST("/projects", {
  body: { name: "Apollo", description: "To the moon" },
  params: { header: { "Idempotency-Key": `project-${tag}` } },
});
check(given(again).id === project.id, "the same request is carried out once");

const added = given(
  await api.POST("/projects/{project_id}/members", {
    params: { path },
    body: { email: people.grace.email, role: "collaborator" },
  }),
);
check(added.status === "active", "Grace belongs to the project");
const members = given(await api.GET("/projects/{project_id}/members", { params: { path, query: { limit: 100 } } }));
const grace = members.items.find((member) => member.email === people.grace.email);
check(grace !== undefined, "Grace is listed");

const task = given(
  await api.POST("/projects/{project_id}/tasks", {
    params: { path },
    body: { title: "Compute the trajectory", assignee_id: grace.user_id },
  }),
);
check(task.status === "todo" && task.assignee?.user_id === grace.user_id, "the task is hers");
const taskPath = { ...path, task_id: task.id };
given(
  await api.POST("/projects/{project_id}/tasks/{task_id}/comments", {
    params: { path: taskPath },
    body: { body: "By Friday?" },
  }),
);
const changed = given(
  await api.PATCH("/projects/{project_id}/tasks/{task_id}", {
    params: { path: taskPath, header: { "If-Match": `"${task.version}"` } },
    body: { status: "in_progress", assignee_id: null },
  }),
);
check(changed.status === "in_progress" && changed.assignee_id === null, "the task has changed");

const workspace = given(
  await api.POST("/projects/{project_id}/workspaces", { params: { path }, body: { name: "Guidance" } }),
);
const file = given(
  await api.POST("/projects/{project_id}/workspaces/{workspace_id}/files", {
    params: { path: { ...path, workspace_id: workspace.id } },
    body: { path: "src/orbit.py", content: "print(6 * 7)\n" },
  }),
);
check(file.size === 13, "the file has its content");

const job = await api.POST("/jobs", {
  body: { language: "python", code: "print(6 * 7)", project_id: project.id },
});
if (job.data !== undefined) {
  let seen = job.data;
  for (let round = 0; round < 300 && (seen.status === "pending" || seen.status === "running"); round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    seen = given(await api.GET("/jobs/{job_id}", { params: { path: { job_id: seen.id } } }));
  }
  check(seen.status === "completed" && seen.result?.stdout === "42\n", "the job printed 42");
} else {
  check(job.error?.code === "no-sandbox", "no sandbox here, and that is said");
}

function told(event: Event): string {
  switch (event.event_type) {
    case "ProjectCreated":
      return `${event.data.name} was created`;
    case "MemberAdded":
      return "role" in event.data ? `somebody joined as ${event.data.role}` : "somebody joined";
    case "TaskUpdated":
      return `the status went from ${event.data.changes.status?.from} to ${event.data.changes.status?.to}`;
    default:
      return event.event_type;
  }
}

const history = given(await api.GET("/projects/{project_id}/events", { params: { path, query: { limit: 100 } } }));
const stories = history.items.map(told);
check(history.items.every((event, index) => event.seq === index + 1), "the history has no hole");
check(stories.includes("Apollo was created"), "it says what was created");
check(stories.includes("the status went from todo to in_progress"), "it says what changed, from and to");
const ticket = given(await api.POST("/realtime/tickets", {}));
check(ticket.ticket.length > 20, "a ticket opens a WebSocket");

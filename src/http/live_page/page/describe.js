/** @module Events as lines that people read. What is not known, or was redacted, is told by the name of its type. */

const LONGEST = 80;
const TITLES = 2_000;

/** Titles of tasks, by id, as far as events have told them: other events name the task by its id only. */
const titles = new Map();

/** Takes note of what later lines need. */
export function note({ event_type: type, aggregate_id: id, data }) {
  const title = type === "TaskCreated" ? data?.title : type === "TaskUpdated" ? data?.changes?.title?.to : undefined;
  if (typeof title !== "string") return;
  titles.delete(id);
  titles.set(id, title);
  if (titles.size > TITLES) titles.delete(titles.keys().next().value);
}

/**
 * What somebody did, without who it was.
 * @param {object} event
 * @param {(id: string) => string} name what to call an account
 */
export function describe(event, name) {
  try {
    return LINES[event.event_type]?.(event.data, { event, name }) ?? words(event.event_type);
  } catch {
    return words(event.event_type);
  }
}

/** `TaskCreated` → `task created`. */
function words(type) {
  return String(type).replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

function clip(text) {
  const line = text.replace(/\s+/g, " ").trim();
  const points = [...line];
  return points.length > LONGEST ? `${points.slice(0, LONGEST - 1).join("")}…` : line;
}

const quote = (text) => `“${clip(needed(text))}”`;

/** A text that a line cannot do without. */
function needed(text) {
  if (typeof text !== "string") throw new TypeError("not told");
  return text;
}

const task = (id) => (titles.has(id) ? `the task ${quote(titles.get(id))}` : "a task");
const plain = (value) => needed(value).replaceAll("_", " ");

const PEOPLE = new Set(["assignee_id", "team_lead"]);

function value(field, it, name) {
  if (it === null || it === undefined || it === "") return "nothing";
  if (PEOPLE.has(field)) return name(it);
  if (typeof it === "boolean") return it ? "yes" : "no";
  if (typeof it !== "string") return clip(JSON.stringify(it));
  return /^[a-z_]+$/.test(it) ? plain(it) : quote(it);
}

function changes(data, name) {
  const told = Object.entries(data.changes).map(([field, { from, to }]) => {
    const label = plain(field.replace(/_id$/, ""));
    if (field === "description") return `changed the ${label}`;
    return `${label}: ${value(field, from, name)} → ${value(field, to, name)}`;
  });
  return told.join("; ");
}

const place = (data) => (data.project_id ? "the project" : "the organization");
const outcome = ({ outcome: it }) => (Number.isInteger(it?.exit_code) ? ` with exit code ${it.exit_code}` : "");

const LINES = {
  ProjectCreated: (data) => `created the project ${quote(data.name)}`,
  ProjectUpdated: (data, { name }) => `changed the project: ${changes(data, name)}`,
  ProjectDeleted: () => "deleted the project",
  TaskCreated: (data) => `added the task ${quote(data.title)}`,
  TaskUpdated: (data, { event, name }) => `changed ${task(event.aggregate_id)}: ${changes(data, name)}`,
  TaskUnassigned: (data, { event, name }) => `took ${task(event.aggregate_id)} from ${name(data.assignee_id)}`,
  TaskDeleted: (_, { event }) => `deleted ${task(event.aggregate_id)}`,
  CommentPosted: (data) => `commented on ${task(data.task_id)}: ${quote(data.body)}`,
  CommentEdited: (data) => `changed a comment on ${task(data.task_id)}: ${quote(data.body.to)}`,
  CommentDeleted: (data) => `deleted a comment on ${task(data.task_id)}`,
  MemberAdded: ({ account_id: id, role }, { event, name }) =>
    id === event.actor ? `joined as ${plain(role)}` : `added ${name(id)} as ${plain(role)}`,
  MemberRoleChanged: ({ account_id: id, from, to }, { name }) =>
    `changed the role of ${name(id)}: ${plain(from)} → ${plain(to)}`,
  MemberRemoved: ({ account_id: id }, { event, name }) => (id === event.actor ? "left" : `removed ${name(id)}`),
  MembershipClosed: () => "ended all memberships",
  InvitationSent: (data) => `invited somebody to ${place(data)} as ${plain(data.role)}`,
  InvitationRevoked: () => "took back an invitation",
  InvitationLapsed: () => "ended an invitation",
  InvitationAccepted: (data) => `accepted an invitation to ${place(data)}`,
  WorkspaceCreated: (data) => `created the workspace ${quote(data.name)}`,
  WorkspaceUpdated: (data, { name }) => `changed a workspace: ${changes(data, name)}`,
  WorkspaceDeleted: () => "deleted a workspace",
  FileCreated: (data) => `created the file ${quote(data.path)}`,
  FileMoved: (data) => `moved the file ${quote(data.path.from)} to ${quote(data.path.to)}`,
  FileDeleted: (data) => `deleted the file ${quote(data.path)}`,
  FileContentWritten: (data) => `wrote a file (${Number(data.size).toLocaleString()} bytes)`,
  JobRequested: (data) => `submitted a job${typeof data.language === "string" ? ` in ${data.language}` : ""}`,
  JobStarted: (data) => `started attempt ${Number(data.attempt)} of a job`,
  JobSucceeded: (data) => `completed a job${outcome(data)}`,
  JobAttemptFailed: (data) => `saw attempt ${Number(data.attempt)} of a job fail`,
  JobDeadLettered: () => "gave up a job",
  JobCancelled: () => "cancelled a job",
  JobDeleted: () => "deleted a job",
  JobRuleChanged: (data) => (data.paused ? "paused jobs" : "set a rule for jobs"),
  HistoryExported: () => "exported the history",
  StateRead: (data) => `read the project as it was at ${Number(data.as_of)}`,
};

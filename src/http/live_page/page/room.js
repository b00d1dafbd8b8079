/** @module One project, open: what is followed, and who shows what of it. */

import { Board } from "./board.js";
import { Connection } from "./connection.js";
import { byId, onSubmit, sentence, show, tell } from "./dom.js";
import { Events } from "./events.js";
import { Messages } from "./messages.js";
import { Names } from "./names.js";
import { People } from "./people.js";

const GONE = {
  access_revoked: "You are no longer a member of this project.",
  project_deleted: "This project was deleted.",
  account_deleted: "Your account was deleted.",
  organization_deleted: "The organization of this project was deleted.",
};
/** Ends that this page asked for itself. */
const OWN = new Set(["requested", "signed_out", "closed"]);
/** Errors of the subscription that another part of the page shows. */
const TOLD_ELSEWHERE = new Set(["needs-websocket", "unauthenticated"]);
const EDITORS = new Set(["owner", "collaborator"]);

/** Opens a project; returns what closes it. */
export function openRoom(workroom, projectId, me) {
  show("room");
  const subscription = workroom.subscribe({ projectId, presence: true, cursors: true });
  const names = new Names(workroom, projectId, me, () => parts.forEach((part) => part.renamed()));
  const connection = new Connection(workroom);
  const events = new Events(workroom, projectId, names);
  const people = new People(subscription, names);
  const board = new Board(subscription, names);
  const messages = new Messages(subscription, names);
  const parts = [events, people, board, messages];
  let isOpen = true;
  /** The last event before the connection was lost. */
  let lostAt = null;

  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    stop();
    names.close();
    board.close();
    connection.close();
    subscription.unsubscribe();
    byId("where").textContent = "";
    document.title = "Workroom live";
  };
  const gone = (text) => {
    close();
    show("gone");
    byId("gone-text").textContent = text;
  };

  const stop = workroom.on("status", (status) => {
    if (!isOpen) return;
    if (status.state !== "online") lostAt ??= subscription.place?.seq ?? null;
    people.follow(status);
    if (status.state === "offline") board.clear();
  });
  subscription.on("subscribed", ({ head }) => {
    events.begin(head);
    allow(subscription.role);
    names.refresh();
    workroom.get(`/projects/${projectId}`).then(({ name }) => isOpen && title(name), ignore);
  });
  subscription.on("event", (event) => {
    events.add(event);
    if (event.event_type === "MemberAdded") names.added();
    if (event.event_type === "ProjectUpdated" && event.data?.changes?.name) title(event.data.changes.name.to);
  });
  subscription.on("presence", ({ type, user_id: user }) => type === "presence.left" && board.left(user));
  subscription.on("caughtUp", ({ seq }) => {
    connection.caughtUp(lostAt === null ? 0 : Math.max(0, seq - lostAt));
    lostAt = null;
  });
  subscription.on("reset", ({ head }) => {
    lostAt = null;
    events.reset(head);
    connection.reset();
    names.added();
  });
  subscription.on("role", allow);
  subscription.on("error", (error) => {
    if (!isOpen || TOLD_ELSEWHERE.has(error.code) || subscription.state === "ended") return;
    connection.warn(sentence(error));
  });
  subscription.on("unsubscribed", ({ reason }) => {
    if (!isOpen || OWN.has(reason)) return;
    gone(GONE[reason] ?? "There is no such project, or you are not a member of it.");
  });

  onSubmit(byId("create-task"), async ({ title }, form) => {
    await workroom.post(`/projects/${projectId}/tasks`, { title: title.trim() });
    form.reset();
  });
  onSubmit(byId("add-member"), async ({ email, role }, form) => {
    const { status } = await workroom.post(`/projects/${projectId}/members`, { email: email.trim(), role });
    form.reset();
    return status === "invited" ? "They are invited: a mail is on its way." : "They are a member now.";
  });

  return close;
}

/** For what is read beside: that it could not be is no reason to disturb. */
function ignore() {}

function title(name) {
  byId("where").textContent = byId("room-title").textContent = name;
  byId("where").title = name;
  document.title = `${name} · Workroom live`;
}

/** What a role may not do cannot be pressed, and it says why. */
function allow(role) {
  const mayEdit = EDITORS.has(role);
  for (const form of [byId("create-task"), byId("say")]) {
    if (!form) return;
    for (const field of form.elements) field.disabled = !mayEdit;
    const wasLocked = form.dataset.locked === "true";
    form.dataset.locked = String(!mayEdit);
    const why = mayEdit ? null : `As ${role ?? "a visitor"} you can look, but not change anything.`;
    if (why || wasLocked) tell(form.querySelector(".problem"), why);
  }
  byId("add").hidden = role !== "owner";
}

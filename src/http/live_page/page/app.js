/** @module The page: who is signed in, and which view is shown. */

import { Workroom } from "./client/index.js";
import { byId, sentence, tell } from "./dom.js";
import { addressed, projects } from "./projects.js";
import { openRoom } from "./room.js";
import { signIn } from "./sign-in.js";
import { forget, keep, restore } from "./tokens.js";

/** Where the service is: this page lies in a folder of its own. */
const SERVICE = new URL("..", import.meta.url).href;
/** Back soon: somebody looks at it. */
const LIVE = { backoff: { min: 250, max: 5_000 } };

let workroom = null;
let me = null;
let closeView = () => {};

function connect(tokens) {
  const client = new Workroom({ url: SERVICE, tokens: tokens ?? undefined, live: LIVE });
  client.on("tokens", (pair) => client === workroom && (pair ? keep(pair) : forget()));
  client.on("signedOut", () => client === workroom && ask("Your session has ended."));
  client.on("error", (error) => console.error(error));
  workroom = client;
}

/** Leaves the view that is shown. */
function leave() {
  closeView();
  closeView = () => {};
}

/** Asks who it is. */
function ask(why) {
  leave();
  me = null;
  for (const id of ["whoami", "sign-out"]) byId(id).hidden = true;
  signIn(workroom, (account) => {
    me = account;
    view();
  });
  if (why) byId("sign-in-hint").textContent = `${why} Sign in again.`;
}

/** Shows what the address names. */
function view() {
  if (!me) return;
  leave();
  byId("sign-out").hidden = false;
  tell(byId("whoami"), me.full_name ?? me.username);
  byId("whoami").title = me.email ?? "";
  const project = addressed();
  if (project) closeView = openRoom(workroom, project, me);
  else projects(workroom);
}

/** The page forgets the session at once, whatever the service says to it. */
function signOut() {
  const old = workroom;
  leave();
  forget();
  connect(null);
  // Whoever signs in next begins with their own projects.
  history.replaceState(null, "", location.pathname);
  ask(null);
  const told = old.signOut().catch(() => {
    tell(byId("sign-in-hint"), "You are signed out here. The service could not be told: there it ends in time.");
  });
  told.finally(() => old.close());
}

async function start() {
  const tokens = await restore();
  connect(tokens);
  byId("sign-out").addEventListener("click", signOut);
  addEventListener("hashchange", view);
  if (!tokens) return ask(null);
  try {
    me = await workroom.get("/auth/me");
    view();
  } catch (error) {
    // A session that has ended has asked already.
    if (!workroom.isSignedIn) return;
    byId("splash").textContent = `${sentence(error)} Reload the page to try again.`;
  }
}

start();

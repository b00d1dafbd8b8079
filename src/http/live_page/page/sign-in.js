/** @module Signing in, and creating an account. */

import { byId, onSubmit, show } from "./dom.js";

/** Shows the form; calls `onDone(account)` once somebody is signed in. */
export function signIn(workroom, onDone) {
  show("sign-in");
  const form = byId("sign-in");
  const { full_name: name, email, password } = form.elements;
  let isNew = false;
  byId("switch").addEventListener("click", () => {
    isNew = !isNew;
    const verb = isNew ? "Create account" : "Sign in";
    byId("sign-in-title").textContent = verb;
    byId("submit").textContent = verb;
    byId("name-field").hidden = !isNew;
    byId("switch-text").textContent = isNew ? "You have an account?" : "No account yet?";
    byId("switch").textContent = isNew ? "Sign in" : "Create one";
    password.autocomplete = isNew ? "new-password" : "current-password";
    (isNew ? name : email).focus();
  });
  onSubmit(form, async ({ full_name, email, password }) => {
    const credentials = { email: email.trim(), password };
    if (isNew) await workroom.post("/auth/register", { ...credentials, full_name: full_name.trim() || undefined });
    onDone(await workroom.signIn(credentials));
  });
  email.focus();
}

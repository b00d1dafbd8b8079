/** @module Elements and forms. Text goes into the page as text only. */

import { WorkroomError } from "./client/index.js";

/** After this time a form says that it still tries. */
const PATIENCE = 1_500;

export const byId = (id) => document.getElementById(id);

/** An element with attributes (`text`, `class`, …) and children. */
export function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Shows a view: a copy of its template, so that nothing of an earlier one stays. The heading gets the focus. */
export function show(name) {
  const main = byId("main");
  main.replaceChildren(byId(`view-${name}`).content.cloneNode(true));
  main.dataset.view = name;
  main.querySelector("h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Shows a text, or hides the place of it. */
export function tell(place, text) {
  if (!place) return;
  place.textContent = text ?? "";
  place.hidden = !text;
}

/** What went wrong, in a sentence. */
export function sentence(error) {
  if (!(error instanceof WorkroomError)) return `Something in this page failed: ${error?.message ?? error}`;
  if (error.code === "network" || error.code === "timeout") return "The service cannot be reached. Try again later.";
  if (error.errors.length) return error.errors.map(({ pointer, detail }) => `${words(pointer)}: ${detail}`).join(". ");
  const text = error.detail.charAt(0).toUpperCase() + error.detail.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function words(pointer) {
  const name = String(pointer).split("/").filter(Boolean).pop() ?? "The request";
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
}

/**
 * Runs `action(values, form)` when the form is sent; once at a time. Shows what is wrong beside the fields.
 * A text that `action` returns is shown as done.
 */
export function onSubmit(form, action) {
  const [problem, done] = [form.querySelector(".problem"), form.querySelector(".done")];
  let isBusy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    clear(form);
    const empty = [...form.elements].find((field) => field.required && !field.value.trim());
    if (empty) return mark(empty, problem, "Fill in this field.");
    isBusy = true;
    form.setAttribute("aria-busy", "true");
    const patience = setTimeout(() => tell(done, "No answer yet. It is sent again until there is one…"), PATIENCE);
    try {
      tell(done, await action(Object.fromEntries(new FormData(form)), form));
      if (done && !done.hidden) done.scrollIntoView({ block: "nearest" });
    } catch (error) {
      tell(done, null);
      const field = error.errors?.map(({ pointer }) => form.elements[String(pointer).slice(1)]).find(Boolean);
      mark(field, problem, sentence(error));
      if (!(error instanceof WorkroomError)) console.error(error);
    } finally {
      clearTimeout(patience);
      form.removeAttribute("aria-busy");
      isBusy = false;
    }
  });
}

function mark(field, problem, text) {
  if (!problem) return;
  tell(problem, text);
  if (field) {
    problem.id ||= `problem-${field.form.id}`;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", problem.id);
    field.focus();
  }
  problem.scrollIntoView({ block: "nearest" });
}

function clear(form) {
  tell(form.querySelector(".problem"), null);
  tell(form.querySelector(".done"), null);
  for (const field of form.elements) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/** Calls `draw` before the next picture, once however often it is asked for. */
export function drawer(draw) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame((now) => {
      isDue = false;
      draw(now);
    });
  };
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** A time of day; of another day with its date. */
export function timeOf(value) {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return element("span", { text: "?" });
  const isToday = at.toDateString() === new Date().toDateString();
  const text = isToday ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
  return element("time", { datetime: at.toISOString(), title: full.format(at), text });
}

export const timeText = (value) => clock.format(new Date(value));

/** @module Choosing a project, and creating one. */

import { byId, element, onSubmit, sentence, show, tell } from "./dom.js";

const PAGE = 50;

export function projects(workroom) {
  show("projects");
  const list = byId("projects");
  const more = byId("more-projects");
  let cursor;

  const load = async () => {
    more.hidden = true;
    list.setAttribute("aria-busy", "true");
    tell(byId("projects-problem"), null);
    try {
      const page = await workroom.get("/projects", { query: { limit: PAGE, cursor } });
      if (!list.isConnected) return;
      list.append(...page.items.map(line));
      cursor = page.next_cursor;
      more.hidden = !cursor;
      more.textContent = "Show more";
      byId("no-projects").hidden = list.childElementCount > 0;
    } catch (error) {
      if (!list.isConnected) return;
      tell(byId("projects-problem"), sentence(error));
      more.textContent = "Try again";
      more.hidden = false;
    } finally {
      list.removeAttribute("aria-busy");
    }
  };

  more.addEventListener("click", load);
  onSubmit(byId("create-project"), async ({ name }) => {
    const { id } = await workroom.post("/projects", { name: name.trim() });
    if (list.isConnected) location.hash = address(id);
  });
  load();
}

/** The address of a project within this page. */
export const address = (id) => `#/projects/${id}`;

/** The project that the address names, if it names one. */
export const addressed = () => /^#\/projects\/([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;

function line({ id, name, role, member_count: members, status }) {
  const facts = [role ?? "visitor", members === 1 ? "1 member" : `${members} members`, status.replaceAll("_", " ")];
  const link = element("a", { href: address(id) });
  link.append(element("strong", { text: name }), element("span", { class: "hint", text: facts.join(" · ") }));
  return element("li", {}, link);
}

/** @module A colour for each account: the same for everybody who looks, and in light and dark. */

import { element } from "./dom.js";

/** An angle on the colour wheel. The style sheet makes colours of it that can be read. */
export function hueOf(id) {
  let hash = 2_166_136_261;
  for (const char of id) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619);
  return Math.round(((hash >>> 0) % 997) * 137.508) % 360;
}

/** Gives an element the colour of an account. */
export function paint(element, id) {
  element.style.setProperty("--hue", hueOf(id));
  return element;
}

/** A round sign for an account: a colour, and letters of its name. It says nothing that the name beside it does not. */
export function faceOf(id, name) {
  return paint(element("span", { class: "face", "aria-hidden": "true", text: initials(name) }), id);
}

function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1);
  return chosen.map((word) => String.fromCodePoint(word.codePointAt(0)).toLocaleUpperCase()).join("") || "?";
}

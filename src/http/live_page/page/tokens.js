/**
 * @module Where the tokens of this tab are kept.
 *
 * In `sessionStorage`: a reload stays signed in, and the end of the tab ends it. `localStorage` would be shared by all
 * tabs, but each refresh token can be used once: two tabs with one pair would end each other's session. For the same
 * reason a tab that was duplicated, and so has a copy, has to sign in for itself: the first holds the lock of the pair.
 */

const KEY = "workroom.live";
/** How long a lock may take: a reload gets it as soon as the page before it is gone. */
const WAIT = 1_500;

let id = null;

/** The tokens of this tab, if it is the one that signed in. */
export async function restore() {
  const kept = read();
  if (!kept) return null;
  if (!(await hold(kept.id))) {
    forget();
    return null;
  }
  id = kept.id;
  return kept.tokens;
}

/** Keeps a pair. */
export function keep(tokens) {
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("");
    hold(id);
  }
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ id, tokens }));
  } catch {
    // Storage is blocked: the sign-in lasts until the page is left.
  }
}

export function forget() {
  id = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is nothing kept, then.
  }
}

function read() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return typeof kept?.tokens?.access_token === "string" && typeof kept.id === "string" ? kept : null;
  } catch {
    return null;
  }
}

/** Holds the lock of a pair as long as the page lives. Without TLS there are no locks: there a copy is not noticed. */
function hold(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    const signal = AbortSignal.timeout(WAIT);
    navigator.locks.request(`${KEY}.${name}`, { signal }, held).catch(() => resolve(false));
  });
}

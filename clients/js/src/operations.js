/** @module What the service's operations allow: which take a position, which take a key, and what may be sent again. */

/** Reads that take `min_position`; everywhere else it is an unknown parameter, and refused. */
const POSITIONED = [/^\/(projects|organizations|jobs|schedules)(\/|$)/, /^\/auth\/(me|me\/events|me\/events\/[^/]+|me\/events\/[^/]+\/proof|sessions|tokens|tokens\/[^/]+)$/];
const UNPOSITIONED = [/\/events\/stream$/];

/** Whether a GET of this path takes `min_position`. */
export function takesPosition(path) {
  const name = bare(path);
  return POSITIONED.some((pattern) => pattern.test(name)) && !UNPOSITIONED.some((pattern) => pattern.test(name));
}

/** The POSTs that create, and so keep their reply under an `Idempotency-Key`. */
const KEYED = [
  /^\/auth\/(register|tokens)$/,
  /^\/(jobs|organizations|projects|schedules)$/,
  /^\/jobs\/(cancel|retry|delete)$/,
  /^\/realtime\/tickets$/,
  /^\/(organizations\/[^/]+|projects\/[^/]+|auth\/me)\/events\/[^/]+\/redact$/,
  /^\/organizations\/[^/]+\/members$/,
  /^\/projects\/[^/]+\/(members|tasks|webhooks|workspaces)$/,
  /^\/projects\/[^/]+\/webhooks\/[^/]+\/(secret|deliveries\/[^/]+\/redeliver)$/,
  /^\/projects\/[^/]+\/tasks\/[^/]+\/comments$/,
  /^\/projects\/[^/]+\/workspaces\/[^/]+\/files$/,
];

/** Whether a POST to this path heeds `Idempotency-Key`. */
export function takesKey(path) {
  const name = bare(path);
  return KEYED.some((pattern) => pattern.test(name));
}

/**
 * Whether a request may be sent again when nobody knows whether it was carried out.
 *
 * A POST may where the service remembers its key. A PATCH may with `If-Match`: once carried out, the version has changed, and the
 * second is refused with 412. Without, it could undo what somebody else changed in between.
 */
export function isRepeatable(method, path, { ifMatch } = {}) {
  if (method === "POST") return takesKey(path);
  if (method === "PATCH") return ifMatch !== undefined;
  return ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"].includes(method);
}

/** Refusals before anything was done: whatever the request is, it may be sent again. */
const REFUSED_BEFORE = new Set([
  "overloaded", "unavailable", "not-ready", "sign-ins-busy", "issuer-away", "contended", "body-timeout", "too-many-requests",
  "too-many-sockets", "too-many-invitations",
]);

/**
 * What a failed attempt means.
 * @returns {{retry: boolean, uncertain: boolean}} whether to send it again; whether it may have been carried out
 */
export function judge(error, repeatable) {
  const { status, code } = error;
  if (REFUSED_BEFORE.has(code)) return { retry: true, uncertain: false };
  // Somebody guesses passwords from here: asking again makes it longer.
  if (code === "too-many-attempts") return { retry: false, uncertain: false };
  if (status === 429) return { retry: true, uncertain: false };
  // The first attempt still runs: its reply is had under the same key.
  if (code === "request-in-progress") return { retry: repeatable, uncertain: true };
  if (status === 0) return { retry: !error.uncertain || repeatable, uncertain: error.uncertain };
  if ([502, 503, 504].includes(status)) return { retry: repeatable, uncertain: true };
  return { retry: false, uncertain: status >= 500 };
}

/** Failures of `fetch` in Node after which the service cannot have got anything. Browsers do not tell. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

/** Whether a request may have been received, though `fetch` failed with this. */
export function mayHaveArrived(error) {
  const cause = error?.cause;
  const causes = cause?.errors ?? [cause];
  return !causes.every((one) => NEVER_SENT.has(one?.code));
}

function bare(path) {
  return path.split(/[?#]/, 1)[0];
}

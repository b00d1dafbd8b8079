/** @module What goes wrong, in one class. */

/**
 * A refusal of the service, or a failure on the way to it.
 * `status` is the HTTP status; 0 where there was no reply. `code` stays the same between versions: programs read it.
 */
export class WorkroomError extends Error {
  /** @param {object} what */
  constructor({ status = 0, code, detail, errors = [], requestId = null, retryAfter = null, uncertain = false, cause }) {
    super(detail ?? code, cause === undefined ? undefined : { cause });
    this.name = "WorkroomError";
    this.status = status;
    this.code = code;
    this.detail = detail ?? code;
    /** The fields that do not hold: `{pointer, code, detail}`. */
    this.errors = errors;
    this.requestId = requestId;
    /** Seconds to wait before the next attempt, if the service said so. */
    this.retryAfter = retryAfter;
    /** Whether the request, or an earlier attempt of it, may have been carried out all the same. */
    this.uncertain = uncertain;
  }

  /** The request never got a reply. */
  static network(cause, uncertain) {
    const detail = `the service cannot be reached: ${cause?.cause?.message || cause?.message || cause}`;
    return new WorkroomError({ code: "network", detail, uncertain, cause });
  }

  /** From a reply that is none of success. */
  static async fromResponse(response) {
    let problem = {};
    try {
      const body = JSON.parse(await response.text());
      if (body && typeof body === "object") problem = body;
    } catch {
      // A proxy's page, or a body that was cut: the status says enough.
    }
    const { code = "unknown", detail = `the service replied with ${response.status}`, errors, instance } = problem;
    return new WorkroomError({
      status: response.status,
      code,
      detail,
      errors,
      requestId: instance ?? response.headers.get("x-request-id"),
      retryAfter: retryAfter(response.headers.get("retry-after")),
    });
  }
}

/** Seconds, from either form of `Retry-After` (RFC 9110, 10.2.3). */
export function retryAfter(value) {
  if (!value) return null;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

/** The status that a code of the WebSocket protocol would have over HTTP. */
const STATUS = {
  bad_request: 400,
  too_large: 413,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  already_subscribed: 409,
  not_subscribed: 409,
  too_many_subscriptions: 429,
  too_many_messages: 429,
  unavailable: 503,
  internal: 500,
};

/** From an `error` frame. */
export function fromFrame({ code, detail }) {
  return new WorkroomError({ status: STATUS[code] ?? 0, code, detail });
}

/**
 * Calls to the service, with a token that is renewed before it is over and when it is refused.
 * @typedef {{total: number, critical: number, warning: number, info: number, unjudged: number}} Unread
 * @typedef {{id: string, user_id: string, title: string, text: string, source: string | null, link: string | null,
 *   data: Record<string, unknown> | null, created_at: string, read_at: string | null, deleted_at: string | null,
 *   version: number, processing_status: string, category: string | null, confidence: number | null,
 *   keywords: string[] | null, analyzer: string | null, analyzed_at: string | null, error: string | null}} Notification
 * @typedef {{token: string, expires_at?: string}} Grant
 * @typedef {(renew: boolean) => string | Grant | null | undefined | Promise<string | Grant | null | undefined>} GetToken
 */

const PATIENCE = 20_000;
/** A token with less time left than this (milliseconds) is renewed before it is used. */
const MARGIN = 30_000;

/** How far the clock here is behind that of the service, in milliseconds. */
let lag = 0;

/** @returns {number} the time of the service, in milliseconds since 1970: clocks of laptops may be wrong by hours */
export const serviceTime = () => Date.now() + lag;

/** What a call came to when it did not succeed; `code` is the service's word for it, or one of ours. */
export class ApiError extends Error {
  /** @param {string} code @param {string} detail @param {number} [status] 0 if there was no answer */
  constructor(code, detail, status = 0) {
    super(detail);
    this.code = code;
    this.status = status;
    /** Whether the same call may succeed later. */
    this.passes = status < 400 || status === 429 || (status >= 500 && status < 1_000);
  }
}

/** @param {unknown} error @returns {never} */
function unreachable(error) {
  throw error instanceof ApiError ? error : new ApiError("unreachable", String(error));
}

/** @param {string | null} token an inbox token (a JWT) @returns {{sub?: string, exp?: number}} what it says of itself; only the service verifies it */
export function claimsOf(token) {
  try {
    return Object(JSON.parse(atob(String(token).split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))));
  } catch {
    return {};
  }
}

/** The token of the moment, from whoever gives tokens. */
export class Credential {
  /** @type {Grant | null} */ #grant = null;
  /** @type {Promise<Grant> | null} */ #asked = null;
  /** Milliseconds since 1970. */ #expires = Infinity;

  /** @param {GetToken} getToken asked with true when the last token is not good any more */
  constructor(getToken) {
    this.getToken = getToken;
  }

  /** @param {boolean} [renew] @returns {Promise<string>} */
  async token(renew = false) {
    const known = this.#grant;
    if (known && !renew && this.#expires - Date.now() > MARGIN) return known.token;
    this.#asked ??= this.#ask(known !== null).finally(() => this.#asked = null);
    return (await this.#asked).token;
  }

  /** @param {boolean} renew @returns {Promise<Grant>} */
  async #ask(renew) {
    const given = await Promise.resolve().then(() => this.getToken(renew)).catch(unreachable);
    const grant = typeof given === "string" ? { token: given } : given;
    if (!grant?.token) throw new ApiError("signed_out", "", 401);
    const expires = Date.parse(grant.expires_at ?? "");
    // A clock that is wrong here makes new tokens look old; then only the service can tell.
    this.#expires = expires - Date.now() > MARGIN ? expires : Infinity;
    return this.#grant = grant;
  }
}

/** The calls of version 1. */
export class Api {
  /** @param {URL} base where the service is @param {Credential} credential */
  constructor(base, credential) {
    this.base = new URL("api/v1/", base);
    this.credential = credential;
  }

  /**
   * @param {string} method @param {string} path below /api/v1/ @param {object} [body] @param {AbortSignal} [signal]
   * @returns {Promise<any>} what was answered, null if that was nothing
   */
  async call(method, path, body, signal) {
    let response = await this.#send(method, path, body, signal, await this.credential.token());
    if (response.status === 401) {
      response = await this.#send(method, path, body, signal, await this.credential.token(true));
    }
    if (response.status === 204) return null;
    // What broke off is as good as none; errors need no body.
    const answer = await response.json().catch(response.ok ? unreachable : () => ({}));
    if (response.ok) return answer;
    const code = response.status === 401 ? "signed_out" : answer.code ?? "";
    throw new ApiError(code, answer.detail ?? `HTTP ${response.status}`, response.status);
  }

  /** @param {string} method @param {string} path @param {object | undefined} body @param {AbortSignal | undefined} signal @param {string} token */
  async #send(method, path, body, signal, token) {
    const late = AbortSignal.timeout(PATIENCE);
    const response = await fetch(new URL(path, this.base), {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late]) : late,
      cache: "no-store", // what is in an inbox does not stay on the disk
    }).catch(unreachable);
    const time = Date.parse(response.headers.get("Date") ?? "");
    if (time) lag = time - Date.now();
    return response;
  }
}

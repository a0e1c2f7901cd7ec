import { claimsOf } from "./api.js";

/**
 * What is known of an inbox: what the service said, and on top of it what the reader just did.
 * @import { Api, Notification, Unread } from "./api.js"
 * @import { Message } from "./connection.js"
 * @typedef {{changes: Partial<Notification>, version: number | null}} Patch `version`: the one at which the service
 *   did it, null while it is asked
 */

/** How many are known before those that are not used are forgotten. */
const ROOM = 500;

/** @param {Notification} one @returns {keyof Unread} the count of unread ones that it belongs to */
const countOf = (one) => /** @type {keyof Unread} */ (one.category ?? "unjudged");

export class Store {
  /** @type {Map<string, Notification>} */ #known = new Map();
  /** @type {Map<string, Patch>} */ #patches = new Map();
  /** @type {Map<string, Promise<unknown>>} */ #turns = new Map();
  /** @type {Unread | null} */ #unread = null;
  #room = ROOM;
  /** @type {string | null} */ position = null;
  /** The position up to which everything was on the screen, or within a scroll of it. @type {string | null} */
  shown = null;

  /**
   * @param {Api} api
   * @param {string | null} user whose inbox; the user of the token if left out
   * @param {(id: string | null) => void} onChange called with what changed, null for the counts alone
   */
  constructor(api, user, onChange) {
    this.api = api;
    this.user = user ?? "";
    this.onChange = onChange;
  }

  /** @param {string} id @returns {Notification | null} as the reader is to see it; null if unknown or deleted */
  get(id) {
    const known = this.#known.get(id);
    if (!known) return null;
    const one = { ...known, ...this.#patches.get(id)?.changes };
    return one.deleted_at ? null : one;
  }

  /** @param {string} id @returns {boolean} whether it is known to be deleted */
  lacks(id) {
    return !this.get(id) && this.#known.has(id);
  }

  /** @returns {Unread | null} the service's counts, and what the reader did that is not in them yet */
  get unread() {
    if (!this.#unread) return null;
    const counts = { ...this.#unread };
    for (const [id, { changes }] of this.#patches) {
      const before = this.#known.get(id);
      if (!before) continue;
      const after = { ...before, ...changes };
      const delta = Number(!after.read_at && !after.deleted_at) - Number(!before.read_at && !before.deleted_at);
      counts[countOf(before)] += delta;
      counts.total += delta;
    }
    return counts;
  }

  /** @param {Notification} one @returns {boolean} false if something newer was known */
  merge(one) {
    const known = this.#known.get(one.id);
    if (known && known.version > one.version) return false;
    this.#known.set(one.id, one);
    const patch = this.#patches.get(one.id);
    if (patch && this.#isDone(patch, one)) this.#patches.delete(one.id);
    return true;
  }

  /** @param {Message} message of the stream */
  apply(message) {
    this.position = message.position ?? this.position;
    if (message.unread) this.#unread = message.unread;
    if (message.notification && this.merge(message.notification)) this.onChange(message.notification.id);
    else if (message.unread) this.onChange(null);
  }

  /** Learn position and counts, before anything is listed. */
  async open() {
    this.user ||= claimsOf(await this.api.credential.token()).sub ?? "";
    const inbox = await this.api.call("GET", `inboxes/${this.user}`);
    this.position = inbox.position;
    this.#unread = inbox.unread;
    this.onChange(null);
  }

  /** Whether it is time to `prune`. */
  get isFull() {
    return this.#known.size > this.#room;
  }

  /** @param {string[]} ids forget the others; only while nothing is under way, else an old answer would look new */
  prune(ids) {
    const used = new Set(ids);
    for (const id of this.#known.keys()) if (!used.has(id) && !this.#patches.has(id)) this.#known.delete(id);
    this.#room = this.#known.size + ROOM;
  }

  /**
   * Show `changes` at once, ask the service for them, and take them back if it refuses. Calls for one notification
   * are made one after the other.
   * @param {string} id @param {Partial<Notification>} changes @param {() => Promise<Notification | null>} call
   */
  async act(id, changes, call) {
    /** @type {Patch} */
    const patch = { changes, version: null };
    this.#patches.set(id, patch);
    this.onChange(id);
    const turn = (this.#turns.get(id) ?? Promise.resolve()).catch(() => {}).then(call);
    this.#turns.set(id, turn);
    try {
      const answer = await turn;
      // The stream brings it, with the counts; until then the patch stands for it.
      patch.version = answer?.version ?? null;
      const known = this.#known.get(id);
      if (known && this.#isDone(patch, known)) this.#drop(id, patch);
    } catch (error) {
      this.#drop(id, patch);
      throw error;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  /** @param {Patch} patch @param {Notification} known @returns {boolean} whether `known` has it: a deletion has no version */
  #isDone({ changes, version }, known) {
    return version ? version <= known.version : Boolean(changes.deleted_at && known.deleted_at);
  }

  /** @param {string} id @param {Patch} patch */
  #drop(id, patch) {
    if (this.#patches.get(id) !== patch) return;
    this.#patches.delete(id);
    this.onChange(id);
  }
}

/**
 * Which notifications a reader looks at, and in which order. What comes while he reads moves nothing that he sees.
 * @import { ApiError, Notification } from "./api.js"
 * @import { Store } from "./store.js"
 * @typedef {{category: string, unread: boolean, q: string, order: string}} Query empty texts stand for everything
 * @typedef {{calm: () => boolean, viewport: {visible: string[]}}} Reader `calm`: nobody reads just now; `visible`:
 *   what is on the screen, from top to bottom
 */

const PAGE = 50;
/** Rows that are loaded anew at most, and beyond which what comes waits; a reader who scrolls may have more. */
const MOST = 1_000;
/** @type {Record<string, number>} */
const SEVERITY = { critical: 3, warning: 2, info: 0 };

/** @param {Notification} one */
const severityOf = (one) => one.category ? SEVERITY[one.category] : 1;

export class Rows {
  /** Ids in order. @type {string[]} */ ids = [];
  /** Came while he read, and is not in its place yet. @type {Set<string>} */ held = new Set();
  /** Is in its place, which he has not seen since. @type {Set<string>} */ fresh = new Set();
  /** @type {ApiError | null} */ error = null;
  loading = false;
  /** Whether the first page is there. */ loaded = false;
  /** What each row was sorted by. @type {Map<string, string>} */ #keys = new Map();
  /** Deleted or no longer of this view, and on the screen. @type {Set<string>} */ #stale = new Set();
  /** Changed while a page was under way, which may not know. @type {Set<string>} */ #missed = new Set();
  /** @type {string | null} */ #cursor = null;
  /** @type {AbortController | null} */ #load = null;

  /** @param {Store} store @param {Query} query @param {Reader} reader @param {() => void} onChange */
  constructor(store, query, reader, onChange) {
    this.store = store;
    this.query = query;
    this.reader = reader;
    this.onChange = onChange;
  }

  get complete() {
    return this.loaded && this.#cursor === null;
  }

  /** How many wait for the reader to look. */
  get news() {
    return this.held.size + this.fresh.size;
  }

  /** What has to be known to show it. */
  get used() {
    return [...this.ids, ...[...this.held].slice(0, PAGE)];
  }

  close() {
    this.#load?.abort();
  }

  /** Load the first pages anew, as far as `through`, and then show them in place of what there was. @param {string} [through] */
  async reload(through) {
    this.#load?.abort();
    await this.#run(async (signal) => {
      /** @type {Notification[]} */ const found = [];
      /** @type {string | null} */ let cursor = null;
      do {
        const page = await this.#page(cursor, signal);
        found.push(...page.items);
        cursor = page.next_cursor;
      } while (cursor && through && found.length < MOST && !found.some(({ id }) => id === through));
      const seen = new Set(this.ids.filter((id) => !this.fresh.has(id)));
      this.#forget();
      this.ids = [];
      this.#keys.clear();
      this.#cursor = cursor;
      this.loaded = true;
      this.#append(found);
      // What comes before all that was there is news to who reads on.
      for (const id of this.ids) {
        if (!through || seen.has(id)) break;
        this.fresh.add(id);
      }
    });
  }

  async more() {
    if (this.loading || this.error || this.complete || !this.loaded) return;
    await this.#run(async (signal) => {
      const page = await this.#page(this.#cursor, signal);
      this.#cursor = page.next_cursor;
      this.#append(page.items);
    });
  }

  /** Try again what failed. */
  retry() {
    this.error = null;
    return this.loaded ? this.more() : this.reload();
  }

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  async #run(work) {
    const load = this.#load = new AbortController();
    this.loading = true;
    this.error = null;
    this.onChange();
    try {
      await work(load.signal);
    } catch (error) {
      if (!load.signal.aborted) this.error = /** @type {ApiError} */ (error);
    }
    if (load !== this.#load || load.signal.aborted) return;
    this.loading = false;
    for (const id of this.#missed) this.take(id);
    this.#missed.clear();
    this.onChange();
  }

  /** @param {string | null} cursor @param {AbortSignal} signal */
  async #page(cursor, signal) {
    const { category, unread, q, order } = this.query;
    const asked = new URLSearchParams({ user_id: this.store.user, limit: String(PAGE), order });
    if (category) asked.set(category === "failed" ? "status" : "category", category);
    if (unread) asked.set("read", "false");
    if (q) asked.set("q", q);
    if (cursor) asked.set("cursor", cursor);
    const page = await this.store.api.call("GET", `notifications?${asked}`, undefined, signal);
    signal.throwIfAborted();
    return page;
  }

  /** @param {Notification[]} found */
  #append(found) {
    for (const one of found) {
      this.store.merge(one);
      const known = this.store.get(one.id);
      if (known && !this.#keys.has(one.id)) this.#place(known);
    }
  }

  /** Take note that a notification changed. @param {string} id */
  take(id) {
    if (this.loading) this.#missed.add(id);
    if (!this.loaded) return;
    const one = this.store.get(id);
    const wanted = one !== null && this.#matches(one);
    const placed = this.#keys.get(id);
    if (placed !== undefined) this.#stale.delete(id);
    if (wanted && placed === this.#keyOf(one)) return;
    if (placed === undefined) {
      if (wanted && !this.query.q) this.#welcome(one);
      else this.held.delete(id);
    } else if (!one) this.#remove(id);
    else if (this.reader.calm() || !this.reader.viewport.visible.includes(id)) {
      this.#remove(id);
      if (wanted) this.#welcome(one, false);
    } else this.#stale.add(id);
  }

  /** Put what is known where it belongs now. @param {string} [only] @returns {string | undefined} the first of what is new */
  settle(only) {
    const news = new Set([...this.held, ...this.fresh]);
    if (!only) this.fresh.clear();
    for (const id of only ? [only] : [...this.#stale, ...this.held]) {
      const one = this.store.get(id);
      if (!one && this.held.has(id)) continue;
      this.#remove(id);
      if (one && this.#matches(one) && this.#isReached(this.#keyOf(one))) this.#place(one);
    }
    return this.ids.find((id) => news.has(id));
  }

  /** Settle while nobody reads, when a list that is long, or lacks what was forgotten, may begin with one page again. */
  rest() {
    this.settle();
    if (!this.loading && (this.held.size || this.ids.length > MOST / 2)) this.reload();
  }

  #forget() {
    for (const set of [this.held, this.fresh, this.#stale]) set.clear();
  }

  /** @param {Notification} one @param {boolean} [isNew] */
  #welcome(one, isNew = true) {
    const key = this.#keyOf(one);
    if (!this.#isReached(key)) return;
    const calm = this.reader.calm();
    const seen = this.reader.viewport.visible.map((id) => this.#keys.get(id)).filter((found) => found !== undefined);
    const above = !seen.length || key > seen[0], below = key < (seen.at(-1) ?? key);
    if (isNew && this.ids.length >= MOST) this.held.add(one.id);
    else if (calm || above || below) {
      this.#place(one);
      this.held.delete(one.id);
      if (!calm && isNew && above) this.fresh.add(one.id);
    } else if (isNew) this.held.add(one.id);
    else this.#stale.add(one.id);
  }

  /** @param {Notification} one @returns {boolean} */
  #matches(one) {
    const { category, unread } = this.query;
    if (unread && one.read_at) return false;
    return !category || category === (category === "failed" ? one.processing_status : one.category);
  }

  /** @param {Notification} one @returns {string} a text that sorts as the list does, the first the greatest */
  #keyOf(one) {
    if (this.query.order === "relevance") return this.#keys.get(one.id) ?? String(1e9 - this.ids.length);
    return (this.query.order === "severity" ? severityOf(one) : "") + one.id;
  }

  /** @param {string} key @returns {boolean} whether its place is within what was loaded */
  #isReached(key) {
    return this.#cursor === null || !this.ids.length ||
      key > /** @type {string} */ (this.#keys.get(/** @type {string} */ (this.ids.at(-1))));
  }

  /** @param {string} key @returns {number} where it belongs */
  #indexOf(key) {
    let low = 0, high = this.ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {string} */ (this.#keys.get(this.ids[middle])) > key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {string | null} id */
  has(id) {
    return this.#keys.has(id ?? "");
  }

  /** @param {string} id @returns {number} the severity under which it stands, which may be an earlier one */
  severityOf(id) {
    return Number(this.#keys.get(id)?.[0]);
  }

  /** @param {Notification} one */
  #place(one) {
    const key = this.#keyOf(one);
    this.ids.splice(this.#indexOf(key), 0, one.id);
    this.#keys.set(one.id, key);
  }

  /** @param {string} id */
  #remove(id) {
    if (this.#keys.delete(id)) this.ids.splice(this.ids.indexOf(id), 1);
    for (const set of [this.held, this.fresh, this.#stale]) set.delete(id);
  }
}

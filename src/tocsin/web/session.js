// As in tocsin-inbox.js, what is alike stands together.
import { DetailView } from "./detail-view.js";
import { fill, h } from "./dom.js";
import { Toasts } from "./toasts.js";
import { Rows } from "./rows.js";
import { explain, ListView } from "./list-view.js";
import { Toolbar } from "./toolbar.js";
import { Actions } from "./actions.js";
import { refresh } from "./verdict.js";
import { usualOrder } from "./address.js";
import { Connection } from "./connection.js";
import { Store } from "./store.js";
import { Bell, Choice } from "./bell.js";
import { Crier } from "./crier.js";

/**
 * One reader at one inbox: what is known, what is shown of it, and what keeps the two together.
 * @import { Address } from "./address.js"
 * @import { Api, ApiError } from "./api.js"
 * @import { Message } from "./connection.js"
 * @import { Query } from "./rows.js"
 * @import { Words } from "./words.js"
 * @typedef {{root: ShadowRoot, user: string | null, words: Words, address: Address, emit: (name: string, detail?: unknown) => void}} Host
 */

const TICK = 15_000;

export class Session {
  /** What has the cursor. @type {string | null} */ current = null;
  /** What is read. @type {string | null} */ opened = null;
  /** What could not be got, to be read. */ missing = "";
  /** Whether all are being marked read. */ marking = false;
  bell = new Bell();
  /** Whether single characters are commands. */ letters = new Choice("keys", true);
  toasts = new Toasts();
  crier = new Crier(this);
  help = h("dialog", { class: "help" });
  /** What is to take the place of `rows`. @type {Rows | null} */ #next = null;
  /** Why there is no connection, if that stays so. @type {ApiError | undefined} */ #stopped;
  #counts = "";
  #frame = 0;
  /** @type {number | undefined} */ #ticking;
  #end = new AbortController();

  /** @param {Host} host @param {Api} api */
  constructor(host, api) {
    this.host = host;
    this.words = host.words;
    this.api = api;
    this.actions = new Actions(this);
    this.store = new Store(api, host.user, (id) => this.#onChange(id));
    this.list = new ListView(this);
    this.detail = new DetailView(this);
    this.toolbar = new Toolbar(this);
    this.connection = new Connection(
      this.store,
      (message) => this.#onMessage(message),
      (error) => this.#onState(error),
    );
    const { query, opened } = host.address.read();
    this.rows = this.#rowsFor(query);
    this.opened = this.current = opened;
    this.list.element.prepend(this.toolbar.filters);
    this.panes = h("div", { class: "panes" }, this.list.element, this.detail.element);
    this.frame = h("div", { class: "inbox", part: "inbox", tabindex: -1 }, this.toolbar.header, this.panes);
    this.help.onclose = () => this.keepFocus();
  }

  /** What is asked for, which may not be there yet. */
  get query() {
    return (this.#next ?? this.rows).query;
  }

  get busy() {
    return this.#next !== null;
  }

  /** How the connection is, as a key of words. */
  get line() {
    if (this.connection.state === "live") return "live";
    if (this.#stopped && !this.#stopped.passes) return "stopped";
    if (!navigator.onLine) return "offline";
    return this.connection.looks ? "looks" : "connecting";
  }

  get why() {
    return this.#stopped ? explain(this.#stopped, this.words) : "";
  }

  start() {
    const { root } = this.host;
    const { signal } = this.#end;
    fill(root, this.frame, this.toasts.element, this.toasts.aloud, this.help);
    for (const type of ["click", "input", "change"]) {
      root.addEventListener(type, (event) => this.actions.onEvent(event), { signal });
    }
    for (const type of ["online", "offline", "pageshow", "focus", "visibilitychange"]) {
      addEventListener(type, () => this.#tick(type), { signal });
    }
    addEventListener("popstate", () => this.#onAddress(), { signal });
    this.#ticking = setInterval(() => this.#tick("tick"), TICK);
    this.begin();
  }

  stop() {
    this.#end.abort();
    clearInterval(this.#ticking);
    cancelAnimationFrame(this.#frame);
    this.connection.stop();
    this.rows.close();
    this.#next?.close();
    this.list.viewport.close();
  }

  /** Learn where the inbox is, then list it and listen from there on. */
  async begin() {
    try {
      await this.store.open();
    } catch (error) {
      this.rows.error = /** @type {ApiError} */ (error);
      return this.#onState(this.rows.error);
    }
    if (this.#end.signal.aborted) return;
    this.connection.start();
    if (this.opened) this.fetch(this.opened);
    this.rows.reload();
  }

  /** Show other notifications. @param {Partial<Query>} change @param {boolean} [isTyping] */
  ask(change, isTyping = false) {
    const query = { ...this.query, ...change };
    if ("q" in change && (!change.q || !this.query.q)) query.order = usualOrder(query);
    this.#load(query);
    this.host.address.write(query, this.opened, !isTyping);
  }

  /** @param {Query} query */
  #load(query) {
    this.#next?.close();
    this.#next = this.#rowsFor(query);
    this.#next.reload();
    this.draw();
  }

  /** @param {Query} query @returns {Rows} */
  #rowsFor(query) {
    const rows = new Rows(this.store, query, this.list, () => this.#onRows(rows));
    return rows;
  }

  /** @param {Rows} rows */
  #onRows(rows) {
    if (rows === this.#next && !rows.loading) {
      this.rows.close();
      this.rows = rows;
      this.#next = null;
      this.list.viewport.reset();
    }
    if (rows === this.rows && !rows.loading) {
      this.#prune();
      this.crier.note(rows.ids);
      this.seen();
      if (rows.error?.code === "signed_out") this.#onState(rows.error);
    }
    this.schedule();
  }

  #prune() {
    if (!this.#next && !this.rows.loading) this.store.prune([...this.rows.used, this.opened ?? ""]);
  }

  /** @param {string | null} id */
  #onChange(id) {
    const { rows, list } = this;
    const at = rows.ids.indexOf(id ?? "");
    if (id) {
      rows.take(id);
      this.#next?.take(id);
    }
    if (at >= 0 && !rows.has(id)) {
      // Whoever stood there goes on with what takes its place.
      const isHere = list.viewport.element(/** @type {string} */ (id))?.matches(":focus-within");
      if (isHere || id === this.current) this.current = rows.ids[at] ?? rows.ids[at - 1] ?? null;
      if (isHere) this.rest();
    }
    const { unread } = this.store;
    const counts = JSON.stringify(unread);
    if (counts !== this.#counts) this.host.emit("tocsin-unread", unread);
    this.#counts = counts;
    this.schedule();
  }

  /** @param {Message} message */
  #onMessage(message) {
    const one = message.notification;
    const before = one && this.store.get(one.id);
    this.store.apply(message);
    const after = one && this.store.get(one.id);
    if (after) this.crier.tell(after, before?.category === "critical");
    if (message.type === "reset") this.reload();
    if (message.type === "hello") this.#retry();
    if (this.store.isFull) this.#prune();
    this.seen();
  }

  /** Note that everything that is known is on the screen, or within a scroll of it, if that is so. */
  seen() {
    const { news, loaded, loading } = this.rows;
    if (!document.hidden && !news && loaded && !loading) this.store.shown = this.store.position;
  }

  /** List anew, as far as the reader has come. */
  reload() {
    this.rows.reload(this.list.calm() ? undefined : this.list.viewport.visible.at(-1));
    if (this.opened) this.fetch(this.opened);
  }

  /** @param {string} id get one that may not be in the list */
  async fetch(id) {
    try {
      if (this.store.merge(await this.api.call("GET", `notifications/${id}`))) this.#onChange(id);
    } catch {
      this.missing = id;
      this.schedule();
    }
  }

  /** @param {ApiError} [error] why the connection stopped */
  #onState(error) {
    this.#stopped = error;
    if (error?.code === "signed_out") {
      this.connection.stop();
      this.host.emit("tocsin-signed-out");
    }
    this.schedule();
  }

  #onAddress() {
    const { query, opened } = this.host.address.read();
    this.toolbar.field.value = query.q;
    if (JSON.stringify(query) !== JSON.stringify(this.query)) this.#load(query);
    if (opened !== this.opened) this.actions.act(opened ? "open" : "leave", opened);
  }

  #retry() {
    if (this.rows.error?.passes) this.store.position ? this.rows.retry() : this.begin();
  }

  /** @param {string} type */
  #tick(type) {
    this.connection.wake(type);
    if (document.hidden) return;
    this.#retry();
    if (this.list.calm()) this.rows.rest();
    refresh(this.host.root, this.words);
    this.draw();
    this.seen();
  }

  /** Draw before the next frame. */
  schedule() {
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    const hadFocus = this.host.root.activeElement !== null;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.panes.classList.toggle("reading", this.opened !== null);
    this.toolbar.draw();
    this.list.draw();
    this.detail.draw();
    this.list.element.inert = this.isCovered;
    if (hadFocus) this.keepFocus();
  }

  /** Stay in the inbox, if what had the focus is gone, so that keys go on working. */
  keepFocus() {
    if (!this.host.root.activeElement?.checkVisibility()) this.frame.focus({ preventScroll: true });
  }

  /** Put the focus where the cursor is, else on the list. */
  rest() {
    const { current, rows, list } = this;
    if (current && rows.has(current)) return this.actions.focus(current);
    list.list.focus({ preventScroll: true });
    this.keepFocus();
  }

  /** Whether what is read lies over the list, as on a phone. */
  get isCovered() {
    return this.opened !== null && getComputedStyle(this.detail.element).position === "absolute";
  }
}

import { safeLink } from "./dom.js";
import { actionOf, showHelp } from "./keys.js";
import { explain } from "./list-view.js";

/**
 * What a reader can do, by name: buttons have these names, and keys ask for them.
 * @import { Notification } from "./api.js"
 * @import { Session } from "./session.js"
 */

const SEARCH_AFTER = 250;

export class Actions {
  /** Deleted here, the last at the end. @type {Notification[]} */ #deleted = [];
  /** @type {number | undefined} */ #typing;

  /** @param {Session} session */
  constructor(session) {
    this.s = session;
  }

  /** @param {Event} event of what was pressed or chosen */
  onEvent(event) {
    const { s } = this;
    const target = /** @type {HTMLInputElement} */ (event.target);
    if (event.type === "click") {
      const row = /** @type {HTMLElement | null} */ (target.closest(".row"));
      const id = row?.dataset.id ?? (target.closest(".bar") ? s.opened : null);
      const name = target.closest("button")?.name;
      if (name) this.act(name, id);
      else if (row && !getSelection()?.toString()) this.act("open", id);
    } else if (target.name === "q") {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#search(), event.type === "input" ? SEARCH_AFTER : 0);
    } else if (event.type === "change") {
      if (target.name === "order") s.ask({ order: target.value });
      else if (target.name === "keys") s.letters.set(target.checked);
    }
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const action = this.s.help.open ? undefined : actionOf(event, this.s.letters.on);
    if (!action) return;
    event.preventDefault();
    this.act(action);
  }

  /** @param {string} name @param {string | null} [id] of the notification, the current one if left out */
  act(name, id) {
    const { s } = this;
    const one = s.store.get(id ?? s.current ?? "");
    const link = safeLink(one && one.link);
    const [verb, category] = name.split("-");
    switch (verb) {
      case "next":
        return this.#move(1);
      case "previous":
        return this.#move(-1);
      case "open":
        return id && this.#open(id);
      case "enter":
        return one && this.#open(one.id, true);
      case "leave":
      case "close":
        return this.#leave(verb === "close");
      case "escape":
        return this.#escape();
      case "read":
        return one && this.#mark(one, !one.read_at);
      case "delete":
        return one && this.#delete(one);
      case "undo":
        return this.#undo();
      case "again":
        return one && this.#change(one, "judge_again", "/analysis", { processing_status: "pending", error: null });
      case "link":
        return link && open(link, "_blank", "noopener,noreferrer");
      case "search":
        return s.toolbar.field.select();
      case "category":
        return s.ask({ category });
      case "unread":
        return s.ask({ unread: !s.query.unread });
      case "order":
        return s.ask({ order: s.query.order === "severity" ? "newest" : "severity" });
      case "all":
        return category ? this.#markAll() : s.ask({ category: "", unread: false, q: "" });
      case "news":
        return this.#showNews();
      case "retry":
        return s.store.position ? s.rows.retry() : s.begin();
      case "reconnect":
        return s.connection.state === "stopped" ? s.begin() : s.connection.retry();
      case "notify":
        return this.#notify();
      case "help":
        return showHelp(s.help, s.words, s.letters.on);
    }
  }

  #search() {
    const q = this.s.toolbar.field.value.trim();
    if (q !== this.s.query.q) this.s.ask({ q }, true);
  }

  /** @param {number} step */
  #move(step) {
    const { s } = this;
    const { ids } = s.rows;
    const at = ids.indexOf(s.current ?? "");
    const id = at < 0 ? s.list.viewport.visible[0] : ids[Math.min(Math.max(at + step, 0), ids.length - 1)];
    if (!id) return;
    if (s.opened) this.#open(id);
    else this.focus(id);
  }

  /** @param {string} id */
  focus(id) {
    const { s } = this;
    s.current = id;
    s.draw();
    s.list.viewport.reveal(id);
    s.list.viewport.element(id)?.focus({ preventScroll: true });
  }

  /** @param {string} id @param {boolean} [enter] whether to go there */
  #open(id, enter = false) {
    const { s } = this;
    const one = s.store.get(id);
    if (s.opened !== id) {
      s.host.address.write(s.query, id, !s.opened);
      s.host.emit("tocsin-open", { id });
      s.opened = id;
      if (one && !one.read_at) this.#mark(one, true);
      if (!one) s.fetch(id);
    }
    this.focus(id);
    if (enter || s.isCovered) s.detail.focus();
    else s.detail.element.scrollTop = 0;
  }

  /** @param {boolean} write whether the address does not say so yet */
  #leave(write) {
    const { s } = this;
    s.opened = null;
    if (write) s.host.address.write(s.query, null, true);
    s.draw();
    s.rest();
  }

  #escape() {
    const { s } = this;
    const { field } = s.toolbar;
    if (field.value) {
      field.value = "";
      this.#search();
    } else if (s.opened) this.#leave(true);
    else {
      s.current = null;
      s.rest();
      s.toasts.hide();
      s.draw();
    }
  }

  /** @param {string} label @param {() => Promise<unknown>} work */
  async #attempt(label, work) {
    const { s } = this;
    try {
      await work();
    } catch (error) {
      const why = explain(/** @type {import("./api.js").ApiError} */ (error), s.words);
      s.toasts.show(s.words.say("not_done", { what: s.words.say(label), why }), undefined, true);
    }
  }

  /** @param {Notification} one @param {string} label @param {string} call @param {Partial<Notification>} changes */
  #change({ id }, label, call, changes, method = "POST") {
    const { api, store } = this.s;
    return this.#attempt(label, () => store.act(id, changes, () => api.call(method, `notifications/${id}${call}`)));
  }

  /** @param {Notification} one @param {boolean} read */
  #mark(one, read) {
    const changes = { read_at: read ? new Date().toISOString() : null };
    this.#change(one, read ? "mark_read" : "mark_unread", read ? "/read" : "/unread", changes);
  }

  /** @param {Notification} one */
  #delete(one) {
    const { s } = this;
    s.current = one.id;
    this.#deleted.push(one);
    this.#change(one, "remove", "", { deleted_at: new Date().toISOString() }, "DELETE");
    s.toasts.show(s.words.say("deleted"), s.words.say("undo"));
    if (s.opened === one.id) this.#leave(true);
    else s.rest();
  }

  /** @returns {void} */
  #undo() {
    const { s } = this;
    const one = this.#deleted.pop();
    if (!one) return;
    // The service refused that deletion.
    if (s.store.get(one.id)) return this.#undo();
    s.store.merge(one); // which may have been forgotten
    this.#change(one, "undo", "/restore", { ...one, deleted_at: null });
    s.rows.settle(one.id);
    if (s.rows.has(one.id)) s.current = one.id;
    s.rest();
    s.toasts.hide();
  }

  #showNews() {
    const { s } = this;
    const first = s.rows.settle();
    // Of so many that not all are known, the list begins anew.
    if (s.rows.held.size) s.ask({});
    else if (first) this.focus(first);
    s.seen();
  }

  async #markAll() {
    const { s } = this;
    const { q, category } = s.query;
    // Nothing was seen yet, or what is asked for is not what was seen.
    if (s.marking || s.busy || q || !s.store.shown) return;
    const body = {
      user_id: s.store.user,
      up_to: s.store.shown,
      [category === "failed" ? "status" : "category"]: category || null,
    };
    s.marking = true;
    await this.#attempt("mark_all", async () => {
      let n = 0, complete = false;
      while (!complete) {
        const done = await s.api.call("POST", "notifications/read", body);
        n += done.changed;
        complete = done.complete;
      }
      s.toasts.show(s.words.say("marked", { n }));
      s.reload();
    });
    s.marking = false;
    s.draw();
  }

  async #notify() {
    if (!await this.s.bell.toggle()) this.s.toasts.show(this.s.words.say("notify_denied"));
    this.s.draw();
  }
}

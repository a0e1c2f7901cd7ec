import { say } from "./detail-view.js";
import { button, fill, h, icon } from "./dom.js";
import { highlighted } from "./marks.js";
import { kindOf, since, verdict } from "./verdict.js";
import { Viewport } from "./viewport.js";

/**
 * The list: rows, what stands in for them, and how many new ones wait.
 * @import { Notification } from "./api.js"
 * @import { Session } from "./session.js"
 */

const SNIPPET = 280;
const SKELETONS = 8;
const NEAR_THE_END = 20;
/** Milliseconds after the last sign of a reader's hand in which he is taken to be reading. */
const READING = 4_000;
const GROUPS = ["info", "failed", "warning", "critical"];

export class ListView {
  list = h("div", { class: "list", role: "feed", tabindex: -1 });
  foot = h("div", { class: "foot" });
  blank = h("div", { class: "blank" });
  news = h("div", { class: "news" });
  scroller = h("div", { class: "scroller" }, this.list, this.foot);
  element = h("section", { class: "list-pane" }, this.news, this.scroller, this.blank);
  viewport = new Viewport(this.scroller, this.list, this);
  #touched = -READING;

  /** @param {Session} session */
  constructor(session) {
    this.s = session;
    for (const type of ["pointermove", "pointerdown", "wheel", "keydown"]) {
      this.scroller.addEventListener(type, () => this.#touched = performance.now(), { passive: true });
    }
  }

  get ids() {
    return this.s.rows.ids;
  }

  /** @returns {boolean} whether nobody is reading the list just now, so that what is new may simply appear */
  calm() {
    const reads = this.scroller.scrollTop > 0 || this.s.current !== null;
    return !reads && performance.now() - this.#touched > READING;
  }

  /** Draw everything. */
  draw() {
    const { words, rows, busy } = this.s;
    const isBlank = !rows.ids.length;
    this.list.ariaLabel = words.say("inbox");
    this.list.ariaBusy = String(busy || rows.loading);
    this.scroller.classList.toggle("busy", busy);
    this.scroller.hidden = isBlank;
    this.blank.hidden = !isBlank;
    if (isBlank) {
      fill(this.blank, this.#blank());
      fill(this.news);
    } else {
      fill(
        this.foot,
        rows.error ? explain(rows.error, words) : words.say(rows.complete ? "" : "loading"),
        rows.error && button("retry", words.say("try_again")),
      );
    }
    this.viewport.draw();
  }

  #blank() {
    const { words, rows } = this.s;
    const { category, unread, q } = rows.query;
    if (rows.error) {
      return say(
        "failed",
        words.say("not_loaded"),
        explain(rows.error, words),
        button("retry", words.say("try_again")),
      );
    }
    if (!rows.loaded) {
      return Array.from({ length: SKELETONS }, () => h("div", { class: "skeleton" }, h("i"), h("i"), h("i")));
    }
    if (category || unread || q) return say("search", words.say("no_match"), button("all", words.say("show_all")));
    return say("bell", words.say("empty"), words.say("empty_hint"));
  }

  /** What is on the screen may have changed. */
  onScroll() {
    const { words, rows } = this.s;
    const before = rows.news;
    // The first one is cut off, but at the top.
    const seen = this.viewport.visible.slice(this.scroller.scrollTop > 0 ? 1 : 0);
    if (!document.hidden) { for (const id of seen) rows.fresh.delete(id); }
    if (rows.news !== before) this.s.seen();
    fill(this.news, rows.news ? button("news", words.say("news", { n: rows.news }), "bell") : null);
    if (this.viewport.below < NEAR_THE_END) rows.more();
  }

  /** @param {string} id @param {number} index @param {HTMLElement} [element] @returns {HTMLElement} the row, up to date */
  render(id, index, element = h("article", { "data-id": id })) {
    const { words, store, rows, current, opened } = this.s;
    const one = store.get(id);
    const group = this.#groupOf(index);
    const head = group !== (index ? this.#groupOf(index - 1) : "") && group;
    const isCurrent = id === current;
    const state = [one?.read_at ? "" : "unread", isCurrent ? "current" : "", id === opened ? "open" : ""];
    const stamp = JSON.stringify([one?.version, one?.processing_status, state, head, rows.query.q]);
    element.tabIndex = isCurrent || (!index && !rows.has(current)) ? 0 : -1;
    element.ariaPosInSet = String(index + 1);
    element.ariaSetSize = String(rows.complete ? rows.ids.length : -1);
    if (element.dataset.stamp === stamp || !one) return element;
    element.dataset.stamp = stamp;
    element.className = ["row", kindOf(one), ...state].join(" ");
    element.ariaLabel = [one.read_at ? "" : words.say("unread"), words.say(kindOf(one)), one.title].filter(Boolean)
      .join(
        ", ",
      );
    fill(element, head && h("h3", { class: "group" }, head), this.#card(one, isCurrent ? 0 : -1));
    return element;
  }

  /** @param {Notification} one @param {number} tabindex */
  #card(one, tabindex) {
    const { words, rows: { query: { q } } } = this.s;
    /** @param {string} name @param {string} label @param {string} shape */
    const bare = (name, label, shape) => button(name, words.say(label), shape, { class: "bare", tabindex });
    return h(
      "div",
      { class: "card", part: "row" },
      icon(kindOf(one)),
      h("h4", { class: "title" }, highlighted(one.title, null, q)),
      since(one.created_at, words),
      h("p", { class: "text" }, highlighted(one.text.slice(0, SNIPPET), one.keywords, q)),
      one.error && h("p", { class: "reason" }, one.error),
      h("div", { class: "meta" }, verdict(one, words), one.source && h("span", {}, one.source)),
      h(
        "div",
        { class: "acts" },
        one.processing_status === "failed" && bare("again", "judge_again", "again"),
        one.read_at ? bare("read", "mark_unread", "unread") : bare("read", "mark_read", "read"),
        bare("delete", "remove", "trash"),
      ),
    );
  }

  /** @param {number} index @returns {string} what the row belongs under */
  #groupOf(index) {
    const { words, store, rows } = this.s;
    const id = rows.ids[index];
    if (rows.query.order === "severity") return words.say(GROUPS[rows.severityOf(id)]);
    return rows.query.order === "newest" ? words.day(store.get(id)?.created_at ?? "") : "";
  }
}

/**
 * @param {{code: string, message: string}} error @param {import("./words.js").Words} words
 * @returns {string} why, in the reader's language if we know
 */
export const explain = (error, words) => words.say(`e_${error.code}`) || error.message;

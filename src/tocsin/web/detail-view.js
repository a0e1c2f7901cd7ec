import { button, fill, h, icon, safeLink } from "./dom.js";
import { highlighted } from "./marks.js";
import { kindOf, since, verdict } from "./verdict.js";

/**
 * One notification, to be read.
 * @import { Notification } from "./api.js"
 * @import { Session } from "./session.js"
 */

export class DetailView {
  element = h("section", { class: "detail-pane", part: "detail", tabindex: -1 });
  #stamp = "";

  /** @param {Session} session */
  constructor(session) {
    this.s = session;
  }

  draw() {
    const { words, store, opened, missing, rows } = this.s;
    const one = opened && store.get(opened);
    const gone = opened && (opened === missing || store.lacks(opened));
    const hint = opened ? "loading" : rows.ids.length ? "choose" : "";
    const stamp = JSON.stringify([opened, one, gone, hint, rows.query.q]);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.element.ariaLabel = one ? one.title : words.say("choose");
    if (one) fill(this.element, this.#bar(one), this.#article(one));
    else if (gone) fill(this.element, this.#bar(), say("trash", words.say("e_not_found")));
    else fill(this.element, hint && say("bell", words.say(hint)));
  }

  /** Put the reader at the beginning. */
  focus() {
    this.element.scrollTop = 0;
    this.element.focus({ preventScroll: true });
  }

  /** @param {Notification} [one] */
  #bar(one) {
    const { words } = this.s;
    const { read_at } = one ?? {};
    return h(
      "div",
      { class: "bar" },
      button("close", words.say("close"), "back"),
      one && [
        one.category && this.#again(),
        button("read", words.say(read_at ? "mark_unread" : "mark_read"), read_at ? "unread" : "read"),
        button("delete", words.say("remove"), "trash"),
      ],
    );
  }

  #again() {
    return button("again", this.s.words.say("judge_again"), "again");
  }

  /** @param {Notification} one */
  #article(one) {
    const { words, rows: { query: { q } } } = this.s;
    const link = safeLink(one.link);
    return h(
      "article",
      { class: `detail ${kindOf(one)}` },
      h("div", { class: "meta" }, verdict(one, words)),
      h("h3", { class: "title" }, highlighted(one.title, null, q)),
      h("p", { class: "meta" }, one.source && h("span", {}, one.source), since(one.created_at, words)),
      one.error && h("div", { class: "reason" }, h("p", {}, one.error), this.#again()),
      h("div", { class: "text" }, highlighted(one.text, one.keywords, q)),
      link && h(
        "a",
        { class: "go", href: link, target: "_blank", rel: "noopener noreferrer" },
        icon("link"),
        h("span", {}, words.say("open_link")),
        h("small", {}, new URL(link).host),
      ),
      h(
        "dl",
        {},
        this.#facts(one).map(([name, ...value]) => value[0] && [h("dt", {}, name), h("dd", {}, value)]).flat(),
      ),
    );
  }

  /** @param {Notification} one @returns {[string, ...import("./dom.js").Child[]][]} names and what belongs to them */
  #facts(one) {
    const { words } = this.s;
    const judged = one.analyzed_at && `${words.moment(one.analyzed_at)} (${one.analyzer})`;
    return [
      [words.say("received"), words.moment(one.created_at)],
      [words.say("judged"), judged],
      [words.say("keywords"), ...(one.keywords ?? []).flatMap((word) => [h("mark", {}, word), " "])],
      ...Object.entries(one.data ?? {}).map((
        [name, value],
      ) => /** @type {[string, Node]} */ ([
        name,
        h("code", {}, typeof value === "string" ? value : JSON.stringify(value)),
      ])),
    ];
  }
}

/** @param {string} shape @param {string} title @param {...import("./dom.js").Child} more @returns {HTMLElement} what stands where nothing is */
export const say = (shape, title, ...more) =>
  h(
    "div",
    { class: "say" },
    icon(shape),
    h("h3", {}, title),
    more.map((one) => one instanceof Node ? one : h("p", {}, one)),
  );

import { button, fill, h, icon } from "./dom.js";

/**
 * What is above the list: name and counts, search, filters, order, and how the connection is.
 * @import { Session } from "./session.js"
 */

const CHIPS = ["", "critical", "warning", "info", "failed"];

export class Toolbar {
  field = h("input", { type: "search", name: "q", autocomplete: "off", spellcheck: "false", maxlength: 200 });
  brand = h("div", { class: "brand" });
  end = h("div", { class: "end" });
  header = h(
    "header",
    { part: "header" },
    h("slot", { name: "brand" }, icon("bell")),
    this.brand,
    h("div", { class: "search", role: "search" }, icon("search"), this.field),
    this.end,
    h("slot", { name: "menu" }),
  );
  chips = h("div", { class: "chips", role: "group" });
  tools = h("div", { class: "tools" });
  filters = h("div", { class: "filters" }, this.chips, this.tools);
  #stamp = "";

  /** @param {Session} session */
  constructor(session) {
    this.s = session;
  }

  draw() {
    const { words, query, store: { unread }, line, why, bell, marking } = this.s;
    const stamp = JSON.stringify([query, unread, line, why, bell.isOn, marking]);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.field.placeholder = this.field.ariaLabel = words.say("search");
    this.chips.ariaLabel = words.say("filters");
    if (!this.field.matches(":focus")) this.field.value = query.q;
    const count = unread && words.say("unread_count", { n: unread.total });
    fill(this.brand, h("h2", {}, words.say("inbox")), h("span", { class: "count", part: "count" }, count));
    fill(
      this.end,
      button("reconnect", words.say(line), undefined, { class: `connection ${line}`, title: why || null }),
      button("notify", words.say("notify"), "bell", { class: "bare", "aria-pressed": String(bell.isOn) }),
      button("help", words.say("help"), undefined, { class: "bare help-button" }),
    );
    fill(this.chips, CHIPS.map((category) => this.#chip(category)));
    const orders = [...query.q ? ["relevance"] : [], "newest", "severity"];
    fill(
      this.tools,
      button("unread", words.say("unread"), "unread", { class: "chip", "aria-pressed": String(query.unread) }),
      h(
        "select",
        { name: "order", "aria-label": words.say("order") },
        orders.map((order) => h("option", { value: order, selected: order === query.order }, words.say(order))),
      ),
      !query.q && button("all-read", words.say(query.category ? "mark_these" : "mark_all"), "read", {
        class: "quiet",
        disabled: marking || !unread?.total,
      }),
    );
  }

  /** @param {string} category */
  #chip(category) {
    const { words, query, store: { unread } } = this.s;
    const count = unread && /** @type {Record<string, number>} */ (unread)[category || "total"];
    const made = button(`category-${category}`, words.say(category || "all"), category, {
      class: `chip ${category}`,
      "aria-pressed": String(query.category === category),
    });
    if (count) made.append(h("b", {}, words.number(count)));
    return made;
  }
}

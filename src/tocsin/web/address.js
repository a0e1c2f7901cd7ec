/**
 * What is shown, in the address of the page: so that it can be kept, sent and gone back to.
 * @import { Query } from "./rows.js"
 */

const ALLOWED =
  /^(category=(critical|warning|info|failed)|unread=1|order=(newest|severity|relevance)|q=.{1,200}|open=[\da-f-]{36})$/is;

/** @param {Query} query @returns {string} the order that is used unless another is asked for */
export const usualOrder = ({ q }) => q ? "relevance" : "newest";

export class Address {
  /** @param {string | null} prefix before the names of its parameters; null leaves the address alone */
  constructor(prefix) {
    this.prefix = prefix;
  }

  /** @returns {{query: Query, opened: string | null}} */
  read() {
    const given = new URLSearchParams(this.prefix === null ? "" : location.search);
    /** @param {string} name */
    const get = (name) => {
      const value = given.get(this.prefix + name) ?? "";
      return ALLOWED.test(`${name}=${value}`) ? value : "";
    };
    const query = { category: get("category"), unread: get("unread") !== "", q: get("q"), order: get("order") };
    if (!query.order || (query.order === "relevance" && !query.q)) query.order = usualOrder(query);
    return { query, opened: get("open") || null };
  }

  /** @param {Query} query @param {string | null} opened @param {boolean} isStep whether to go back leads to what was before */
  write(query, opened, isStep) {
    if (this.prefix === null) return;
    const url = new URL(location.href);
    const order = query.order === usualOrder(query) ? "" : query.order;
    for (const [name, value] of Object.entries({ ...query, unread: query.unread && 1, order, open: opened })) {
      if (value) url.searchParams.set(this.prefix + name, String(value));
      else url.searchParams.delete(this.prefix + name);
    }
    if (url.href === location.href) return;
    history[isStep ? "pushState" : "replaceState"](null, "", url);
  }
}

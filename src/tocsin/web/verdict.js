import { h, icon } from "./dom.js";

/**
 * What the AI made of a notification, as it is shown: by colour, by shape and in words.
 * @import { Notification } from "./api.js"
 * @import { Words } from "./words.js"
 */

/** @param {Notification} one @returns {string} how far the analysis is: `waiting`, `failed`, or nothing if it is done */
const stateOf = ({ processing_status: status }) =>
  status === "completed" ? "" : status === "failed" ? status : "waiting";

/** @param {Notification} one @returns {string} `critical`, `warning`, `info`, `failed` or `waiting` */
export const kindOf = (one) => one.category ?? stateOf(one);

/** @param {Notification} one @param {Words} words @returns {import("./dom.js").Child[]} the word, how sure it is, and what is under way */
export function verdict(one, words) {
  /** @param {string | null} kind */
  const word = (kind) => kind && h("span", { class: `word ${kind}` }, icon(kind), words.say(kind));
  const state = one.category && stateOf(one);
  return [
    word(kindOf(one)),
    one.category &&
    h("span", {}, words.say("sure", { percent: words.number(one.confidence ?? 0, { style: "percent" }) })),
    state && word(state),
  ];
}

/** @param {string} time @param {Words} words @returns {HTMLElement} how long ago that was; `refresh` keeps it true */
export const since = (time, words) => h("time", { datetime: time, title: words.moment(time) }, words.ago(time));

/** @param {ParentNode} root @param {Words} words */
export function refresh(root, words) {
  for (const element of root.querySelectorAll("time")) {
    const text = words.ago(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

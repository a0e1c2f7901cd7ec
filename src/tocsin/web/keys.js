import { fill, h } from "./dom.js";

/**
 * Keys, and the help that lists them.
 * @import { Words } from "./words.js"
 */

/** Actions, their keys, and what the help says of them; what it does not say stands with the one before. @type {[string, string, string?][]} */
const KEYS = [
  ["next", "j ArrowDown", "k_move"],
  ["previous", "k ArrowUp"],
  ["enter", "Enter o", "k_open"],
  ["escape", "Escape", "close"],
  ["read", "r", "k_read"],
  ["delete", "d Delete", "remove"],
  ["undo", "z", "undo"],
  ["again", "a", "judge_again"],
  ["link", "l", "open_link"],
  ["search", "/", "search"],
  ["category-", "0", "filters"],
  ["category-critical", "1"],
  ["category-warning", "2"],
  ["category-info", "3"],
  ["unread", "u", "unread"],
  ["order", "s", "order"],
  ["news", ".", "k_new"],
  ["all-read", "R", "mark_all"],
  ["help", "?", "help"],
];
/** @type {Record<string, string>} */
const NAMES = { ArrowDown: "↓", ArrowUp: "↑" };

/** @param {KeyboardEvent} event @returns {string} the key as a Latin keyboard has it */
function latin({ key, code, shiftKey }) {
  if (/^Key/.test(code) && key > "\x7f") return shiftKey ? code[3] : code[3].toLowerCase();
  // On Cyrillic keyboards the full stop is where others have the slash.
  if (code === "Slash" && /[.,]/.test(key)) return shiftKey ? "?" : "/";
  return code === "Period" && key > "\x7f" ? "." : key;
}

/**
 * @param {KeyboardEvent} event @param {boolean} letters whether single characters count
 * @returns {string | undefined} the action that it asks for
 */
export function actionOf(event, letters) {
  const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
  const key = latin(event);
  const types = target.matches?.("input, select, textarea") || target.isContentEditable;
  const presses = key === "Enter" && target.matches?.("button, a");
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || presses) return;
  if (types ? key !== "Escape" : key.length === 1 && !letters) return;
  return KEYS.find(([, keys]) => keys.split(" ").includes(key))?.[0];
}

/** @param {HTMLDialogElement} dialog @param {Words} words @param {boolean} letters */
export function showHelp(dialog, words, letters) {
  const list = h("dl");
  for (const [, keys, says] of KEYS) {
    if (says) list.append(h("dt"), h("dd", {}, words.say(says)));
    const term = /** @type {HTMLElement} */ (list.lastElementChild?.previousElementSibling);
    term.append(...keys.split(" ").map((key) => h("kbd", {}, NAMES[key] ?? key)));
  }
  fill(
    dialog,
    h("h3", {}, words.say("help")),
    list,
    h("label", {}, h("input", { type: "checkbox", name: "keys", checked: letters }), words.say("keys_on")),
    h("form", { method: "dialog" }, h("button", { autofocus: true }, words.say("close"))),
  );
  dialog.ariaLabel = words.say("help");
  dialog.showModal();
}

import { fill, h } from "./dom.js";
import { since } from "./verdict.js";

/**
 * The forms before the inbox.
 * @import { Api, ApiError, Notification } from "./api.js"
 * @import { Words } from "./words.js"
 */

const UUID = /^[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}$/i;
const LOOKED_AT = 100;
const SHOWN = 12;

/** @param {HTMLButtonElement} button @param {() => void} act @returns {HTMLButtonElement} it, doing that */
export function pressed(button, act) {
  button.onclick = act;
  return button;
}

/** @param {Words} words @param {(Node | string)[]} content @param {() => void} [signOut] */
const front = (words, content, signOut) =>
  h(
    "div",
    { class: "front" },
    h(
      "div",
      {},
      h("img", { class: "logo", src: new URL("icon.svg", import.meta.url).href, alt: "" }),
      ...content,
      h(
        "footer",
        {},
        h("a", { href: new URL("../docs", import.meta.url).href }, words.say("api")),
        signOut && pressed(h("button", { type: "button" }, words.say("sign_out")), signOut),
      ),
    ),
  );

/**
 * @param {Words} words @param {Record<string, string>} field attributes of what one types into
 * @param {{label: string, button: string, hint?: string, problem?: string}} keys what is said, as keys of words
 * @param {(value: string) => Promise<string | undefined> | string | undefined} submit returns what is wrong, if anything
 * @returns {HTMLFormElement} a form with one field
 */
function formOf(words, field, { label, button, hint, problem }, submit) {
  const input = h("input", {
    ...field,
    id: "field",
    required: true,
    autofocus: true,
    spellcheck: "false",
    "aria-describedby": "hint problem",
  });
  const send = h("button", { class: "first" }, words.say(button));
  const says = h("p", { id: "problem", class: "error", role: "alert", hidden: !problem }, words.say(problem ?? ""));
  const made = h(
    "form",
    {},
    says,
    h("label", { for: "field" }, words.say(label)),
    input,
    hint && h("p", { id: "hint", class: "hint" }, words.say(hint)),
    send,
  );
  made.onsubmit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    const wrong = await submit(input.value.trim());
    send.disabled = false;
    says.hidden = !wrong;
    says.textContent = wrong ?? "";
    if (wrong) input.select();
  };
  return made;
}

/** @param {unknown} error @param {Words} words @returns {string} why a call failed */
export function reasonOf(error, words) {
  const { code, status, message } = /** @type {ApiError} */ (error);
  if (code === "signed_out") return words.say("unknown");
  return code === "unreachable" || status >= 500 ? words.say("unreachable") : message;
}

/**
 * @param {Words} words @param {string | undefined} problem @param {(credential: string) => Promise<void>} enter
 * @returns {HTMLElement} where one types a credential
 */
export function signIn(words, problem, enter) {
  const says = { label: "credential", button: "sign_in", hint: "kept", problem };
  const form = formOf(
    words,
    { type: "password", autocomplete: "off" },
    says,
    (credential) => enter(credential).then(() => undefined, (error) => reasonOf(error, words)),
  );
  return front(words, [h("h1", {}, "Tocsin"), h("p", { class: "lead" }, words.say("lead")), form]);
}

/**
 * @param {Words} words @param {Api} api of an operator @param {(user: string) => void} open @param {() => void} signOut
 * @returns {HTMLElement} where an operator says whose inbox he wants to see
 */
export function chooseInbox(words, api, open, signOut) {
  const form = formOf(words, { autocomplete: "off" }, { label: "user", button: "open" }, (user) => {
    if (!UUID.test(user)) return words.say("bad_user");
    open(user.toLowerCase());
  });
  const recent = h("section", { class: "inboxes", "aria-busy": "true" });
  listRecent(words, api, open, recent);
  const lead = h("p", { class: "lead" }, words.say("choose_lead"));
  return front(words, [h("h1", {}, words.say("choose")), lead, form, recent], signOut);
}

/** @param {Words} words @param {Api} api @param {(user: string) => void} open @param {HTMLElement} section */
async function listRecent(words, api, open, section) {
  /** @type {Map<string, Notification>} */
  const newest = new Map();
  try {
    const page = await api.call("GET", `notifications?limit=${LOOKED_AT}`);
    for (const one of page.items) if (!newest.has(one.user_id)) newest.set(one.user_id, one);
  } catch (error) {
    return fill(section, h("p", { class: "error" }, reasonOf(error, words)));
  }
  section.setAttribute("aria-busy", "false");
  if (!newest.size) return fill(section, h("p", { class: "hint" }, words.say("none")));
  const items = [...newest].slice(0, SHOWN).map(([user, one]) => {
    const face = [h("b", {}, one.title), since(one.created_at, words), h("code", {}, user)];
    return h("li", {}, pressed(h("button", { type: "button" }, face), () => open(user)));
  });
  fill(section, h("h2", {}, words.say("recent")), h("ul", {}, items));
}

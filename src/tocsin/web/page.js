import { Api, ApiError, claimsOf, Credential, serviceTime } from "./api.js";
import { fill, h } from "./dom.js";
import { chooseInbox, pressed, signIn } from "./page-forms.js";
import { PAGE_STRINGS } from "./page-strings.js";
import { TocsinInbox } from "./tocsin-inbox.js";
import { Words } from "./words.js";

/**
 * The page at `/`: a way to sign in, and the inbox.
 *
 * An inbox token is kept in the storage of the tab, so that a reload does not sign out. A service key, which opens
 * every inbox and has no end, is kept in a variable alone: browsers write the storage of tabs to the disk.
 */

const STORED = "tocsin-token";
const BASE = new URL("../", import.meta.url);
const SERVICE_KEY = /^tcs_/;

const words = new Words(navigator.languages, PAGE_STRINGS);
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
/** @type {string | null} */ let serviceKey = null;

/** @param {string} credential */
const apiOf = (credential) => new Api(BASE, new Credential((renew) => renew ? null : credential));

/** @param {HTMLElement} content */
function show(content) {
  document.title = "Tocsin";
  fill(main, content);
}

function signOut() {
  serviceKey = null;
  sessionStorage.removeItem(STORED);
  history.replaceState(null, "", location.pathname);
  showSignIn();
}

/** @param {string} [problem] a key of what to say */
function showSignIn(problem) {
  show(signIn(words, problem, enter));
}

/** @param {string} credential what somebody typed or followed @returns {Promise<void>} rejected if it is not good */
async function enter(credential) {
  if (SERVICE_KEY.test(credential)) {
    await apiOf(credential).call("GET", "notifications?limit=1");
    serviceKey = credential;
    return showInboxes();
  }
  const user = claimsOf(credential).sub;
  if (!user) throw new ApiError("signed_out", "", 401);
  await apiOf(credential).call("GET", `inboxes/${user}`);
  sessionStorage.setItem(STORED, credential);
  showInbox(user);
}

function showInboxes() {
  history.replaceState(null, "", location.pathname);
  show(chooseInbox(words, apiOf(serviceKey ?? ""), showInbox, signOut));
}

/** @param {string} user @returns {Promise<import("./api.js").Grant>} */
async function mint(user) {
  const grant = await apiOf(serviceKey ?? "").call("POST", `inboxes/${user}/tokens`, {});
  sessionStorage.setItem(STORED, grant.token);
  return grant;
}

/** @param {string} user */
function showInbox(user) {
  const inbox = new TocsinInbox();
  inbox.setAttribute("user-id", user);
  inbox.setAttribute("address", "");
  inbox.setAttribute("page-keys", "");
  inbox.getToken = (renew) => serviceKey ? mint(user) : renew ? null : sessionStorage.getItem(STORED);
  inbox.addEventListener("tocsin-unread", (event) => {
    const total = /** @type {CustomEvent} */ (event).detail?.total;
    document.title = total ? `(${words.number(total)}) Tocsin` : "Tocsin";
  });
  inbox.addEventListener("tocsin-signed-out", () => {
    sessionStorage.removeItem(STORED);
    showSignIn("over");
  });
  /** @param {string} key @param {() => void} act */
  const item = (key, act) => pressed(h("button", { type: "button", class: "menu", slot: "menu" }, words.say(key)), act);
  inbox.append(...serviceKey ? [item("inboxes", showInboxes)] : [], item("sign_out", signOut));
  show(h("div", {}, h("h1", { class: "hidden" }, "Tocsin"), inbox));
}

/** Follow a link that carries a token; it does not stay in the address. @returns {boolean} whether there was one */
function follow() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (!token) return false;
  serviceKey = null;
  enter(token).catch((error) => showSignIn(error.code === "signed_out" ? refusal(token) : "unreachable"));
  return true;
}

/** @param {string} token that the service refused @returns {string} a key of why */
const refusal = (token) => Number(claimsOf(token).exp) * 1_000 < serviceTime() ? "over" : "damaged";

document.documentElement.lang = words.lang;
addEventListener("hashchange", follow);
if (!follow()) {
  const kept = sessionStorage.getItem(STORED);
  if (kept) showInbox(claimsOf(kept).sub ?? "");
  else showSignIn();
}

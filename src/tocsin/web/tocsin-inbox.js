// In this order they are served as one file, and gzip looks back 32 KB: what is alike stands together.
import { sheet } from "./styles.js";
import { Session } from "./session.js";
import { Address } from "./address.js";
import { Api, ApiError, claimsOf, Credential } from "./api.js";
import { Words } from "./words.js";

/**
 * `<tocsin-inbox>`: one inbox of Tocsin, live, in any page. docs/embedding.md tells of its attributes and events.
 * @import { GetToken } from "./api.js"
 */

const HERE = new URL("../", import.meta.url);

export class TocsinInbox extends HTMLElement {
  static observedAttributes = ["src", "user-id", "token", "token-url", "lang"];

  /** @type {GetToken | undefined} */ #getToken;
  /** @type {Session | undefined} */ #session;
  /** The value of `token` that was used last. @type {string | null} */ #used = null;
  #starting = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }

  /** Gives tokens, in place of the attributes `token` and `token-url`. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(getToken) {
    this.#getToken = getToken;
    this.#restart();
  }

  connectedCallback() {
    const { getToken } = this;
    // Whoever was faster than this module has set a property that hides ours.
    if (delete this.getToken) this.getToken = getToken;
    const target = this.hasAttribute("page-keys") ? document : this;
    target.addEventListener("keydown", this.#onKey);
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#onKey);
    this.removeEventListener("keydown", this.#onKey);
    this.#session?.stop();
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    // Another token of the same user is taken when it is needed.
    const same = name === "token" && this.#session?.line !== "stopped" && claimsOf(before).sub === claimsOf(now).sub;
    if (!same) this.#restart();
  }

  /** Several attributes may be set one after the other. */
  #restart() {
    if (this.#starting) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      if (this.isConnected) this.#start();
    });
  }

  #start() {
    this.#session?.stop();
    if (!this.#getToken && !this.hasAttribute("token") && !this.hasAttribute("token-url")) return;
    const src = this.getAttribute("src")?.replace(/\/?$/, "/");
    const told = /** @type {HTMLElement | null} */ (this.closest("[lang]"))?.lang;
    const host = {
      root: /** @type {ShadowRoot} */ (this.shadowRoot),
      user: this.getAttribute("user-id"),
      words: new Words(told ? [told] : navigator.languages),
      address: new Address(this.getAttribute("address")),
      /** @param {string} name @param {unknown} [detail] */
      emit: (name, detail) => this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true })),
    };
    const credential = new Credential((renew) => this.#askToken(renew));
    this.#session = new Session(host, new Api(src ? new URL(src, document.baseURI) : HERE, credential));
    this.#session.start();
  }

  /** @param {boolean} renew @returns {ReturnType<GetToken>} */
  #askToken(renew) {
    if (this.#getToken) return this.#getToken(renew);
    const url = this.getAttribute("token-url");
    if (url !== null) return fetchToken(new URL(url, document.baseURI));
    const token = this.getAttribute("token");
    if (renew && token === this.#used) return null;
    return this.#used = token;
  }

  /** @param {Event} event */
  #onKey = (event) => this.#session?.actions.onKey(/** @type {KeyboardEvent} */ (event));
}

/** @param {URL} url @returns {Promise<import("./api.js").Grant | null>} what is there for this user, null for nobody */
async function fetchToken(url) {
  /** @type {RequestInit} */
  const how = { credentials: "include", cache: "no-store", headers: { Accept: "application/json" } };
  const response = await fetch(url, how);
  if (response.status === 401 || response.status === 403) return null;
  if (!response.ok) throw new ApiError("", `HTTP ${response.status}`, response.status);
  return response.json();
}

customElements.get("tocsin-inbox") ?? customElements.define("tocsin-inbox", TocsinInbox);

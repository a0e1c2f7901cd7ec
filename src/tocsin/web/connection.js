import { ApiError } from "./api.js";

/**
 * The stream of one inbox over a WebSocket, as docs/stream.md has it: it comes back until it is told not to.
 * @import { Notification, Unread } from "./api.js"
 * @import { Store } from "./store.js"
 * @typedef {{type: string, position: string, unread?: Unread, notification?: Notification, recovered?: boolean,
 *   code?: number, detail?: string, retry_after?: number | null}} Message
 * @typedef {"connecting" | "live" | "waiting" | "stopped"} State
 */

/** Milliseconds without a message after which the connection is dead, whatever the network says. */
const DEAD = 60_000;
/** The same for a page that is looked at again: pings come every 25 seconds. */
const LATE = 30_000;
const SHORTEST = 1_000;
const LONGEST = 30_000;
const TOKEN_EXPIRED = 4003;
const FINAL = 4500;

export class Connection {
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {number | undefined} */ #timer;
  #ceiling = SHORTEST;
  #heard = 0;
  /** Counts attempts, so that what an earlier one brings late is known for that. */
  #attempt = 0;
  /** @type {State} */ state = "stopped";

  /**
   * @param {Store} store knows whose inbox it is, and the position to go on from
   * @param {(message: Message) => void} onMessage called with every message
   * @param {(error?: ApiError) => void} onState called when `state` is another; `error` says why it stopped
   */
  constructor(store, onMessage, onState) {
    this.store = store;
    this.onMessage = onMessage;
    this.onState = onState;
  }

  start() {
    if (this.state === "stopped") this.#connect();
  }

  stop() {
    this.#drop();
    this.state = "stopped";
  }

  /** Try now what would be tried later. */
  retry() {
    if (this.state === "waiting") this.#connect();
  }

  /** Look whether it is still there. @param {string} type of the event that gives reason to, or `tick` */
  wake(type) {
    const age = this.#socket ? Date.now() - this.#heard : 0;
    if (this.state === "stopped") return;
    if (type === "offline") this.#reconnect(SHORTEST);
    else if (age > (type === "tick" ? DEAD : LATE)) this.#reconnect(0);
    else if (type !== "tick" && !document.hidden) this.retry();
  }

  /** @param {State} state @param {ApiError} [error] */
  #enter(state, error) {
    this.state = state;
    this.onState(error);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#attempt++;
    this.#socket?.close();
    this.#socket = null;
  }

  async #connect(renew = false) {
    this.#drop();
    const attempt = this.#attempt;
    this.#enter("connecting");
    try {
      if (renew) await this.store.api.credential.token(true);
      const { token } = await this.store.api.call("POST", `inboxes/${this.store.user}/stream-tokens`);
      if (attempt === this.#attempt) this.#open(token);
    } catch (error) {
      if (attempt === this.#attempt) this.#fail(/** @type {ApiError} */ (error));
    }
  }

  /** @param {ApiError} error */
  #fail(error) {
    if (error.passes) return this.#reconnect();
    this.stop();
    this.#enter("stopped", error);
  }

  /** @param {string} token */
  #open(token) {
    const url = new URL(`inboxes/${this.store.user}/stream`, this.store.api.base);
    url.protocol = url.protocol.replace("http", "ws");
    const since = this.store.position;
    if (since) url.searchParams.set("since", since);
    url.searchParams.set("token", token);
    const socket = this.#socket = new WebSocket(url);
    /** @type {Message | undefined} */ let farewell;
    this.#heard = Date.now();
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const message = /** @type {Message} */ (JSON.parse(data));
      this.#heard = Date.now();
      if (message.type === "close") farewell = message;
      if (message.type === "hello") {
        this.#ceiling = SHORTEST;
        this.#enter("live");
      }
      this.onMessage(message);
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#end({ code, ...farewell });
  }

  /** @param {Partial<Message> & {code: number}} farewell */
  #end({ code, detail, retry_after: delay }) {
    if (code >= FINAL && code < 5000) this.#fail(new ApiError("refused", detail ?? String(code), code));
    else if (code === TOKEN_EXPIRED) this.#connect(true);
    else this.#reconnect(delay ? delay * 1_000 : undefined);
  }

  /** @param {number} [delay] milliseconds; a random time that grows with each failure if left out */
  #reconnect(delay) {
    this.#drop();
    const wait = delay ?? Math.random() * this.#ceiling;
    if (delay === undefined) this.#ceiling = Math.min(this.#ceiling * 2, LONGEST);
    this.#enter("waiting");
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}

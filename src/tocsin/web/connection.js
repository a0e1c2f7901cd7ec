import { ApiError } from "./api.js";

/**
 * What happens in one inbox, as docs/stream.md has it: over a WebSocket, where networks block those by server-sent
 * events, and where neither says anything by looking now and then. It comes back until it is told not to.
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
/** Milliseconds in which the first message must come: some networks take a connection, and then pass nothing on. */
const SILENT = 10_000;
const SHORTEST = 1_000;
const LONGEST = 30_000;
const TOKEN_EXPIRED = 4003;
const FINAL = 4500;

export class Connection {
  /** @type {WebSocket | EventSource | null} */ #stream = null;
  /** @type {number | undefined} */ #timer;
  #ceiling = SHORTEST;
  #heard = 0;
  /** Counts attempts, so that what an earlier one brings late is known for that. */
  #attempt = 0;
  /** @type {State} */ state = "stopped";
  /** Whether there is no stream, but looking works. */ looks = false;

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
    const age = this.#stream ? Date.now() - this.#heard : 0;
    if (this.state === "stopped") return;
    if (type === "offline") this.#reconnect(SHORTEST);
    else if (age > (type === "tick" ? DEAD : LATE)) this.#reconnect(0);
    else if (document.hidden) {
      // Browsers open six connections to a host, for all tabs together. WebSockets do not count.
      if (this.#stream instanceof EventSource) this.#reconnect(LONGEST);
    } else if (type !== "tick") this.retry();
    if (this.state !== "live") this.#look();
  }

  /** @param {State} state @param {ApiError} [error] */
  #enter(state, error) {
    this.state = state;
    this.onState(error);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#attempt++;
    this.#stream?.close();
    this.#stream = null;
  }

  async #connect(renew = false) {
    this.#drop();
    const attempt = this.#attempt;
    this.#enter("connecting");
    try {
      if (renew) await this.store.api.credential.token(true);
      const { token } = await this.store.api.call("POST", `inboxes/${this.store.user}/stream-tokens`);
      if (attempt === this.#attempt) this.#open(token, WebSocket);
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

  /** @param {string} token @param {typeof WebSocket | typeof EventSource} Stream */
  #open(token, Stream) {
    this.#drop();
    const { user, position, api } = this.store;
    const isSocket = Stream === WebSocket;
    const url = new URL(`inboxes/${user}/${isSocket ? "stream" : "events"}`, api.base);
    if (isSocket) url.protocol = url.protocol.replace("http", "ws");
    if (position) url.searchParams.set("since", position);
    url.searchParams.set("token", token);
    const stream = this.#stream = new Stream(url);
    /** @type {Message | undefined} */ let last;
    this.#heard = Date.now();
    /** @param {Partial<CloseEvent>} event */
    const end = ({ code = 0 }) => {
      if (stream !== this.#stream) return;
      if (last) this.#end({ code, ...last });
      else if (isSocket && !document.hidden) this.#open(token, EventSource);
      else this.#reconnect();
    };
    this.#timer = setTimeout(end, SILENT, {});
    stream.onmessage = ({ data }) => {
      if (stream !== this.#stream) return;
      const message = last = /** @type {Message} */ (JSON.parse(data));
      this.#heard = Date.now();
      clearTimeout(this.#timer);
      if (message.type === "hello") {
        this.#ceiling = SHORTEST;
        this.looks = false;
        this.#enter("live");
      }
      this.onMessage(message);
    };
    for (const type of ["close", "error"]) stream.addEventListener(type, end);
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

  /** Ask what a stream would have told. */
  async #look() {
    const { user, position, api } = this.store;
    const found = await api.call("GET", `inboxes/${user}/changes?limit=1000&since=${position}`).catch(() => null);
    if (this.state === "live" || this.state === "stopped" || position !== this.store.position) return;
    this.looks = found !== null;
    this.#enter(this.state);
    for (const notification of found?.items ?? []) this.onMessage({ ...found, type: "change", notification });
    if (found) this.onMessage({ ...found, type: found.reset ? "reset" : "look" });
  }
}

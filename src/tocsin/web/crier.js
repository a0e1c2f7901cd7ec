import { serviceTime } from "./api.js";

/**
 * Who tells a reader that does not look: how many came, and what is critical.
 * @import { Notification } from "./api.js"
 * @import { Session } from "./session.js"
 */

/** What was judged longer ago than this (milliseconds) is no alarm any more. */
const STALE = 600_000;

export class Crier {
  #arrived = 0;
  #newest = "";

  /** @param {Session} session */
  constructor(session) {
    this.s = session;
  }

  /** @param {string[]} ids what is no news */
  note(ids) {
    for (const id of ids) if (id > this.#newest) this.#newest = id;
  }

  /** @param {Notification} one that changed @param {boolean} wasCritical */
  tell(one, wasCritical) {
    const { words, toasts, bell, actions } = this.s;
    if (one.id > this.#newest) {
      this.#newest = one.id;
      this.#arrived++;
      const count = () => {
        const n = this.#arrived;
        this.#arrived = 0;
        return `${words.say("inbox")}: ${words.say("news", { n })}`;
      };
      toasts.say(count, "news", true);
    }
    const isOld = serviceTime() - Date.parse(one.analyzed_at ?? "") > STALE;
    if (one.category !== "critical" || wasCritical || one.read_at || isOld) return;
    toasts.say(`${words.say("critical")}: ${one.title}`, "critical");
    bell.ring(one, () => actions.act("open", one.id));
  }
}

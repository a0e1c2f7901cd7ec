/**
 * Desktop notifications: for critical ones that nobody has seen, in a hidden tab, if the reader wants them.
 * @import { Notification as One } from "./api.js"
 */

const BODY_LENGTH = 200;

/** @returns {Storage | null} what outlives the page, if the browser lets us have it */
function storage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

/** A choice of the reader, kept if the browser lets us. */
export class Choice {
  /** @param {string} name @param {boolean} on what holds until he chooses */
  constructor(name, on) {
    this.name = `tocsin-${name}`;
    this.on = (storage()?.getItem(this.name) ?? String(on)) === "true";
  }

  /** @param {boolean} on */
  set(on) {
    this.on = on;
    storage()?.setItem(this.name, String(on));
  }
}

export class Bell {
  #choice = new Choice("bell", false);

  get isOn() {
    return this.#choice.on && globalThis.Notification?.permission === "granted";
  }

  /** Switch it; the browser asks the reader at the first time. @returns {Promise<boolean>} false if it may not ring */
  async toggle() {
    const on = !this.isOn;
    if (on && await globalThis.Notification?.requestPermission() !== "granted") return false;
    this.#choice.set(on);
    return true;
  }

  /** @param {One} one a critical one @param {() => void} open called when the reader follows it */
  ring(one, open) {
    if (!document.hidden || !this.isOn) return;
    // Whatever tells of the same one, another tab or later, has the same tag, so the reader gets one.
    const shown = new Notification(one.title, { body: one.text.slice(0, BODY_LENGTH), tag: one.id });
    shown.onclick = () => {
      focus();
      shown.close();
      open();
    };
  }
}

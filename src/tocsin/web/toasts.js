import { button, fill, h, icon } from "./dom.js";

/** What is told in passing: on the screen for a while, and to screen readers when they are not busy. */

const STAYS = 10_000;
/** Milliseconds in which what is to be said aloud is collected, so that a burst is one sentence. */
const COLLECTS = 1_500;
/** Milliseconds of silence before what is not worth an interruption. */
const RESTS = 10_000;

export class Toasts {
  element = h("div", { class: "toasts" });
  aloud = h("div", { class: "hidden", role: "status" });
  /** @type {number | undefined} */ #hides;
  /** @type {number | undefined} */ #speaks;
  #spoken = -RESTS;
  #due = Infinity;
  /** @type {Map<string, () => string>} */ #unsaid = new Map();

  /** @param {string} text @param {string} [undo] what is on the button that takes it back @param {boolean} [isError] */
  show(text, undo, isError) {
    fill(
      this.element,
      h("div", { class: "toast" }, isError && icon("failed"), h("p", {}, text), undo && button("undo", undo)),
    );
    this.say(text);
    this.#hideLater();
  }

  hide() {
    fill(this.element);
  }

  /**
   * Say something aloud.
   * @param {string | (() => string)} text @param {string} [topic] of which only the last is said
   * @param {boolean} [rests] whether it is not worth interrupting the reader again and again
   */
  say(text, topic = String(text), rests = false) {
    const now = performance.now();
    const due = Math.max(now + COLLECTS, rests ? this.#spoken + RESTS : 0);
    this.#unsaid.set(topic, typeof text === "string" ? () => text : text);
    if (due >= this.#due) return;
    clearTimeout(this.#speaks);
    this.#speaks = setTimeout(() => this.#speak(), due - now);
    this.#due = due;
  }

  #speak() {
    this.#spoken = performance.now();
    this.#due = Infinity;
    fill(this.aloud, [...this.#unsaid.values()].map((text) => h("p", {}, text())));
    this.#unsaid.clear();
  }

  #hideLater() {
    clearTimeout(this.#hides);
    const isUsed = () => this.element.matches(":focus-within, :hover");
    this.#hides = setTimeout(() => isUsed() ? this.#hideLater() : this.hide(), STAYS);
  }
}

import { button, fill, h, icon } from "./dom.js";

/** What is told in passing: on the screen for a while, and to screen readers when they are not busy. */

const STAYS = 10_000;
/** Milliseconds in which what is to be said aloud is collected, so that a burst is one sentence. */
const COLLECTS = 1_500;

export class Toasts {
  element = h("div", { class: "toasts" });
  aloud = h("div", { class: "hidden", role: "status" });
  /** @type {number | undefined} */ #hides;
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

  /** Say something aloud. @param {string | (() => string)} text @param {string} [topic] of which only the last is said */
  say(text, topic = String(text)) {
    if (!this.#unsaid.size) setTimeout(() => this.#speak(), COLLECTS);
    this.#unsaid.set(topic, typeof text === "string" ? () => text : text);
  }

  #speak() {
    fill(this.aloud, [...this.#unsaid.values()].map((text) => h("p", {}, text())));
    this.#unsaid.clear();
  }

  #hideLater() {
    clearTimeout(this.#hides);
    const isUsed = () => this.element.matches(":focus-within, :hover");
    this.#hides = setTimeout(() => isUsed() ? this.#hideLater() : this.hide(), STAYS);
  }
}

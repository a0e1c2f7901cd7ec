/**
 * A long list of which only what is near the screen is in the document. Heights differ and are measured; what the
 * reader sees stays where it is, whatever comes, goes or grows above it.
 */

/** Pixels beyond the edges that are rendered as well. */
const OVERSCAN = 600;
const GUESS = 96;
/** Pixels of a row at an edge that nobody sees. */
const SLIVER = 4;
const PASSES = 4;
/** Heights of rows that are gone are kept up to so many. */
const SPARE = 1_000;

/**
 * @typedef {object} Source
 * @property {string[]} ids
 * @property {(id: string, index: number, element: HTMLElement | undefined) => HTMLElement} render makes the element of
 *   a row, or brings it up to date
 * @property {() => boolean} calm whether rows may move: nobody reads just now
 * @property {() => void} onScroll called after what is visible may have changed
 */

export class Viewport {
  /** @type {Map<string, number>} */ #heights = new Map();
  /** @type {Map<string, HTMLElement>} */ #elements = new Map();
  /** Rows on the screen and how far below its top edge each begins, since it was drawn last. @type {[string, number][]} */ #anchors =
    [];
  /** @type {number[]} */ #tops = [0];
  /** @type {string[]} */ #ids = [];
  #width = 0;
  #frame = 0;
  #begins = true;
  #observer = new ResizeObserver(() => this.schedule());
  /** What is on the screen, from top to bottom. @type {string[]} */ visible = [];
  /** How many rows there are below it. */ below = 0;

  /** @param {HTMLElement} scroller @param {HTMLElement} list in it, with the rows @param {Source} source */
  constructor(scroller, list, source) {
    this.scroller = scroller;
    this.list = list;
    this.source = source;
    scroller.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.#observer.observe(scroller);
    this.#observer.observe(list);
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
  }

  /** Draw before the next frame. */
  schedule() {
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** @param {string} id @returns {HTMLElement | undefined} its row, if it is in the document */
  element(id) {
    return this.#elements.get(id);
  }

  /** Begin at the top, with other rows. */
  reset() {
    this.#begins = true;
    this.schedule();
  }

  /** @param {string} id bring it to the screen, with as little movement as that takes */
  reveal(id) {
    this.draw();
    // Twice, since what is measured on the way there differs from what was guessed.
    for (let pass = 0; pass < 2; pass++) {
      const index = this.#ids.indexOf(id);
      if (index < 0) return;
      const [begin, end] = [this.#tops[index], this.#tops[index + 1]];
      const { scrollTop, clientHeight } = this.scroller;
      const fits = end > scrollTop + clientHeight ? end - clientHeight : scrollTop;
      this.scroller.scrollTop = Math.min(begin, fits);
      this.draw();
    }
  }

  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { scroller } = this;
    if (!scroller.clientHeight) return;
    if (scroller.clientWidth !== this.#width) {
      this.#width = scroller.clientWidth;
      this.#heights.clear();
    } else this.#remember();
    this.#ids = [...this.source.ids];
    if (this.#heights.size > this.#ids.length + SPARE) this.#heights.clear();
    const follows = this.#begins || (scroller.scrollTop <= 0 && this.source.calm());
    this.#begins = false;
    for (let pass = 0; pass < PASSES; pass++) {
      this.#layOut();
      const wanted = follows ? 0 : this.#anchoredTop();
      const begin = this.#indexAt(wanted - OVERSCAN);
      const end = this.#indexAt(wanted + scroller.clientHeight + OVERSCAN) + 1;
      this.#sync(begin, Math.min(end, this.#ids.length));
      if (Math.abs(scroller.scrollTop - wanted) >= 1) scroller.scrollTop = wanted;
      if (!this.#measure()) break;
    }
    this.#remember();
    this.source.onScroll();
  }

  /**
   * Where the list has to be for one of the rows that were on the screen to be where it was: rather not the first, which
   * loses its heading when another comes before it.
   */
  #anchoredTop() {
    for (const [id, offset] of [...this.#anchors.slice(1), ...this.#anchors]) {
      const index = this.#ids.indexOf(id);
      if (index >= 0) return Math.max(0, this.#tops[index] - offset);
    }
    return this.scroller.scrollTop;
  }

  #remember() {
    const { scrollTop, clientHeight } = this.scroller;
    const first = this.#indexAt(scrollTop + SLIVER), last = this.#indexAt(scrollTop + clientHeight - SLIVER);
    this.visible = this.#ids.slice(first, last + 1);
    this.below = this.#ids.length - last - 1;
    this.#anchors = this.visible.map((id, index) => [id, this.#tops[first + index] - scrollTop]);
  }

  #layOut() {
    let top = 0;
    const tops = new Array(this.#ids.length + 1);
    for (let index = 0; index < this.#ids.length; index++) {
      tops[index] = top;
      top += this.#heights.get(this.#ids[index]) ?? GUESS;
    }
    tops[this.#ids.length] = top;
    this.#tops = tops;
  }

  /** @param {number} y @returns {number} the row at that distance from the top of all */
  #indexAt(y) {
    let low = 0, high = this.#tops.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** @param {number} begin @param {number} end have the rows from one to before the other in the document, in order */
  #sync(begin, end) {
    const wanted = new Set(this.#ids.slice(begin, end));
    for (const [id, element] of this.#elements) {
      if (wanted.has(id)) continue;
      // Keys go on from here.
      if (element.matches(":focus-within")) this.list.focus({ preventScroll: true });
      element.remove();
      this.#elements.delete(id);
    }
    let next = this.list.firstElementChild;
    for (let index = begin; index < end; index++) {
      const id = this.#ids[index];
      const known = this.#elements.get(id);
      const element = this.source.render(id, index, known);
      this.#elements.set(id, element);
      if (element === next) next = next.nextElementSibling;
      else this.list.insertBefore(element, next);
    }
    this.list.style.paddingTop = `${this.#tops[begin] ?? 0}px`;
    this.list.style.paddingBottom = `${(this.#tops.at(-1) ?? 0) - (this.#tops[end] ?? 0)}px`;
  }

  /** @returns {boolean} whether a row has another height than was thought */
  #measure() {
    let changed = false;
    for (const [id, element] of this.#elements) {
      const { height } = element.getBoundingClientRect();
      const known = this.#heights.get(id);
      changed ||= (known ?? GUESS) !== height;
      this.#heights.set(id, height);
    }
    return changed;
  }
}

/**
 * Making elements. Data becomes text nodes and attributes, never markup.
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, string | number | boolean | null | undefined>} Props attributes; null, undefined and false are
 *   left out, true is an empty one
 */

const SVG = "http://www.w3.org/2000/svg";

/** Shapes on a grid of 16. The first five are filled, and what is cut out tells them apart without colour. @type {Record<string, string>} */
const SHAPES = {
  critical: "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5zM7 4v5h2V4zM7 10.4v2h2v-2z",
  warning: "M8 .6 15.8 14.6H.2zM7.1 5.4v4.8h1.8V5.4zM7.1 11.3v1.8h1.8v-1.8z",
  info: "M8 .8a7.2 7.2 0 1 1 0 14.4A7.2 7.2 0 0 1 8 .8zM7 7v5h2V7zM7 3.8v2h2v-2z",
  failed: "M8 .4 15.6 8 8 15.6.4 8zM5 7v2h6V7z",
  bell: "M8 .8a4.8 4.8 0 0 1 4.8 5l1.7 6.7h-13L3.2 5.8A4.8 4.8 0 0 1 8 .8zM6.2 13.5h3.6a1.8 1.8 0 0 1-3.6 0z",
  waiting: "M8 1.5A6.5 6.5 0 1 1 1.5 8",
  read: "M2 8.5l4 4 8-9",
  unread: "M8 3.5a4.5 4.5 0 1 0 .01 0z",
  trash: "M2 4h12M6 4V2h4v2M3.5 4l1 10h7l1-10",
  again: "M13 2v4H9M13 6a5.5 5.5 0 1 0 .5 3.5",
  back: "M10 3 5 8l5 5",
  link: "M9 2h5v5M14 2 7 9M12 10v4H2V4h4",
  search: "M7 2a5 5 0 1 0 .01 0zM11 11l4 4",
};

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if ((value ?? false) !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...nodes(children));
  return made;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} without those that are left out */
const nodes = (
  children,
) => /** @type {(Node | string)[]} */ (children.flat().filter((child) => (child ?? false) !== false));

/**
 * Give `parent` other children. What has the focus is found again by its name.
 * @param {HTMLElement | ShadowRoot} parent @param {...(Child | Child[])} children
 */
export function fill(parent, ...children) {
  const focused = parent.querySelector(":focus");
  parent.replaceChildren(...nodes(children));
  if (!focused) return;
  const again = /** @type {HTMLElement | null} */ (parent.querySelector(`[name="${focused.getAttribute("name")}"]`));
  (again ?? /** @type {HTMLElement} */ (parent)).focus({ preventScroll: true });
}

/** @param {string} name @returns {SVGSVGElement} a shape that says nothing: the words are beside it */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  made.setAttribute("viewBox", "0 0 16 16");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("class", `icon icon-${name}`);
  path.setAttribute("d", SHAPES[name]);
  path.setAttribute("fill-rule", "evenodd");
  made.append(path);
  return made;
}

/**
 * @param {string} name of the action that it asks for @param {string} label @param {string} [shape] @param {Props} [props]
 * @returns {HTMLButtonElement}
 */
export const button = (name, label, shape, props) =>
  h("button", { type: "button", name, title: label, ...props }, shape && icon(shape), h("span", {}, label));

/** @param {string | null} link @returns {string | null} it, if it is one that a browser opens and does not run */
export function safeLink(link) {
  try {
    const url = new URL(link ?? "");
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

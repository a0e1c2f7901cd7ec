import { serviceTime } from "./api.js";
import { STRINGS } from "./strings.js";

/**
 * What is said, in the languages that there are; numbers and times come from Intl.
 * @typedef {Record<string, (string | Partial<Record<Intl.LDMLPluralRule, string>>)[]>} Strings in each language
 */

const LANGUAGES = ["en", "ru"];
const DAY = 86_400_000;
/** Units of time, their lengths in milliseconds, and how many are told as such; less than a minute is now. @type {[Intl.RelativeTimeFormatUnit, number, number][]} */
const UNITS = [["second", 60_000, 1], ["minute", 60_000, 60], ["hour", 3_600_000, 24], ["day", DAY, 7]];

/** Speaks one language. */
export class Words {
  /**
   * @param {readonly string[]} wanted languages, the dearest first; English if there is none of them
   * @param {Strings} [strings] what can be said
   */
  constructor(wanted, strings = STRINGS) {
    const tag = wanted.find((one) => LANGUAGES.includes(one.slice(0, 2).toLowerCase())) ?? LANGUAGES[0];
    this.lang = tag.slice(0, 2).toLowerCase();
    this.strings = strings;
    // Numbers and times as the reader's own variety of the language has them.
    this.locale = navigator.languages.find((one) => one.startsWith(this.lang)) ?? tag;
    this.plurals = new Intl.PluralRules(this.locale);
    this.relative = new Intl.RelativeTimeFormat(this.locale, { numeric: "auto", style: "short" });
  }

  /** @param {string} key @param {Record<string, string | number>} [values] `n` chooses the plural form */
  say(key, values = {}) {
    const found = this.strings[key]?.[LANGUAGES.indexOf(this.lang)] ?? "";
    const n = Number(values.n ?? 0);
    const text = typeof found === "string" ? found : found[this.plurals.select(n)] ?? found.other ?? "";
    return text.replace(/\{(\w+)\}/g, (_, name) => String(name === "n" ? this.number(n) : values[name] ?? ""));
  }

  /** @param {number} value @param {Intl.NumberFormatOptions} [how] */
  number(value, how) {
    return value.toLocaleString(this.locale, how);
  }

  /** @param {string} time @returns {string} how long ago that was, or its day */
  ago(time) {
    const age = serviceTime() - Date.parse(time);
    for (const [unit, length, most] of UNITS) {
      if (age < length * most) return this.relative.format(-Math.max(0, Math.floor(age / length)), unit);
    }
    return this.day(time);
  }

  /** @param {string} time */
  moment(time) {
    return new Date(time).toLocaleString(this.locale, { dateStyle: "long", timeStyle: "medium" });
  }

  /** @param {string} time @returns {string} its day, by name if that is near */
  day(time) {
    const then = new Date(time), now = new Date(serviceTime());
    const year = then.getFullYear() === now.getFullYear() ? undefined : "numeric";
    const days = Math.round((new Date(time).setHours(0, 0, 0, 0) - now.setHours(0, 0, 0, 0)) / DAY);
    if (days >= -1) return this.relative.format(Math.min(days, 0), "day");
    return then.toLocaleDateString(this.locale, { day: "numeric", month: "long", year });
  }
}

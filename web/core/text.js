// @ts-check
// Numbers, times and texts as people read them.
import { signal } from "../vendor/preact.js";
import { lang, t } from "./words.js";

const UTC = "chancery-utc";
/** Whether times are told in UTC rather than the reader's own. */
export const utc = signal(localStorage.getItem(UTC) === "1");

/** @param {boolean} on */
export function setUtc(on) {
  utc.value = on;
  localStorage.setItem(UTC, on ? "1" : "0");
}

const zone = () => (utc.value ? { timeZone: "UTC" } : {});
/** How the reader writes times: as the browser says, where that is of the page's language. */
const locale = () => navigator.languages.find((one) => one.startsWith(lang.value)) ?? lang.value;

/** @param {string | Date | undefined | null} at */
export function moment(at) {
  if (!at) return "–";
  const when = new Date(at);
  const told = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium", ...zone() }).format(when);
  return utc.value ? `${told} UTC` : told;
}

/** @param {string | Date} at */
export const clock = (at) =>
  new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false, ...zone() }).format(new Date(at));

/** @param {string | Date} at */
export const day = (at) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium", ...zone() }).format(new Date(at));

/** @param {number} of */
export const number = (of) => new Intl.NumberFormat(lang.value).format(of);

/** How long, in words: the largest unit only. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  /** @type {[number, string][]} */
  const units = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, unit] = units.find(([size]) => seconds >= size * (size === 1 ? 0 : 2)) ?? [1, "second"];
  return new Intl.NumberFormat(lang.value, { style: "unit", unit, unitDisplay: "long" }).format(Math.floor(seconds / size));
}

/** @param {string | Date | undefined} at @param {number} now */
export function ago(at, now) {
  if (!at) return t("never");
  const ms = now - new Date(at).getTime();
  return ms < 2000 ? t("just-now") : t("ago", { span: span(ms) });
}

/** A duration as the API has it: `0.012s`. @param {string | undefined} text */
export function took(text) {
  const seconds = Number.parseFloat(text ?? "");
  if (Number.isNaN(seconds)) return "";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** @param {any} value */
export const pretty = (value) => JSON.stringify(value, null, 2);

/** The same, its fields in order. @param {any} value @returns {any} */
function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, ordered(value[name])]));
}

/** Text of a document, to be compared with another: without what is noted by itself, and as it came where it is no JSON. @param {string} text */
export function read(text) {
  try {
    const value = ordered(JSON.parse(text));
    if (value && typeof value === "object") for (const name of ["id", "create_time", "update_time"]) delete value[name];
    return pretty(value);
  } catch {
    return text;
  }
}

/** What a shell takes as one word. @param {string} text */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Whether all words are in a text. @param {string} words @param {string} text */
export function holds(words, text) {
  const small = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => small.includes(word));
}

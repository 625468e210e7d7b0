// @ts-check
// The page's words, in the reader's language. Only those that are read are loaded.
import { effect, signal } from "../vendor/preact.js";

/** @type {Record<string, () => Promise<{default: Record<string, string>}>>} */
const LOADS = { en: () => import("../words/en.js"), zh: () => import("../words/zh.js") };
const LANG = "chancery-lang";
const wished = localStorage.getItem(LANG) ?? navigator.language;

export const lang = signal(wished.startsWith("zh") ? "zh" : "en");
let words = (await LOADS[lang.value]()).default;
effect(() => void (document.documentElement.lang = lang.value === "zh" ? "zh-Hans" : "en"));

/** @param {string} to */
export async function speak(to) {
  words = (await LOADS[to]()).default;
  lang.value = to;
  localStorage.setItem(LANG, to);
}

/**
 * Words as one types them, each with what Chancery calls what they tell of: `已接受` becomes `已接受|accepted`.
 * @param {string} typed
 * @param {string} what `state.`
 * @param {string[]} names
 */
export function meant(typed, what, names) {
  const calls = (/** @type {string} */ word) => names.filter((name) => !name.includes(word) && t(what + name).toLowerCase().includes(word));
  return typed.split(/\s+/).map((word) => [word, ...(word ? calls(word.toLowerCase()) : [])].join("|")).join(" ");
}

/**
 * What is called so, with `{n}` replaced by what is given as `n`.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function t(key, values) {
  // Read, so that whatever shows words is shown anew in another language.
  lang.value;
  const text = words[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : text;
}

// @ts-check
// Calls of the admin port: the only file that speaks to the network. A call is written as OpenAPI has it, `GET /v1/nodes`; what
// of its fields is no part of the path becomes the query, or the JSON body where there is one.
import { signal } from "../vendor/preact.js";
import { t } from "./words.js";

const KEY = "chancery-key";
/** How long Chancery may take to answer, in ms. */
const PATIENCE = 20_000;

/** What stands before `/v1`: the page may be below a path of somebody's proxy. */
const root = new URL(".", location.href.split("#")[0]).href;

/** Since when Chancery does not answer, and why. */
export const away = signal(/** @type {{since: Date, why: string} | null} */ (null));
/** Whether a key is asked for, and why. */
export const keyAsked = signal(/** @type {string | null} */ (null));
/** Counts up when Chancery is back, or somebody else looks: what is shown is asked for anew. */
export const epoch = signal(0);
/** What this Chancery is and what the caller may. */
export const status = signal(/** @type {any} */ (null));

/** Calls that wait for a key. */
let waiting = /** @type {(() => void)[]} */ ([]);

/** Tries a key with one call, as each call with a wrong one counts as a guess. @param {string} key */
export async function giveKey(key) {
  const answer = await fetch(`${root}v1/status`, { headers: { "x-api-key": key }, cache: "no-store" }).catch(() => null);
  if (answer && (answer.status === 401 || answer.status === 429)) {
    keyAsked.value = (await reason(answer)).message;
    return;
  }
  sessionStorage.setItem(KEY, key);
  keyAsked.value = null;
  const all = waiting;
  waiting = [];
  for (const again of all) again();
  epoch.value += 1;
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
  status.value = null;
  epoch.value += 1;
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/** Why a call was refused, as Chancery says. */
export class Refused extends Error {
  /** @param {number} code @param {string} message @param {any} body */
  constructor(code, message, body) {
    super(message);
    this.code = code;
    this.body = body;
  }
}

/** Chancery did not answer. */
export class Away extends Error {}

/** @param {string} role */
export const may = (role) => (status.value?.roles ?? []).includes(role);
/** Whether this caller can write documents. */
export const mayWrite = () => may("admin") && status.value?.writable;
/** Whether this caller can take instances out: drains are kept where documents are written. */
export const mayDrain = () => may("drain") && status.value?.writable;
/** Whether anything can be changed now. */
export const reachable = () => !away.value;

/**
 * @param {string} call
 * @param {Record<string, any>} fields
 * @param {{signal?: AbortSignal, lasts?: boolean, within?: number, headers?: Record<string, string>, query?: Record<string, any>}} more
 */
async function send(call, fields, more) {
  const [method, template] = call.split(" ");
  const rest = { ...fields };
  const path = template.replace(/\{(\w+)\}/g, (_, name) => {
    const value = encodeURIComponent(rest[name]);
    delete rest[name];
    return value;
  });
  const query = new URLSearchParams();
  const inQuery = method === "GET" || method === "DELETE" ? rest : (more.query ?? {});
  for (const [name, value] of Object.entries(inQuery)) {
    if (value === undefined || value === "" || value === null) continue;
    for (const one of [value].flat()) query.append(name, String(one));
  }
  const headers = new Headers(more.headers);
  let body;
  if (method !== "GET" && method !== "DELETE") {
    body = JSON.stringify(rest.body ?? rest);
    headers.set("content-type", "application/json");
  }
  const given = () => new Promise((again) => waiting.push(() => again(undefined)));
  for (;;) {
    if (keyAsked.value !== null) await given();
    const key = sessionStorage.getItem(KEY);
    if (key) headers.set("x-api-key", key);
    const url = root + path.slice(1) + (query.size ? `?${query}` : "");
    const late = more.lasts ? [] : [AbortSignal.timeout(more.within ?? PATIENCE)];
    const ends = AbortSignal.any([...(more.signal ? [more.signal] : []), ...late]);
    let answer;
    try {
      answer = await fetch(url, { method, headers, body, signal: ends, cache: "no-store", credentials: "same-origin" });
    } catch (error) {
      if (more.signal?.aborted) throw error;
      lost(error instanceof Error && error.name === "TimeoutError" ? t("away.late") : t("away.gone"));
      throw new Away(t("away.gone"));
    }
    // What stands before Chancery has no JSON to say that it is not there.
    if (answer.headers.get("content-type")?.includes("json")) back();
    else if (answer.status === 502 || answer.status === 504) lost(t("away.gone"));
    if (answer.status !== 401) return answer;
    // Whoever was in the middle of something goes on once there is a key.
    if (sessionStorage.getItem(KEY) !== key) continue;
    keyAsked.value = t(key ? "key.refused" : "key.needed");
    await given();
  }
}

/** @param {string} why */
export function lost(why) {
  if (!away.value) away.value = { since: new Date(), why };
}

export function back() {
  if (!away.value) return;
  away.value = null;
  epoch.value += 1;
}

/** @param {Response} answer */
async function reason(answer) {
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  const message = body?.error_msg ?? body?.message ?? (text.trim() || answer.statusText || String(answer.status));
  return new Refused(answer.status, message, body);
}

/**
 * @param {string} call
 * @param {Record<string, any>} [fields]
 * @param {{signal?: AbortSignal, within?: number, headers?: Record<string, string>, query?: Record<string, any>}} [more]
 * @returns {Promise<any>}
 */
export async function ask(call, fields = {}, more = {}) {
  const answer = await send(call, fields, more);
  if (!answer.ok && answer.status !== 504) throw await reason(answer);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/**
 * Reads a stream line by line, each a message; ends when it does.
 * @param {string} call
 * @param {Record<string, any>} fields
 * @param {AbortSignal} signal
 * @param {(message: any) => void} told
 * @param {() => void} [opened]
 */
export async function follow(call, fields, signal, told, opened) {
  const answer = await send(call, fields, { signal, lasts: true });
  if (!answer.ok) throw await reason(answer);
  opened?.();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (signal.aborted) return;
      throw new Away(t("away.gone"));
    }
    if (part.done) return;
    const lines = (rest + decoder.decode(part.value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) told(JSON.parse(line));
  }
}

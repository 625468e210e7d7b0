// @ts-check
// Where one is: what follows the hash, so that the page works below any path. `#/documents/routes?q=shop`.
import { signal } from "../vendor/preact.js";

/** @param {string} hash */
function read(hash) {
  const [path, query = ""] = hash.replace(/^#?\/?/, "").split("?");
  return { steps: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

export const place = signal(read(location.hash));

/** What asks before one leaves: an edit that is not saved. */
export const guard = { leaves: /** @type {null | (() => boolean)} */ (null) };
let current = location.hash;

window.addEventListener("hashchange", () => {
  if (location.hash === current) return;
  if (guard.leaves && !guard.leaves()) {
    history.replaceState(null, "", current || "#/");
    return;
  }
  current = location.hash;
  place.value = read(current);
});
window.addEventListener("beforeunload", (event) => {
  if (guard.leaves) event.preventDefault();
});

/**
 * @param {string[]} steps
 * @param {Record<string, string | undefined>} [query]
 */
export function to(steps, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  return `#/${steps.map(encodeURIComponent).join("/")}${search.size ? `?${search}` : ""}`;
}

/** @param {string[]} steps @param {Record<string, string | undefined>} [query] */
export function go(steps, query) {
  location.hash = to(steps, query);
}

/** Changes a parameter without a step in the browser's history: what is looked for otherwise begins at its first page. @param {string} name @param {string} value */
export function set(name, value) {
  const { steps, query } = place.value;
  const { page: _, ...all } = Object.fromEntries(query);
  current = to(steps, { ...all, [name]: value });
  history.replaceState(null, "", current);
  place.value = read(current);
}

/** Where a document is shown. @param {string} path */
export const toDocument = (path) => to(["documents", ...split(path)]);

/** `consumers/jack/credentials/one` is of the kind `credentials`. @param {string} path */
export function split(path) {
  const [kind, ...id] = path.split("/");
  return [kind, id.join("/")];
}

// @ts-check
// A table. Of many rows only those are there that can be seen; the column that orders it is in the URL.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { place, set } from "../core/place.js";
import { number } from "../core/text.js";
import { meant, t } from "../core/words.js";

/** A row's height, in px: the style sheet says the same. */
const ROW = 45;
/** So many rows are all there. */
const ALL = 120;
const MORE = 12;
/** So long nobody types before it is looked for, in ms. */
const STILL = 80;

/** How many rows a page has, of a list that Chancery searches and sorts. */
const PAGE = 100;

/** What of such a list the URL asks for. Its entries have these states. @param {string[]} states */
export function asked(states, size = PAGE) {
  const query = place.value.query;
  return { search: meant(query.get("q") ?? "", "state.", states), sort: query.get("sort") ?? "", page: Number(query.get("page") ?? 1), pageSize: size };
}

/** Which page it is, and the way to the others. */
export function Pager({ total, size = PAGE }) {
  const { page } = asked([]);
  const pages = Math.ceil(total / size);
  if (pages < 2 && page < 2) return null;
  const turn = (to, word) => html`<button class="small" disabled=${to < 1 || to > pages} onClick=${() => set("page", String(to))}>${t(word)}</button>`;
  return html`<nav class="pager" aria-label=${t("pages")}>${turn(page - 1, "page.before")}
    <span class="faint num">${t("page.of", { from: number(Math.min((page - 1) * size + 1, total)), to: number(Math.min(page * size, total)), n: number(total) })}</span> ${turn(page + 1, "page.next")}</nav>`;
}

/**
 * @typedef {{
 *   id: string, title: any, cell: (row: any) => any, sort?: true | ((row: any) => string | number), minor?: boolean, end?: boolean,
 * }} Column
 * @param {{columns: Column[], rows: any[], id: (row: any) => string, name: string, stay?: boolean}} props
 * `stay`: the order is what it is. A column's `sort` is true where Chancery sorts by its id
 */
export function Table({ columns, rows, id, name, stay = false }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [from, move] = useState(0);
  const order = stay ? "" : (place.value.query.get("sort") ?? "");
  const [, sign, by] = /^(-?)(.*)$/.exec(order) ?? ["", "", ""];
  const sorting = columns.find((column) => column.id === by && column.sort);
  let shown = rows;
  const of = sorting?.sort;
  if (of && of !== true) {
    const way = sign ? -1 : 1;
    const compare = new Intl.Collator(undefined, { numeric: true }).compare;
    shown = [...rows].sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      return way * (typeof x === "number" && typeof y === "number" ? x - y : compare(String(x), String(y)));
    });
  }
  // On a phone rows are cards, as high as they are: some of them are there, and more where one asks.
  const cards = columns.length > 1 && matchMedia("(max-width: 40rem)").matches;
  const [upto, show] = useState(ALL);
  const windowed = shown.length > ALL && !cards;
  const seen = windowed ? Math.ceil((box.current?.clientHeight ?? 800) / ROW) + 2 * MORE : shown.length;
  const first = windowed ? Math.max(0, Math.min(from - MORE, shown.length - seen)) : 0;
  const part = shown.slice(first, cards ? upto : first + seen);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    move(0);
  }, [order, place.value.query.get("page")]);
  const scroll = () => windowed && move(Math.floor((box.current?.scrollTop ?? 0) / ROW));
  const gap = (height) =>
    height > 0 && html`<tr class="gap" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${height}px` }}></td></tr>`;
  const turn = (/** @type {Column} */ column) => set("sort", order === column.id ? `-${column.id}` : order === `-${column.id}` ? "" : column.id);
  const words = place.value.query.get("q");
  if (rows.length === 0 && words) return html`<p class="card">${t("search.none", { q: words })}</p>`;
  return html`<div class="table ${windowed ? "windowed" : columns.length > 1 ? "cells" : ""}" ref=${box} onScroll=${scroll} tabindex="0" role="region" aria-label=${name}>
    <table aria-rowcount=${shown.length + 1}>
      <thead><tr>
        ${columns.map((column) => html`<th scope="col" key=${column.id} class=${look(column)}
          aria-sort=${sorting === column ? (sign ? "descending" : "ascending") : undefined}>
          ${column.sort && !stay ? html`<button class="sort" onClick=${() => turn(column)}>${column.title}</button>` : column.title}
        </th>`)}
      </tr></thead>
      <tbody>
        ${gap(first * ROW)}
        ${part.map((row, at) => html`<tr key=${id(row)} aria-rowindex=${first + at + 2}>
          ${columns.map((column) => html`<td class=${look(column)} data-of=${windowed || typeof column.title !== "string" ? undefined : column.title}>${column.cell(row)}</td>`)}
        </tr>`)}
        ${windowed && gap((shown.length - first - part.length) * ROW)}
      </tbody>
    </table>
    ${cards && shown.length > upto && html`<p class="pager"><button class="small" onClick=${() => show(upto + ALL)}>${t("more")}</button></p>`}
  </div>`;
}

/** @param {Column} column */
const look = (column) => `${column.minor ? "minor " : ""}${column.end ? "end " : ""}${column.id === "do" ? "do" : ""}`.trim() || undefined;

/** A field that finds, and how many it found: of how many, where that is known. What is looked for is in the URL. */
export function Search({ found, all = found, hint }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    const key = (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.key !== "/" || target.closest("input, textarea, select, dialog")) return;
      event.preventDefault();
      field.current?.focus();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, []);
  const words = place.value.query.get("q") ?? "";
  const [typed, show] = useState(words);
  const timer = useRef(0);
  // Who types does not wait for what is found.
  const type = (event) => {
    const text = event.target.value;
    show(text);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      set("q", text);
    }, STILL);
  };
  // Whoever has typed on meanwhile loses nothing of it.
  useEffect(() => {
    if (!timer.current) show(words);
  }, [words]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<div class="search">
    <input ref=${field} type="search" aria-label=${hint} placeholder=${hint} value=${typed} onInput=${type} />
    <span class="faint" aria-live="polite">${words && all !== found ? t("n-of-m", { n: number(found), m: number(all) }) : number(found)}</span>
  </div>`;
}

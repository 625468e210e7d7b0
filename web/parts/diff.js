// @ts-check
// How things differ: two texts, line by line; and what Envoy would be sent otherwise.
import { html } from "../vendor/preact.js";
import { read } from "../core/text.js";
import { t } from "../core/words.js";

/** Of texts with more lines in their differing parts, all lines are shown as replaced. */
const MOST = 2000;
/** Lines around a difference. */
const NEAR = 3;

/**
 * @param {string[]} a @param {string[]} b
 * @returns {[" " | "-" | "+", string][]}
 */
export function lines(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  /** @type {[" " | "-" | "+", string][]} */
  const all = a.slice(0, head).map((line) => [" ", line]);
  if (x.length > MOST || y.length > MOST) {
    all.push(...x.map((line) => /** @type {["-", string]} */ (["-", line])), ...y.map((line) => /** @type {["+", string]} */ (["+", line])));
  } else {
    const width = y.length + 1;
    const same = new Uint16Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; i -= 1)
      for (let j = y.length - 1; j >= 0; j -= 1)
        same[i * width + j] = x[i] === y[j] ? same[(i + 1) * width + j + 1] + 1 : Math.max(same[(i + 1) * width + j], same[i * width + j + 1]);
    let [i, j] = [0, 0];
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) (all.push([" ", x[i]]), (i += 1), (j += 1));
      else if (i < x.length && (j === y.length || same[(i + 1) * width + j] >= same[i * width + j + 1])) (all.push(["-", x[i]]), (i += 1));
      else (all.push(["+", y[j]]), (j += 1));
    }
  }
  for (const line of a.slice(a.length - tail)) all.push([" ", line]);
  return all;
}

/** Two texts as one, with what goes and what comes. JSON is shown as one reads it. */
export function Diff({ before, after, label }) {
  const split = (text) => (text ? read(text).split("\n") : []);
  const all = lines(split(before), split(after));
  const near = all.map(([sign], at) => all.slice(Math.max(0, at - NEAR), at + NEAR + 1).some(([other]) => other !== " ") || sign !== " ");
  if (!near.includes(true)) return html`<p class="faint">${t("diff.none")}</p>`;
  const words = { " ": "", "-": t("diff.goes"), "+": t("diff.comes") };
  return html`<div class="diff" tabindex="0" role="region" aria-label=${label ?? t("diff.title")}>
    ${all.map(([sign, line], at) => {
      if (!near[at]) return (at === 0 || near[at - 1]) && html`<div class="skip">⋯</div>`;
      const tag = sign === "-" ? "del" : sign === "+" ? "ins" : "span";
      return html`<${tag} class="line" title=${words[sign]}><b aria-hidden="true">${sign}</b>${line}<//>`;
    })}
  </div>`;
}

/** @param {{of: any[]}} props */
export function Foreseen({ of }) {
  const some = of.filter((one) => one.types.length > 0);
  if (some.length === 0) return html`<p class="faint">${t("foreseen.none")}</p>`;
  return html`<div class="foreseen">${some.map((one) => html`<section>
    <h4><span class="mono">${one.gateway}</span> ${one.cohort && html`<span class="faint">${one.cohort}</span>`}</h4>
    ${one.touchesListener && html`<p class="note warn">${t("foreseen.listener")}</p>`}
    ${one.shadowedCount > 0 && html`<p class="note warn">${t("foreseen.shadowed", { n: one.shadowedCount })}
      ${one.shadowed.slice(0, 5).map(({ route, by }) => html` <code>${route}</code> ← <code>${by}</code>`)}${one.shadowedCount > 5 && " …"}</p>`}
    <ul>${one.types.map((type) => html`<li><b>${t(`type.${type.type}`)}</b>
      ${["added", "changed", "removed"].map((what) => {
        const count = type[`${what}Count`];
        return count > 0 && html`<span class="what ${what}"><span class="sign">${t(`foreseen.${what}`, { n: count })}</span>
          ${type[what].slice(0, 5).map((name) => html`<code>${name}</code>`)}${count > 5 && html`<span class="faint">…</span>`}</span>`;
      })}</li>`)}</ul>
  </section>`)}</div>`;
}

/** What Envoy does not do exactly. @param {{of: string[]}} props */
export function Warnings({ of }) {
  return of.length > 0 && html`<div class="note warn"><strong>${t("warnings")}</strong><ul>${of.map((one) => html`<li>${one}</li>`)}</ul></div>`;
}

// @ts-check
// What Envoy would be sent otherwise.
import { html } from "../vendor/preact.js";
import { t } from "../core/words.js";

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

// @ts-check
// How far a change is: which Envoys of each gateway have it, who has not and why. It moves with each answer of a proxy.
import { html, signal, useEffect, useState } from "../vendor/preact.js";
import { Away, away, follow } from "../core/api.js";
import { now } from "../core/live.js";
import { to } from "../core/place.js";
import { moment, span } from "../core/text.js";
import { t } from "../core/words.js";
import { DocumentLink, State } from "./basics.js";

/** What was last written here: the overview shows how far it is. */
export const running = signal(/** @type {string | null} */ (null));
const PATIENCE = "60s";

/** How many proxies of each gateway have it. @param {{of: {gateway: string, accepted: number, expected: number}[], link?: boolean}} props */
export function Shares({ of, link = false }) {
  return html`${of.map(({ gateway, accepted, expected }) => html`<div class="gateway">${link ? html`<a class="mono" href=${to(["proxies"], { q: gateway })}>${gateway}</a>` : html`<span class="mono">${gateway}</span>`}
    <progress max=${expected} value=${accepted} aria-label=${gateway}></progress><span class="num">${t("n-of-m", { n: accepted, m: expected })}</span></div>`)}`;
}

/**
 * @param {{revision: string, rollBack?: (() => void) | null}} props
 */
export function Bar({ revision, rollBack = null }) {
  const [told, tell] = useState(/** @type {any} */ (null));
  const [over, end] = useState(false);
  const [round, again] = useState(0);
  useEffect(() => {
    const ends = new AbortController();
    end(false);
    const run = async () => {
      try {
        await follow("GET /v1/wait/stream", { revision, timeout: PATIENCE }, ends.signal, tell);
      } catch (error) {
        if (!(error instanceof Away) && !ends.signal.aborted) tell({ error });
      }
      if (!ends.signal.aborted) end(true);
    };
    run();
    return () => ends.abort();
  }, [revision, round, away.value === null]);
  if (!told) return html`<div class="confirm" role="status">${t("bar.asking")}</div>`;
  if (told.error) return html`<div class="confirm note bad" role="alert">${told.error.message}</div>`;
  const nobody = told.expected === 0;
  const refused = told.rejected.length > 0;
  const state = refused ? "bad" : told.confirmed ? "good" : nobody ? "none" : over ? "warn" : "busy";
  const title = refused
    ? t("bar.refused")
    : told.confirmed
      ? t("bar.confirmed", { n: told.accepted, m: told.expected })
      : nobody
        ? t("bar.nobody")
        : t(over ? "bar.late" : "bar.waiting", { n: told.accepted, m: told.expected });
  return html`<section class="confirm ${state}" aria-label=${t("bar.title")}>
    <p class="title" role="status"><${State} of=${{ good: "confirmed", bad: "refused", warn: "behind" }[state] ?? "unknown"}>${title}<//>
      <a class="faint" href=${to(["changes", revision])}>${t("revision-n", { n: revision })}</a></p>
    ${!refused && html`<${Shares} of=${told.gateways} />`}
    ${refused && html`<ul>${told.rejected.map((one) => html`<li><${DocumentLink} path=${one.document} />: ${one.reason}</li>`)}</ul>
      <p>${t("bar.refused.do")}</p>`}
    ${!refused && told.behind.length > 0 && html`<ul>${told.behind.map((one) => html`<li>
      ${one.node ? html`<a class="mono" href=${to(["proxies", one.node])}>${one.node}</a>` : html`<span class="mono">${one.replica}</span>`}
      ${one.since && html` <span class="faint" title=${moment(one.since)}>${t("bar.since", { span: span(now.value - new Date(one.since).getTime()) })}</span>`}${one.reason && `: ${one.reason}`}</li>`)}</ul>`}
    ${told.left > 0 && html`<p class="faint">${t("bar.left", { n: told.left })}</p>`}
    ${over && !told.confirmed && html`<p class="buttons">
      ${!refused && html`<button onClick=${() => again(round + 1)}>${t("bar.again")}</button>`}
      ${rollBack && html`<button class="danger" onClick=${rollBack}>${t("roll-back")}</button>`}</p>`}
  </section>`;
}

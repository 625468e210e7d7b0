// @ts-check
// How far a change is: which Envoys of each gateway have it, who has not and why. It moves with each answer of a proxy.
import { html, signal, useEffect, useRef, useState } from "../vendor/preact.js";
import { Away, away, follow } from "../core/api.js";
import { now } from "../core/live.js";
import { to } from "../core/place.js";
import { moment, span } from "../core/text.js";
import { t } from "../core/words.js";
import { DocumentLink, State } from "./basics.js";

/** What was last written here: the overview shows how far it is. */
export const running = signal(/** @type {string | null} */ (null));
/** A proxy that hangs is noticed, and counted as gone, later than that. */
const PATIENCE = "30s";

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
  const [broken, breaks] = useState(false);
  const concerned = useRef(/** @type {string[] | null} */ (null));
  useEffect(() => {
    const ends = new AbortController();
    end(false);
    const run = async () => {
      try {
        await follow("GET /v1/wait/stream", { revision, timeout: PATIENCE }, ends.signal, tell);
      } catch (error) {
        if (ends.signal.aborted) return;
        // It is asked again when Chancery is back.
        if (error instanceof Away) return breaks(true);
        tell({ error });
      }
      if (!ends.signal.aborted) end(true);
    };
    run();
    return () => ends.abort();
  }, [revision, round]);
  useEffect(() => {
    if (!broken || away.value) return;
    breaks(false);
    again(round + 1);
  }, [broken, away.value]);
  if (!told) return html`<div class="confirm" role="status">${t("bar.asking")}</div>`;
  if (told.error) return html`<div class="confirm note bad" role="alert">${told.error.message}</div>`;
  // Only whom it concerns is counted: who is late with something else holds nothing up. Those are the gateways that it was
  // first published to; what comes later concerns others.
  if (!concerned.current && told.gateways.length > 0 && told.behind.every((one) => one.node)) concerned.current = told.gateways.map((one) => one.gateway);
  const gateways = told.gateways.filter((one) => concerned.current?.includes(one.gateway) ?? true);
  const late = told.behind.filter((one) => !one.node || gateways.some(({ gateway }) => gateway === one.gateway));
  const [n, m] = gateways.reduce(([n, m], one) => [n + one.accepted, m + one.expected], [0, 0]);
  const refused = told.rejected.length > 0;
  const done = !refused && (told.confirmed || (told.expected > 0 && late.length === 0 && n === m));
  const nobody = told.expected === 0;
  const state = refused ? "bad" : done ? "good" : nobody ? "none" : over ? "warn" : "busy";
  const title = refused ? t("bar.refused") : nobody ? t("bar.nobody") : m === 0 ? t(done ? "bar.nothing" : "bar.asking") : t(done ? "bar.confirmed" : over ? "bar.late" : "bar.waiting", { n, m });
  return html`<section class="confirm ${state}" aria-label=${t("bar.title")}>
    <p class="title" role="status"><${State} of=${{ good: "confirmed", bad: "refused", warn: "behind" }[state] ?? "unknown"}>${title}<//>
      <a class="faint" href=${to(["changes", revision])}>${t("revision-n", { n: revision })}</a></p>
    ${!refused && html`<${Shares} of=${gateways} />`}
    ${refused && html`<ul>${told.rejected.map((one) => html`<li><${DocumentLink} path=${one.document} />: ${one.reason}</li>`)}</ul>
      <p>${t("bar.refused.do")}</p>`}
    ${!refused && late.length > 0 && html`<ul>${late.map((one) => html`<li>
      ${one.node ? html`<a class="mono" href=${to(["proxies", one.node])}>${one.node}</a>` : html`<span class="mono">${one.replica}</span>`}
      ${one.since && html` <span class="faint" title=${moment(one.since)}>${t("bar.since", { span: span(now.value - new Date(one.since).getTime()) })}</span>`}${one.reason && `: ${one.reason}`}</li>`)}</ul>`}
    ${told.left > 0 && html`<p class="faint">${t("bar.left", { n: told.left })}</p>`}
    ${over && !done && html`<p class="buttons">
      ${!refused && html`<button onClick=${() => again(round + 1)}>${t("bar.again")}</button>`}
      ${rollBack && html`<button class="danger" onClick=${rollBack}>${t("roll-back")}</button>`}</p>`}
  </section>`;
}

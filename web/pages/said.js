// @ts-check
// What happens, as it happens; and who did what, as it was noted.
import { html, useRef, useState } from "../vendor/preact.js";
import { ask } from "../core/api.js";
import { useEvents, useLoad } from "../core/live.js";
import { place, to } from "../core/place.js";
import { clock, holds, took } from "../core/text.js";
import { t } from "../core/words.js";
import { Ago, Empty, Loaded, Page, Same, State } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";

const SHOWN = 200;

/** An event in one line. @param {any} event */
function row(event) {
  const { published, answer, missed, written } = event;
  if (written) return { state: "done", word: t("live.written"), revision: written.revision, text: `${written.documents.join(", ")}${written.count > written.documents.length ? ", …" : ""}` };
  if (published) {
    const what = published.changes.map((one) => `${t(`type.${one.type}`)} +${one.added} ~${one.changed} -${one.removed}`).join(", ");
    return { state: "up", word: t("live.published"), gateway: published.gateway, revision: published.revision, text: what };
  }
  if (answer) {
    const text = answer.error || took(answer.took);
    return { state: answer.error ? "refused" : "confirmed", word: t(answer.error ? "state.refused" : "live.accepted"), gateway: answer.gateway, node: answer.node, type: answer.type, revision: answer.revision, text };
  }
  return missed && { state: "warning", word: t("live.missed", { n: missed.events }), text: "" };
}

export function Live() {
  const [all, keep] = useState(/** @type {any[]} */ ([]));
  const [paused, pause] = useState(false);
  const count = useRef(0);
  const words = place.value.query.get("q") ?? "";
  useEvents((events) => {
    if (paused) return;
    const fresh = events.map((event) => ({ ...row(event), time: event.time, id: String((count.current += 1)) })).filter((one) => one.state);
    if (fresh.length) keep((before) => [...fresh.reverse(), ...before].slice(0, SHOWN));
  });
  const found = words ? all.filter((one) => holds(words, [one.word, one.gateway, one.node, one.type, one.type && t(`type.${one.type}`), one.text, one.revision].join(" "))) : all;
  return html`<${Page} title=${t("nav.live")} lead=${t("live.lead")} actions=${html`<button aria-pressed=${paused ? "true" : "false"} onClick=${() => pause(!paused)}>${t(paused ? "live.go" : "live.pause")}</button>`}>
    ${all.length === 0 ? html`<${Empty} title=${t("live.none")}>${t("live.none.why")}<//>` : html`<div class="card flush"><header><${Search} found=${found.length} all=${all.length} hint=${t("search.live")} /></header>
      <${Table} stay name=${t("nav.live")} rows=${found} id=${(one) => one.id} columns=${[
        { id: "time", title: t("col.time"), cell: (one) => html`<time class="mono" datetime=${one.time}>${clock(one.time)}</time>` },
        { id: "what", title: t("col.what"), cell: (one) => html`<${State} of=${one.state}>${one.word}<//>` },
        { id: "gateway", title: t("col.gateway"), minor: true, cell: (one) => one.gateway },
        { id: "node", title: t("col.node"), cell: (one) => one.node && html`<a class="mono" href=${to(["proxies", one.node])}>${one.node}</a>` },
        { id: "type", title: t("col.type"), minor: true, cell: (one) => one.type && t(`type.${one.type}`) },
        { id: "text", title: t("col.detail"), cell: (one) => one.text },
        { id: "revision", title: t("col.revision"), end: true, minor: true, cell: (one) => one.revision },
      ]} /></div>`}
    <${Same} args=${["chancery", "watch"]} />
  <//>`;
}

/** What came of it. A call that was refused is refused by Chancery. */
const result = (one) => t(one.result === "refused" ? "audit.refused" : `state.${one.result}`);

export function Audit() {
  const from = useLoad(async (signal) => (await ask("GET /v1/audit", { limit: 1000 }, { signal })).records, []);
  const words = place.value.query.get("q") ?? "";
  return html`<${Page} title=${t("nav.audit")} lead=${t("audit.lead")}>
    <${Loaded} from=${from}>${(all) => {
      if (all.length === 0) return html`<${Empty} title=${t("audit.none")}>${t("audit.none.why")}<//>`;
      const rows = all.map((record, at) => ({ ...record, at }));
      const found = words ? rows.filter((one) => holds(words, [one.who, one.from, one.action, one.step, one.what, one.result, result(one), one.detail].join(" "))) : rows;
      return html`<div class="card flush"><header><${Search} found=${found.length} all=${rows.length} hint=${t("search.audit")} /></header>
        <${Table} stay name=${t("nav.audit")} rows=${found} id=${(one) => String(one.at)} columns=${[
          { id: "time", title: t("col.when"), cell: (one) => html`<${Ago} at=${one.time} />` },
          { id: "who", title: t("col.who"), cell: (one) => (one.who ? html`${one.who}<small>${one.from}</small>` : one.from) },
          { id: "action", title: t("col.action"), cell: (one) => html`${one.action}<small>${one.step}</small>` },
          { id: "what", title: t("col.what"), cell: (one) => html`<span class="mono">${one.what}</span>` },
          { id: "result", title: t("col.result"), cell: (one) => html`<${State} of=${one.result}>${result(one)}<//>${one.detail && html`<small>${one.detail}</small>`}` },
          { id: "took", title: t("col.took"), minor: true, end: true, cell: (one) => took(one.took) },
        ]} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "audit"]} />
  <//>`;
}

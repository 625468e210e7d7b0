// @ts-check
// What was changed, by whom, who has it; and the way back.
import { html, useState } from "../vendor/preact.js";
import { ask, mayWrite, reachable } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { go, place, to } from "../core/place.js";
import { took } from "../core/text.js";
import { meant, t } from "../core/words.js";
import { Bar, running } from "../parts/bar.js";
import { Ago, Dialog, DocumentLink, Empty, Facts, Loaded, Moment, Page, Same, State, Trouble } from "../parts/basics.js";
import { Diff, Foreseen, Warnings } from "../parts/diff.js";
import { Search, Table } from "../parts/table.js";

/** The entries of a history, by the change that they belong to. @param {any[]} entries */
export function byRevision(entries) {
  const all = new Map();
  for (const entry of entries) {
    const change = all.get(entry.revision) ?? { revision: entry.revision, time: entry.time, who: entry.who || entry.from, from: entry.from, action: entry.action, reason: entry.reason, entries: [] };
    change.entries.push(entry);
    all.set(entry.revision, change);
  }
  return [...all.values()];
}

export function Changes() {
  const words = place.value.query.get("q") ?? "";
  const from = useLoad(async (signal) => {
    const search = meant(words, "change.", ["create", "change", "delete"]);
    const { entries } = await ask("GET /v1/history", { limit: 1000, search }, { signal });
    return byRevision(entries);
  }, [words], { keeps: true });
  return html`<${Page} title=${t("nav.changes")} lead=${t("changes.lead")}>
    <${Loaded} from=${from}>${(found) => {
      if (found.length === 0 && !words) return html`<${Empty} title=${t("changes.none")} command="chancery apply -f routes.yaml">${t("changes.none.why")}<//>`;
      return html`<div class="card flush"><header><${Search} found=${found.length} hint=${t("search.changes")} /></header>
        <${Table} stay name=${t("nav.changes")} rows=${found} id=${(row) => row.revision} columns=${[
          { id: "revision", title: t("col.revision"), cell: (row) => html`<a href=${to(["changes", row.revision])}>${row.revision}</a>` },
          { id: "when", title: t("col.when"), cell: (row) => html`<${Ago} at=${row.time} />` },
          { id: "who", title: t("col.who"), cell: (row) => row.who },
          { id: "documents", title: t("col.documents"), cell: (row) => html`${row.entries.slice(0, 3).map((entry) => html`<span class="tag">${entry.document}</span>`)}${row.entries.length > 3 && `+${row.entries.length - 3}`}` },
          { id: "change", title: t("col.change"), minor: true, cell: (row) => t(`change.${row.entries[0].change}`) },
          { id: "confirmed", title: t("col.confirmed"), cell: (row) => html`<${Confirmed} of=${row.entries[0].gateways} />` },
          { id: "took", title: t("changes.took"), minor: true, end: true, cell: (row) => took(row.entries[0].took) },
          { id: "reason", title: t("reason"), minor: true, cell: (row) => row.reason },
        ]} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "history"]} />
  <//>`;
}

/** How many proxies of each gateway have a change. */
const Confirmed = ({ of }) =>
  of.map(({ gateway, accepted, expected }) => html`<${State} of=${accepted === expected ? "confirmed" : "behind"}>${t("n-of-m", { n: accepted, m: expected })} ${of.length > 1 && html`<span class="faint">${gateway}</span>`}<//> `);

export function Change({ revision }) {
  const from = useLoad(async (signal) => {
    const before = String(Number(revision) - 1);
    const [{ entries }, diff] = await Promise.all([
      ask("GET /v1/history", { revision, limit: 1000 }, { signal }),
      ask("GET /v1/diff", { from: before, to: revision }, { signal }),
    ]);
    return { change: byRevision(entries)[0], diff };
  }, [revision], { still: true });
  const [undo, ask_] = useState(false);
  return html`<${Page} title=${t("change-n", { n: revision })} back=${{ href: to(["changes"]), title: t("nav.changes") }}
    actions=${mayWrite() && from.data?.change && html`<button class="danger" disabled=${!reachable()} onClick=${() => ask_(true)}>${t("roll-back")}</button>`}>
    <${Bar} key=${revision} revision=${revision} rollBack=${mayWrite() ? () => ask_(true) : null} />
    <${Loaded} from=${from}>${({ change, diff }) => html`
      ${change && html`<div class="card"><${Facts} of=${[
        [t("col.when"), html`<${Moment} at=${change.time} />`],
        [t("col.who"), change.who],
        [t("col.from"), change.from],
        [t("col.action"), t(`action.${change.action}`)],
        [t("changes.took"), took(change.entries[0].took)],
        [t("reason"), change.reason],
      ]} /></div>`}
      <section class="card"><h2>${t("change.documents")}</h2>
        ${diff.documents.length === 0 && html`<p class="faint">${t("diff.none")}</p>`}
        ${diff.documents.map((one) => html`<h3><${DocumentLink} path=${one.document} /></h3>${one.lost ? html`<p>${one.lost}</p>` : html`<${Diff} before=${one.before} after=${one.after} label=${one.document} />`}`)}</section>
      <section class="card"><h2>${t("change.envoy")}</h2><${Foreseen} of=${diff.envoys} /></section>`}<//>
    ${undo && html`<${Undo} change=${revision} documents=${from.data?.diff.documents.map((one) => one.document)} close=${() => ask_(false)} />`}
    <${Same} args=${["chancery", "rollback", "--change", revision, "--dry-run"]} />
  <//>`;
}

/**
 * The way back: what it would change now, why, and a question whether to.
 * @param {{change: string, documents?: string[], whole?: boolean, close: () => void}} props
 * `whole`: the documents become what they were before the change, whoever changed them since
 */
export function Undo({ change, documents, whole = false, close }) {
  const [reason, say] = useState("");
  const [trouble, fail] = useState(/** @type {any} */ (null));
  const [busy, work] = useState(false);
  const [all, every] = useState(whole);
  const what = all ? { to: String(Number(change) - 1), documents } : { change };
  const trial = useLoad((signal) => ask("POST /v1/rollback", { ...what, dryRun: true }, { signal }), [change, all], { still: true });
  const write = async (event) => {
    event.preventDefault();
    work(true);
    try {
      const { revision } = await ask("POST /v1/rollback", { ...what, reason });
      running.value = revision;
      close();
      go(["changes", revision]);
    } catch (error) {
      fail(error);
      work(false);
    }
  };
  const nothing = trial.data?.documents.length === 0;
  return html`<${Dialog} title=${t("undo.title", { n: change })} close=${close} wide=${true}><form onSubmit=${write}><div class="body">
    ${trial.error && html`<${Trouble} error=${trial.error} />${!all && documents && html`<p><button type="button" onClick=${() => every(true)}>${t("undo.whole")}</button></p>`}`}
    ${!trial.data && !trial.error && html`<p class="faint" role="status">${t("review.asking")}</p>`}
    ${nothing && html`<p class="note">${t("undo.nothing")}</p>`}
    ${trial.data && !nothing && html`<p>${t("undo.now")}</p>
      ${trial.data.documents.map((one) => html`<section><h3><${DocumentLink} path=${one.document} /></h3><${Diff} before=${one.before} after=${one.after} label=${one.document} /></section>`)}
      <section><h3>${t("review.envoy")}</h3><${Warnings} of=${trial.data.warnings} /><${Foreseen} of=${trial.data.envoys} /></section>
      <label>${t("reason")} <small>${t("undo.reason")}</small><input required value=${reason} onInput=${(event) => say(event.target.value)} /></label>`}
    ${trouble && html`<${Trouble} error=${trouble} />`}
    <p class="buttons"><button type="button" onClick=${close}>${t("cancel")}</button><button class="primary" disabled=${busy || !trial.data || nothing || !reason.trim() || !reachable()}>${t("roll-back.now")}</button></p>
  </div></form><//>`;
}

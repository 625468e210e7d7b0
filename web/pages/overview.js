// @ts-check
// Is all well: who has what, what is wrong, how old what Chancery goes by is, and what changed last.
import { html } from "../vendor/preact.js";
import { Refused, ask, away, mayWrite, status } from "../core/api.js";
import { now, useLoad } from "../core/live.js";
import { to } from "../core/place.js";
import { number, span } from "../core/text.js";
import { t } from "../core/words.js";
import { Bar, Shares, running } from "../parts/bar.js";
import { Ago, DocumentLink, Loaded, Page, Same, State } from "../parts/basics.js";
import { byRevision } from "./changes.js";
import { End, lasts } from "./documents.js";

const LAST = 10;

/** What is shown instead where a call is refused. */
const without = (instead) => (error) => {
  if (error instanceof Refused) return instead;
  throw error;
};

async function load(signal) {
  const [nodes, { problems }, { entries }, { drains }, { certificates }] = await Promise.all([
    // Those that are behind come first.
    ask("GET /v1/nodes", { elsewhere: true, sort: "state", page: 1, pageSize: 10 }, { signal }),
    ask("GET /v1/problems", {}, { signal }),
    // Of what etcd is asked for is nothing told while it is away; the rest is.
    ask("GET /v1/history", { limit: 100 }, { signal }).catch(without({ entries: null })),
    ask("GET /v1/drains", {}, { signal }).catch(without({ drains: null })),
    ask("GET /v1/certificates", {}, { signal }),
  ]);
  return { gateways: nodes.gateways, behind: nodes.nodes.filter((node) => !node.synced), replicas: nodes.replicas, problems, changes: entries && byRevision(entries).slice(0, LAST), drains: drains?.sort((a, b) => a.expires.localeCompare(b.expires)), certificates };
}

export function Overview() {
  const from = useLoad(load, []);
  // What was written here, or what not everybody has yet.
  const change = running.value ?? (from.data?.behind.length ? from.data.changes?.[0]?.revision : undefined);
  return html`<${Page} title=${t("nav.overview")} actions=${mayWrite() && html`<a class="button primary" href=${to(["new", "routes"])}>${t("add.routes")}</a>`}>
    ${change && html`<${Bar} key=${change} revision=${change} />`}
    <${Loaded} from=${from}>${(all) => html`<${Well} all=${all} />
      <div class="cards">
        <section class="card"><header><h2>${t("overview.gateways")}</h2><a href=${to(["proxies"])}>${t("nav.proxies")}</a></header>
          ${all.gateways.length === 0 && html`<p>${t("proxies.none")}</p>`}
          <${Shares} of=${all.gateways} link />
          ${all.behind.slice(0, 5).map((node) => html`<p><a class="mono" href=${to(["proxies", node.id])}>${node.id}</a> <${State} of="behind" />: ${node.behind}</p>`)}
        </section>
        <section class="card"><header><h2>${t("overview.problems")}</h2>${all.problems.length > 0 && html`<span class="faint">${number(all.problems.length)}</span>`}</header>
          ${all.problems.length === 0 ? html`<p class="faint">${t("overview.problems.none")}</p>` : html`<ul>${all.problems.slice(0, 8).map((one) => html`<li>
            <${State} of=${one.kind} /> <${DocumentLink} path=${one.document} /><span class="said brief">${one.reason}</span></li>`)}</ul>`}
        </section>
        <section class="card"><h2>${t("overview.sources")}</h2><ul>${(status.value?.sources ?? []).map((source) => html`<li class="gateway">
            <span class="mono">${source.name}</span>
            <${State} of=${fares(source, all.problems)} title=${source.error} />
            <span class="faint num">${source.answered ? html`<${Ago} at=${source.answered} />` : t(fares(source, all.problems) === "unasked" ? "overview.unasked" : "never")}</span></li>`)}</ul>
          ${(status.value?.sources ?? []).filter((source) => source.error).map((source) => html`<p class="said">${source.error}</p>`)}
          <h3>${t("overview.replicas")}</h3>
          <ul><li><span class="mono">${status.value?.replica || t("overview.this")}</span> <span class="faint">${t("overview.this.version", { v: status.value?.version ?? "" })}</span></li>
          ${all.replicas.map((replica) => html`<li><span class="mono">${replica.id}</span> <span class="faint">${replica.address} · ${t("revision-n", { n: replica.revision })}</span></li>`)}</ul>
        </section>
        <section class="card"><header><h2>${t("nav.drains")}</h2><a href=${to(["drains"])}>${t("all")}</a></header>
          ${!all.drains?.length ? html`<p class="faint">${t(all.drains ? "overview.drains.none" : "overview.unknown")}</p>` : html`<ul>${all.drains.slice(0, 5).map((drain) => html`<li>
            <span class="mono">${drain.address}:${drain.port}</span> <span class="faint">${drain.service} · ${t("drains.left", { span: span(new Date(drain.expires).getTime() - now.value) })}</span></li>`)}</ul>`}
        </section>
        <section class="card"><header><h2>${t("overview.changes")}</h2><a href=${to(["changes"])}>${t("all")}</a></header>
          ${!all.changes?.length ? html`<p class="faint">${t(all.changes ? "changes.none" : "overview.unknown")}</p>` : html`<ul>${all.changes.map((change) => html`<li>
            <a href=${to(["changes", change.revision])}>${change.revision}</a> ${change.entries.slice(0, 2).map((entry) => html`<span class="mono">${entry.document}</span> `)}${change.entries.length > 2 && `+${change.entries.length - 2}`}
            <span class="faint">${t(`change.${change.entries[0].change}`)} · ${change.who} · <${Ago} at=${change.time} /></span></li>`)}</ul>`}
        </section>
        <section class="card"><header><h2>${t("nav.certificates")}</h2><a href=${to(["certificates"])}>${t("all")}</a></header>
          ${all.certificates.filter((one) => one.notAfter && lasts(one) !== "valid").slice(0, 8).map((one) => html`<p><${DocumentLink} path=${one.document} /> <${End} of=${one} /></p>`)}
          <p class="faint">${all.certificates.length === 0 ? t("empty.ssls") : t("overview.certificates", { n: all.certificates.length })}</p>
        </section>
      </div>`}<//>
    <${Same} args=${[["chancery", "nodes"], ["chancery", "problems"], ["chancery", "history"]]} />
  <//>`;
}

/** How a source fares: a registry is asked once a document names a service, and is not waited for before. */
function fares(source, problems) {
  if (source.error) return "down";
  if (source.saved) return "saved";
  if (source.answered) return "up";
  return ["etcd", "files"].includes(source.name) || problems.some((one) => one.kind === "waiting") ? "waiting" : "unasked";
}

/** One sentence: whether somebody has to do something. */
function Well({ all }) {
  const bad = all.problems.filter((one) => !one.warning).length;
  const [proxies, synced] = all.gateways.reduce(([n, m], one) => [n + one.expected, m + one.accepted], [0, 0]);
  const sources = (status.value?.sources ?? []).filter((source) => source.error);
  const state = away.value || sources.length || bad ? "bad" : synced < proxies || all.problems.length ? "warn" : "good";
  const parts = [
    t("well.proxies", { n: synced, m: proxies }),
    bad ? t("well.problems", { n: bad }) : t("overview.problems.none"),
    sources.length ? t("well.sources", { names: sources.map((source) => source.name).join(", ") }) : t("well.sources.none"),
  ];
  return html`<div class="well ${state}" role="status"><div><strong><${State} of=${{ good: "up", warn: "warning", bad: "down" }[state]}>${t(`well.${state}`)}<//></strong><p>${parts.join(" · ")}</p></div></div>`;
}

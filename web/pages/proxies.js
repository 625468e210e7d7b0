// @ts-check
// The Envoys: who has everything, who is behind, since when and why; and one of them, type by type.
import { html } from "../vendor/preact.js";
import { ask } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { to } from "../core/place.js";
import { pretty } from "../core/text.js";
import { t } from "../core/words.js";
import { Ago, Code, DocumentLink, Empty, Facts, Loaded, Page, Same, State } from "../parts/basics.js";
import { Diff } from "../parts/diff.js";
import { Pager, Search, Table, asked } from "../parts/table.js";

export function Proxies() {
  const of = asked(["synced", "behind"]);
  const from = useLoad((signal) => ask("GET /v1/nodes", { elsewhere: true, ...of }, { signal }), Object.values(of), { keeps: true });
  return html`<${Page} title=${t("nav.proxies")} lead=${t("proxies.lead")}>
    <${Loaded} from=${from}>${({ nodes, total }) => {
      if (total === 0 && !of.search) return html`<${Empty} title=${t("proxies.none")} command="envoy -c envoy/bootstrap.yaml --service-node envoy-1">${t("proxies.none.why")}<//>`;
      return html`<div class="card flush"><header><${Search} found=${total} hint=${t("search.proxies")} /></header>
        <${Table} name=${t("nav.proxies")} rows=${nodes} id=${(row) => `${row.id} ${row.address} ${row.replica}`} columns=${[
          { id: "id", title: t("col.node"), sort: true, cell: (row) => (row.replica ? html`<span class="mono">${row.id}</span>` : html`<a class="mono" href=${to(["proxies", row.id])}>${row.id}</a>`) },
          { id: "state", title: t("col.state"), sort: true, cell: (row) => html`<${State} of=${row.synced ? "synced" : "behind"} />${row.behind && html`<small>${row.behind}</small>`}` },
          ...(nodes.some((row) => row.since) ? [{ id: "since", title: t("col.since"), cell: (row) => row.since && html`<${Ago} at=${row.since} />` }] : []),
          { id: "gateway", title: t("col.gateway"), sort: true, cell: (row) => row.gateway },
          { id: "agent", title: t("col.agent"), minor: true, sort: true, cell: (row) => html`${row.agent}${row.cohort !== row.agent && html`<small>${row.cohort}</small>`}` },
          { id: "address", title: t("col.address"), minor: true, cell: (row) => html`<span class="mono">${row.address || row.replica}</span>` },
          { id: "revision", title: t("col.revision"), end: true, sort: true, cell: (row) => row.revision },
        ]} /><${Pager} total=${total} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "nodes"]} />
  <//>`;
}

export function Proxy({ id }) {
  const from = useLoad(async (signal) => {
    const [{ nodes: [node] }, { problems }] = await Promise.all([ask("GET /v1/nodes", { id }, { signal }), ask("GET /v1/problems", { resources: true }, { signal })]);
    const refusals = problems.flatMap((problem) => problem.refusals.filter((one) => one.nodes.includes(id)).map((one) => ({ ...one, document: problem.document })));
    return { node, refusals };
  }, [id]);
  return html`<${Page} title=${id} back=${{ href: to(["proxies"]), title: t("nav.proxies") }}>
    <${Loaded} from=${from}>${({ node, refusals }) => {
      if (!node) return html`<${Empty} title=${t("proxy.gone")}>${t("proxy.gone.why")}<//>`;
      const mark = (of) => of && html`${of.revision}<small><${Ago} at=${of.at} /> · <span class="mono">${of.version.slice(0, 8)}</span></small>`;
      return html`<div class="card"><${Facts} of=${[
          [t("col.state"), html`<${State} of=${node.synced ? "synced" : "behind"} />${refusals.length > 0 && html` <${State} of="refused">${t("proxy.refuses", { n: refusals.length })}<//>`}`],
          [t("col.since"), node.since && html`<${Ago} at=${node.since} />`],
          [t("col.gateway"), node.gateway],
          [t("col.agent"), node.agent],
          [t("col.cohort"), node.cohort],
          [t("col.address"), html`<span class="mono">${node.address}</span>`],
          [t("col.protocol"), node.protocol],
          [t("col.connected"), html`<${Ago} at=${node.connected} />`],
          [t("col.revision"), node.revision],
        ]} />
        ${node.behind && html`<div class="note warn"><strong>${t("state.behind")}</strong><p class="said">${node.behind}</p></div>`}</div>
        <section class="card flush"><header><h2>${t("proxy.types")}</h2></header><${Table} stay name=${t("proxy.types")} rows=${node.types} id=${(row) => row.type} columns=${[
          { id: "type", title: t("col.type"), cell: (row) => t(`type.${row.type}`) },
          { id: "sent", title: t("col.sent"), cell: (row) => mark(row.sent) },
          { id: "acknowledged", title: t("col.acknowledged"), cell: (row) => mark(row.acknowledged) },
          { id: "refused", title: t("col.refused"), cell: (row) => row.refused && html`<${State} of="refused" />${mark(row.refused)}<small>${row.reason}</small>` },
        ]} /></section>
        ${refusals.map((one) => html`<${Refused} of=${one} node=${node} />`)}`;
    }}<//>
    <${Same} args=${["chancery", "nodes", "-o", "json"]} />
  <//>`;
}

/** What the proxy refuses, in its words, beside what it has. */
function Refused({ of, node }) {
  const [, name] = /^\S+ (.*)$/.exec(of.resource) ?? ["", of.resource];
  const from = useLoad(async (signal) => {
    const { sets } = await ask("GET /v1/snapshots/{gateway}", { gateway: of.gateway, name, cohort: of.cohort }, { signal }).catch((error) => (error.code === 404 ? { sets: [] } : Promise.reject(error)));
    return sets.flatMap((set) => set.resources ?? [])[0];
  }, [name, of.gateway, of.cohort]);
  const refused = of.sent ? JSON.parse(of.sent).resource : null;
  const has = from.data?.resource;
  return html`<section class="card"><header><h2>${t("proxy.refused", { name })}</h2><${DocumentLink} path=${of.document} /></header>
    <p class="said">${of.reason}</p><p>${t("proxy.refused.do")}</p>
    <div class="sides"><div><h3>${t("proxy.has")}</h3>${has ? html`<${Code} text=${pretty(has)} label=${t("proxy.has")} />` : html`<p class="faint">${t("proxy.has.none")}</p>`}</div>
      <div><h3>${t("proxy.sent")}</h3>${refused ? (has ? html`<${Diff} before=${pretty(has)} after=${pretty(refused)} label=${t("proxy.sent")} />` : html`<${Code} text=${pretty(refused)} label=${t("proxy.sent")} />`) : html`<p class="faint">${t("proxy.sent.route")}</p>`}</div></div>
  </section>`;
}

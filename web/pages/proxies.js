// @ts-check
// The Envoys: who has everything, who is behind, since when and why; and one of them, type by type.
import { html } from "../vendor/preact.js";
import { ask } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { place, to } from "../core/place.js";
import { holds, pretty } from "../core/text.js";
import { t } from "../core/words.js";
import { Ago, Code, DocumentLink, Empty, Facts, Loaded, Page, Same, State } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";

/** Since when a proxy is behind: since the oldest of what it was sent and has not answered, or refused. @param {any} node */
function since(node) {
  const late = node.types.filter((type) => type.refused || (type.sent && type.sent.version !== type.acknowledged?.version));
  return late.map((type) => (type.refused ?? type.sent).at).sort()[0];
}

export function Proxies() {
  const from = useLoad((signal) => ask("GET /v1/nodes", {}, { signal }), []);
  const words = place.value.query.get("q") ?? "";
  return html`<${Page} title=${t("nav.proxies")} lead=${t("proxies.lead")}>
    <${Loaded} from=${from}>${({ nodes, replicas }) => {
      if (nodes.length === 0 && replicas.length === 0) return html`<${Empty} title=${t("proxies.none")} command="envoy -c envoy/bootstrap.yaml --service-node envoy-1">${t("proxies.none.why")}<//>`;
      const elsewhere = replicas.flatMap((replica) => Object.entries(replica.connected ?? {}).flatMap(([gateway, { ids }]) => ids.map((id) => {
        const behind = replica.behind.find((one) => one.node === id && one.gateway === gateway);
        return { id, gateway, address: "", agent: "", synced: !behind, revision: behind?.revision ?? replica.confirmed, behind: behind?.reason ?? "", types: [], replica: replica.id };
      })));
      const all = [...nodes, ...elsewhere];
      const found = words ? all.filter((node) => holds(words, [node.id, node.gateway, node.address, node.agent, node.behind, t(node.synced ? "state.synced" : "state.behind"), node.replica].join(" "))) : all;
      return html`<div class="card flush"><header><${Search} found=${found.length} all=${all.length} hint=${t("search.proxies")} /></header>
        <${Table} name=${t("nav.proxies")} rows=${found} id=${(row) => `${row.id} ${row.address} ${row.replica ?? ""}`} columns=${[
          { id: "node", title: t("col.node"), sort: (row) => row.id, cell: (row) => (row.replica ? html`<span class="mono">${row.id}</span>` : html`<a class="mono" href=${to(["proxies", row.id])}>${row.id}</a>`) },
          { id: "state", title: t("col.state"), sort: (row) => (row.synced ? 1 : 0), cell: (row) => html`<${State} of=${row.synced ? "synced" : "behind"} />${row.behind && html`<small>${row.behind}</small>`}` },
          { id: "since", title: t("col.since"), cell: (row) => !row.synced && since(row) && html`<${Ago} at=${since(row)} />` },
          { id: "gateway", title: t("col.gateway"), sort: (row) => row.gateway, cell: (row) => row.gateway },
          { id: "agent", title: t("col.agent"), minor: true, sort: (row) => row.agent, cell: (row) => row.agent },
          { id: "address", title: t("col.address"), minor: true, cell: (row) => html`<span class="mono">${row.address || row.replica}</span>` },
          { id: "revision", title: t("col.revision"), end: true, sort: (row) => Number(row.revision), cell: (row) => row.revision },
        ]} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "nodes"]} />
  <//>`;
}

export function Proxy({ id }) {
  const from = useLoad(async (signal) => {
    const [{ nodes }, { problems }] = await Promise.all([ask("GET /v1/nodes", {}, { signal }), ask("GET /v1/problems", {}, { signal })]);
    const node = nodes.find((one) => one.id === id);
    const refusals = problems.flatMap((problem) => problem.refusals.filter((one) => one.nodes.includes(id)).map((one) => ({ ...one, document: problem.document })));
    return { node, refusals };
  }, [id]);
  return html`<${Page} title=${id} back=${{ href: to(["proxies"]), title: t("nav.proxies") }}>
    <${Loaded} from=${from}>${({ node, refusals }) => {
      if (!node) return html`<${Empty} title=${t("proxy.gone")}>${t("proxy.gone.why")}<//>`;
      const mark = (of) => of && html`${of.revision}<small><${Ago} at=${of.at} /> · <span class="mono">${of.version.slice(0, 8)}</span></small>`;
      return html`<div class="card"><${Facts} of=${[
          [t("col.state"), html`<${State} of=${node.synced ? "synced" : "behind"} />`],
          [t("col.gateway"), node.gateway],
          [t("col.agent"), node.agent],
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

/** What of a document the proxy refused, in its words, beside what it has. */
function Refused({ of, node }) {
  const [, name] = /^\S+ (.*)$/.exec(of.resource) ?? ["", of.resource];
  const from = useLoad(async (signal) => {
    const { sets } = await ask("GET /v1/snapshots/{gateway}", { gateway: of.gateway, name, cohort: of.cohort }, { signal });
    return sets.flatMap((set) => set.resources ?? []);
  }, [name, of.gateway, of.cohort]);
  const text = useLoad(async (signal) => (await ask("GET /v1/history", { document: of.document, limit: 1, forms: true }, { signal })).entries[0], [of.document]);
  return html`<section class="card"><header><h2>${t("proxy.refused", { name })}</h2><${DocumentLink} path=${of.document} /></header>
    <p class="said">${of.reason}</p>
    <div class="sides"><div><h3>${t("proxy.has")}</h3>${from.data && (from.data.length ? from.data.map((one) => html`<${Code} text=${pretty(one.resource)} label=${one.name} />`) : html`<p class="faint">${t("proxy.has.none")}</p>`)}</div>
      <div><h3>${t("proxy.document")}</h3>${text.data && html`<p><a href=${to(["changes", text.data.revision])}>${t("change-n", { n: text.data.revision })}</a> · <${Ago} at=${text.data.time} /></p>`}<p>${t("proxy.refused.do")}</p></div></div>
  </section>`;
}

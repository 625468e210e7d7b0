// @ts-check
// All documents of a kind: the state of the configuration, and beside it the health of the instances; and certificates, with
// their ends.
import { html, useState } from "../vendor/preact.js";
import { ask, mayWrite, reachable } from "../core/api.js";
import { all, hosts, isOff, paths, plugins, target } from "../core/kinds.js";
import { useLoad } from "../core/live.js";
import { place, to, toDocument } from "../core/place.js";
import { day, holds, moment } from "../core/text.js";
import { t } from "../core/words.js";
import { DocumentLink, Empty, Loaded, Page, Same, Share, State } from "../parts/basics.js";
import { Pager, Search, Table, asked } from "../parts/table.js";
import { Switch } from "./document.js";

/** What of a kind is worth a column. */
const SHOWN = /** @type {Record<string, string[]>} */ ({
  routes: ["taken", "host", "path", "methods", "priority", "plugins", "target", "gateways"],
  services: ["taken", "host", "plugins", "target"],
  upstreams: ["taken", "target"],
  stream_routes: ["taken", "path", "host", "target", "gateways"],
  plugin_configs: ["plugins"],
  global_rules: ["plugins"],
  consumers: ["plugins"],
  consumer_groups: ["plugins"],
  ssls: ["host"],
  protos: [],
  plugin_metadata: [],
  secrets: [],
  gateways: ["listeners"],
});

const STATES = ["accepted", "warned", "off", "waiting", "not_served", "rejected", "refused"];

/** @param {string} kind @param {any} of @param {AbortSignal} signal */
async function load(kind, of, signal) {
  const { documents, total } = await ask("GET /v1/documents", { kind, texts: true, ...of }, { signal });
  return { rows: documents.map((one) => ({ ...one, id: one.document.slice(kind.length + 1), value: one.text ? JSON.parse(one.text) : {} })), total };
}

const some = (/** @type {string[]} */ all) => (all.length > 3 ? `${all.slice(0, 3).join(", ")} +${all.length - 3}` : all.join(", "));
const tags = (/** @type {string[]} */ all) => html`${all.slice(0, 4).map((one) => html`<span class="tag">${one}</span>`)}${all.length > 4 && `+${all.length - 4}`}`;

/** `worth`: shown where any row has something in it. @type {() => Record<string, any>} */
const columns = () => ({
  document: {
    id: "document", title: t("col.document"), sort: true,
    cell: (row) => html`<a class="mono" href=${toDocument(row.document)}>${row.id}</a>${row.value.name && row.value.name !== row.id && html`<small>${all(row.value.name)}</small>`}`,
  },
  state: {
    id: "state", title: t("col.configuration"), sort: true,
    cell: (row) => html`<${State} of=${row.state} title=${row.reason} />${row.reason && html`<small>${row.reason}</small>`}`,
  },
  taken: {
    id: "taken", title: t("col.instances"), sort: true,
    cell: (row) => html`<${Share} good=${row.taken} all=${row.instances} none=${t("not-checked")} />`,
  },
  host: { id: "host", title: t("col.host"), worth: (row) => hosts(row.value).length > 0, sort: true, cell: (row) => some(hosts(row.value)) || "*" },
  path: { id: "path", title: t("col.path"), sort: true, cell: (row) => html`<span class="mono">${some(paths(row.value)) || "*"}</span>` },
  methods: { id: "methods", title: t("col.methods"), worth: (row) => row.value.methods, minor: true, cell: (row) => (row.value.methods ? some(all(row.value.methods)) : t("any")) },
  priority: { id: "priority", title: t("col.priority"), worth: (row) => row.value.priority, minor: true, end: true, sort: true, cell: (row) => row.value.priority ?? 0 },
  plugins: { id: "plugins", title: t("col.plugins"), worth: (row) => plugins(row.value).length > 0, minor: true, sort: true, cell: (row) => tags(plugins(row.value)) },
  target: { id: "target", title: t("col.target"), worth: (row) => target(row.value), minor: true, cell: (row) => html`<span class="mono">${target(row.value)}</span>` },
  gateways: { id: "gateways", title: t("col.gateways"), worth: (row) => row.value.gateways, minor: true, cell: (row) => some(all(row.value.gateways ?? "default")) },
  listeners: { id: "listeners", title: t("col.listeners"), cell: (row) => tags([row.value.listeners ?? []].flat().map((one) => `${one?.protocol ?? "http"} ${one?.address ?? "0.0.0.0"}:${one?.port}`)) },
  revision: { id: "revision", title: t("col.revision"), minor: true, end: true, sort: true, cell: (row) => html`<a href=${to(["changes", String(row.revision)])}>${row.revision}</a>` },
});

export function Documents({ kind }) {
  const of = asked(STATES);
  const from = useLoad((signal) => load(kind, of, signal), Object.values(of), { keeps: true });
  const title = t(`kind.${kind}`);
  const [turning, turn] = useState(/** @type {any} */ (null));
  const every = columns();
  const shown = [every.document, every.state, ...SHOWN[kind].map((id) => every[id]), every.revision];
  if (mayWrite() && (kind === "routes" || kind === "ssls"))
    shown.push({ id: "do", title: html`<span class="visually-hidden">${t("col.do")}</span>`, minor: true, end: true, cell: (row) => html`<button class="small" disabled=${!reachable()} onClick=${() => turn(row)} aria-label=${`${t(isOff(row.value) ? "turn-on" : "turn-off")} ${row.id}`}>${t(isOff(row.value) ? "turn-on" : "turn-off")}</button>` });
  return html`<${Page} title=${title} lead=${t(`kind.${kind}.lead`)}
    actions=${mayWrite() && html`<a class="button primary" href=${to(["new", kind])}>${t(`add.${kind}`)}</a>`}>
    <${Loaded} from=${from}>${({ rows, total }) => {
      if (total === 0 && !of.search)
        return html`<${Empty} title=${t(`empty.${kind}`)} command=${`chancery apply -f ${kind}.yaml`}>
          ${mayWrite() && html`<a href=${to(["new", kind])}>${t("empty.here")}</a> ${t("empty.or")}`}<//>`;
      const worth = shown.filter((column) => !column.worth || rows.some(column.worth));
      return html`<div class="card flush"><header><${Search} found=${total} hint=${t("search.documents")} /></header>
        <${Table} columns=${worth} rows=${rows} id=${(row) => row.document} name=${title} /><${Pager} total=${total} /></div>`;
    }}<//>
    ${turning && html`<${Switch} path=${turning.document} close=${() => turn(null)} done=${() => (turn(null), from.again())} />`}
    <${Same} args=${["chancery", "get", kind]} />
  <//>`;
}

const MONTH = 30 * 86_400_000;

/** How long a certificate lasts still. @param {{notAfter: string}} of */
export const lasts = ({ notAfter }) => (new Date(notAfter) < new Date() ? "expired" : new Date(notAfter).getTime() - Date.now() < MONTH ? "soon" : "valid");

/** When a certificate ends. */
export const End = ({ of }) => of.notAfter && html`<${State} of=${lasts(of)} title=${moment(of.notAfter)}>${lasts(of) === "valid" ? "" : `${t(`state.${lasts(of)}`)} · `}${day(of.notAfter)}<//>`;

export function Certificates() {
  const from = useLoad(async (signal) => (await ask("GET /v1/certificates", {}, { signal })).certificates, []);
  const words = place.value.query.get("q") ?? "";
  return html`<${Page} title=${t("nav.certificates")} lead=${t("kind.ssls.lead")} actions=${mayWrite() && html`<a class="button primary" href=${to(["new", "ssls"])}>${t("add.ssls")}</a>`}>
    <${Loaded} from=${from}>${(all) => {
      if (all.length === 0) return html`<${Empty} title=${t("empty.ssls")} command="chancery apply -f ssls.yaml" />`;
      const found = words ? all.filter((one) => holds(words, [one.document, ...one.names, one.state, t(`state.${one.state || "unknown"}`), ...one.usedBy, t(`state.${lasts(one)}`), t(`ssl.${one.type}`), one.notAfter ? day(one.notAfter) : ""].join(" "))) : all;
      return html`<div class="card flush"><header><${Search} found=${found.length} all=${all.length} hint=${t("search.certificates")} /></header><${Table} name=${t("nav.certificates")} rows=${found} id=${(row) => row.document} columns=${[
        { id: "document", title: t("col.document"), sort: (row) => row.document, cell: (row) => html`<${DocumentLink} path=${row.document} />` },
        { id: "names", title: t("col.names"), sort: (row) => row.names.join(), cell: (row) => some(row.names) },
        { id: "ends", title: t("col.ends"), sort: (row) => row.notAfter ?? "", cell: (row) => html`<${End} of=${row} />` },
        { id: "state", title: t("col.configuration"), sort: (row) => row.state, cell: (row) => html`<${State} of=${row.state || "unknown"} title=${row.reason} />` },
        { id: "type", title: t("col.use"), minor: true, cell: (row) => t(`ssl.${row.type}`) },
        { id: "used", title: t("col.shown"), minor: true, cell: (row) => row.usedBy.slice(0, 3).map((path) => html`<${DocumentLink} path=${path} /> `) },
      ]} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "get", "ssls"]} />
  <//>`;
}

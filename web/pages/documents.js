// @ts-check
// All documents of a kind: the state of the configuration, and beside it the health of the instances; and certificates, with
// their ends.
import { html, useState } from "../vendor/preact.js";
import { ask, mayWrite } from "../core/api.js";
import { all, health, hosts, isOff, list, paths, plugins, target } from "../core/kinds.js";
import { useLoad } from "../core/live.js";
import { place, to, toDocument } from "../core/place.js";
import { day, finder, holds, number } from "../core/text.js";
import { t } from "../core/words.js";
import { DocumentLink, Empty, Loaded, Page, Same, Share, State } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";
import { Switch } from "./document.js";

/** What of a kind is worth a column. */
const SHOWN = /** @type {Record<string, string[]>} */ ({
  routes: ["instances", "host", "path", "methods", "priority", "plugins", "target", "gateways"],
  services: ["instances", "host", "plugins", "target"],
  upstreams: ["instances", "target"],
  stream_routes: ["instances", "path", "host", "target", "gateways"],
  plugin_configs: ["plugins"],
  global_rules: ["plugins"],
  consumers: ["plugins"],
  consumer_groups: ["plugins"],
  ssls: ["host"],
  gateways: ["listeners"],
});

/** @param {string} kind @param {AbortSignal} signal */
async function load(kind, signal) {
  const [{ documents }, held, { services }] = await Promise.all([
    ask("GET /v1/documents", { kind }, { signal }),
    list(kind, signal),
    ask("GET /v1/services", {}, { signal }),
  ]);
  const texts = new Map(held.map((one) => [one.path, one]));
  const told = new Map(documents.map((one) => [one.document, one]));
  return [...new Set([...told.keys(), ...texts.keys()])].map((path) => {
    const [value, of] = [texts.get(path)?.value ?? {}, told.get(path)];
    const id = path.slice(kind.length + 1);
    const state = of?.state ?? "unknown";
    const row = { path, id, value, state, reason: of?.reason ?? "", revision: Number(of?.revision ?? 0), health: health(services, kind, id) };
    const labels = Object.entries(Object(value.labels)).map(([name, label]) => `${name}:${label}`);
    const found = [path, value.name, value.desc, hosts(value), paths(value), all(value.methods), plugins(value), target(value), all(value.gateways), labels, state, t(`state.${state}`)];
    return { ...row, text: found.flat().join(" ").toLowerCase() };
  });
}

const some = (/** @type {string[]} */ all) => (all.length > 3 ? `${all.slice(0, 3).join(", ")} +${all.length - 3}` : all.join(", "));
const tags = (/** @type {string[]} */ all) => html`${all.slice(0, 4).map((one) => html`<span class="tag">${one}</span>`)}${all.length > 4 && `+${all.length - 4}`}`;

/** `worth`: shown where any row has something in it. @type {() => Record<string, any>} */
const columns = () => ({
  id: {
    id: "id", title: t("col.document"), sort: (row) => row.id,
    cell: (row) => html`<a class="mono" href=${toDocument(row.path)}>${row.id}</a>${row.value.name && row.value.name !== row.id && html`<small>${all(row.value.name)}</small>`}`,
  },
  state: {
    id: "state", title: t("col.configuration"), sort: (row) => row.state,
    cell: (row) => html`<${State} of=${row.state} title=${row.reason} />${row.reason && html`<small>${row.reason}</small>`}`,
  },
  instances: {
    id: "instances", title: t("col.instances"), sort: (row) => (row.health.all ? row.health.good / row.health.all : 2),
    cell: (row) => html`<${Share} good=${row.health.good} all=${row.health.all} none=${t("not-checked")} />`,
  },
  host: { id: "host", title: t("col.host"), worth: (row) => hosts(row.value).length > 0, sort: (row) => hosts(row.value).join(), cell: (row) => some(hosts(row.value)) || "*" },
  path: { id: "path", title: t("col.path"), sort: (row) => paths(row.value).join(), cell: (row) => html`<span class="mono">${some(paths(row.value)) || "*"}</span>` },
  methods: { id: "methods", title: t("col.methods"), worth: (row) => row.value.methods, minor: true, cell: (row) => (row.value.methods ? some(all(row.value.methods)) : t("any")) },
  priority: { id: "priority", title: t("col.priority"), worth: (row) => row.value.priority, minor: true, end: true, sort: (row) => row.value.priority ?? 0, cell: (row) => row.value.priority ?? 0 },
  plugins: { id: "plugins", title: t("col.plugins"), worth: (row) => plugins(row.value).length > 0, minor: true, sort: (row) => plugins(row.value).join(), cell: (row) => tags(plugins(row.value)) },
  target: { id: "target", title: t("col.target"), worth: (row) => target(row.value), minor: true, sort: (row) => target(row.value), cell: (row) => html`<span class="mono">${target(row.value)}</span>` },
  gateways: { id: "gateways", title: t("col.gateways"), worth: (row) => row.value.gateways, minor: true, cell: (row) => some(all(row.value.gateways ?? "default")) },
  listeners: { id: "listeners", title: t("col.listeners"), cell: (row) => tags([row.value.listeners ?? []].flat().map((one) => `${one?.protocol ?? "http"} ${one?.address ?? "0.0.0.0"}:${one?.port}`)) },
  revision: { id: "revision", title: t("col.revision"), minor: true, end: true, sort: (row) => row.revision, cell: (row) => html`<a href=${to(["changes", String(row.revision)])}>${row.revision}</a>` },
});

export function Documents({ kind }) {
  const from = useLoad((signal) => load(kind, signal), [kind]);
  const words = place.value.query.get("q") ?? "";
  const title = t(`kind.${kind}`);
  const [turning, turn] = useState(/** @type {any} */ (null));
  const every = columns();
  const shown = [every.id, every.state, ...SHOWN[kind].map((id) => every[id]), every.revision];
  if (mayWrite() && (kind === "routes" || kind === "ssls"))
    shown.push({ id: "do", title: html`<span class="visually-hidden">${t("col.do")}</span>`, minor: true, end: true, cell: (row) => html`<button class="small" onClick=${() => turn(row)} aria-label=${`${t(isOff(row.value) ? "turn-on" : "turn-off")} ${row.id}`}>${t(isOff(row.value) ? "turn-on" : "turn-off")}</button>` });
  return html`<${Page} title=${title} lead=${t(`kind.${kind}.lead`)}
    actions=${mayWrite() && html`<a class="button primary" href=${to(["new", kind])}>${t(`add.${kind}`)}</a>`}>
    <${Loaded} from=${from}>${(rows) => {
      if (rows.length === 0)
        return html`<${Empty} title=${t(`empty.${kind}`)} command=${`chancery apply -f ${kind}.yaml`}>
          ${mayWrite() && html`<a href=${to(["new", kind])}>${t("empty.here")}</a> ${t("empty.or")}`}<//>`;
      const fits = finder(words);
      const found = words ? rows.filter((row) => fits(row.text)) : rows;
      const worth = shown.filter((column) => !column.worth || rows.some(column.worth));
      return html`<div class="card flush"><header><${Search} found=${found.length} all=${rows.length} hint=${t("search.documents")} /></header>
        ${found.length ? html`<${Table} columns=${worth} rows=${found} id=${(row) => row.path} name=${title} />` : html`<p class="card">${t("search.none", { q: words, n: number(rows.length) })}</p>`}</div>`;
    }}<//>
    ${turning && html`<${Switch} path=${turning.path} close=${() => turn(null)} done=${() => (turn(null), from.again())} />`}
    <${Same} args=${["chancery", "get", kind]} />
  <//>`;
}

const MONTH = 30 * 86_400_000;

/** When the first certificate of a chain ends: the second time of its `Validity`, as X.509 has it. @param {string} pem */
export function ends(pem) {
  if (typeof pem !== "string") return undefined;
  const base64 = /-----BEGIN CERTIFICATE-----([\s\S]+?)-----END/.exec(pem ?? "")?.[1];
  if (!base64) return undefined;
  let bytes;
  try {
    bytes = atob(base64.replace(/\s/g, ""));
  } catch {
    return undefined;
  }
  // Two times right behind each other: UTCTime (17) or GeneralizedTime (18).
  const times = /[\x17\x18][\x0d\x0f](?:\d{12}|\d{14})Z([\x17\x18])[\x0d\x0f](\d{12,14})Z/.exec(bytes);
  if (!times) return undefined;
  const digits = times[1] === "\x17" ? (Number(times[2].slice(0, 2)) < 50 ? "20" : "19") + times[2] : times[2];
  const [, year, month, date, hour, minute, second] = /(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(digits) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(date), Number(hour), Number(minute), Number(second));
}

/** @param {AbortSignal} signal */
export async function certificates(signal) {
  const [held, { documents }] = await Promise.all([list("ssls", signal), ask("GET /v1/documents", { kind: "ssls" }, { signal })]);
  const states = new Map(documents.map((one) => [one.document, one]));
  return held.map((one) => ({ ...one, ends: ends(one.value.cert), state: states.get(one.path)?.state ?? "unknown", reason: states.get(one.path)?.reason }));
}

export function Certificates() {
  const from = useLoad(certificates, []);
  const words = place.value.query.get("q") ?? "";
  return html`<${Page} title=${t("nav.certificates")} lead=${t("kind.ssls.lead")} actions=${mayWrite() && html`<a class="button primary" href=${to(["new", "ssls"])}>${t("add.ssls")}</a>`}>
    <${Loaded} from=${from}>${(all) => {
      if (all.length === 0) return html`<${Empty} title=${t("empty.ssls")} command="chancery apply -f ssls.yaml" />`;
      const found = words ? all.filter((one) => holds(words, [one.path, ...hosts(one.value)].join(" "))) : all;
      return html`<div class="card flush"><header><${Search} found=${found.length} all=${all.length} hint=${t("search.certificates")} /></header><${Table} name=${t("nav.certificates")} rows=${found} id=${(row) => row.path} columns=${[
        { id: "id", title: t("col.document"), sort: (row) => row.id, cell: (row) => html`<${DocumentLink} path=${row.path} />` },
        { id: "names", title: t("col.names"), sort: (row) => hosts(row.value).join(), cell: (row) => hosts(row.value).join(", ") },
        { id: "ends", title: t("col.ends"), sort: (row) => row.ends ?? 0, cell: (row) => row.ends && html`<${State} of=${row.ends < Date.now() ? "expired" : row.ends - Date.now() < MONTH ? "soon" : "valid"}>${day(new Date(row.ends))}<//>` },
        { id: "state", title: t("col.configuration"), sort: (row) => row.state, cell: (row) => html`<${State} of=${row.state} title=${row.reason} />` },
        { id: "type", title: t("col.use"), minor: true, cell: (row) => t(row.value.type === "client" ? "ssl.client" : "ssl.server") },
      ]} /></div>`;
    }}<//>
    <${Same} args=${["chancery", "get", "ssls"]} />
  <//>`;
}

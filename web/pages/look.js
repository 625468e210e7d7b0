// @ts-check
// Looking closer: which route gets a request and why the others do not; and what Envoy is sent, by gateway, kind of proxy and
// type.
import { html, useState } from "../vendor/preact.js";
import { ask } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { place, set, to } from "../core/place.js";
import { holds, number, pretty } from "../core/text.js";
import { t } from "../core/words.js";
import { Code, DocumentLink, Empty, Loaded, Page, Same, State, Tabs } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function Explain() {
  const query = place.value.query;
  const [method, by] = useState(query.get("method") ?? "GET");
  const [url, at] = useState(query.get("url") ?? "");
  const [gateway, through] = useState(query.get("gateway") ?? "");
  const [headers, with_] = useState(query.get("headers") ?? "");
  const [from, as] = useState(query.get("from") ?? "");
  const send = (event) => {
    event.preventDefault();
    location.hash = to(["explain"], { method, url, gateway, headers, from });
  };
  const asked = query.get("url") ? Object.fromEntries(query) : null;
  const lines = (asked?.headers ?? "").split("\n").filter((line) => line.trim());
  const input = (/** @type {(text: string) => void} */ set) => (event) => set(event.target.value);
  return html`<${Page} title=${t("nav.explain")} lead=${t("explain.lead")}>
    <form class="fields card" onSubmit=${send}>
      <div class="all pair"><label>${t("explain.method")}<select value=${method} onChange=${input(by)}>${METHODS.map((one) => html`<option>${one}</option>`)}</select></label>
      <label>URL <small>${t("explain.url")}</small><input class="mono" required placeholder="http://www.example.com/hello" value=${url} onInput=${input(at)} /></label></div>
      <label class="all">${t("explain.headers")} <small>${t("explain.headers.how")}</small><textarea class="mono" rows="2" value=${headers} onInput=${input(with_)}></textarea></label>
      <label>${t("explain.gateway")}<input class="mono" placeholder="default" value=${gateway} onInput=${input(through)} /></label>
      <label>${t("explain.from")}<input class="mono" placeholder="127.0.0.1" value=${from} onInput=${input(as)} /></label>
      <p class="buttons"><button class="primary">${t("explain.do")}</button></p>
    </form>
    ${asked && html`<${Answer} asked=${{ method: asked.method, url: asked.url, gateway: asked.gateway, from: asked.from, header: lines }} />`}
    <${Same} args=${["chancery", "explain", asked?.method ?? "GET", asked?.url ?? "/hello", ...lines.flatMap((line) => ["--header", line]), ...(asked?.gateway ? ["--gateway", asked.gateway] : []), ...(asked?.from ? ["--from", asked.from] : [])]} />
  <//>`;
}

function Answer({ asked }) {
  const from = useLoad((signal) => ask("GET /v1/explain", asked, { signal }), [JSON.stringify(asked)]);
  return html`<${Loaded} from=${from}>${(told) => html`
    <div class="well ${told.route ? "good" : "warn"}" role="status"><div><strong>${told.route ? html`<${State} of="up">${t("explain.wins")}<//> <${DocumentLink} path=${told.route} />` : html`<${State} of="warning">${t("explain.404")}<//>`}</strong>
      <p>${told.destinations.map((one) => `${one.cluster}: ${one.instances.join(", ") || t("explain.nobody")}`).join(" · ")}</p></div></div>
    ${told.candidates.length > 0 && html`<section class="card flush"><header><h2>${t("explain.candidates")}</h2></header><${Table} stay name=${t("explain.candidates")} rows=${told.candidates} id=${(row) => `${row.route} ${row.host} ${row.path}`} columns=${[
      { id: "route", title: t("col.document"), cell: (row) => html`<${DocumentLink} path=${row.route} />` },
      { id: "verdict", title: t("explain.verdict"), cell: (row) => html`<${State} of=${row.verdict === "wins" ? "up" : row.verdict === "later" ? "waiting" : "off"}>${t(`verdict.${row.verdict}`)}<//>${row.reason && html`<small>${row.reason}</small>`}` },
      { id: "host", title: t("col.host"), cell: (row) => html`<span class="mono">${row.host}</span>` },
      { id: "path", title: t("col.path"), cell: (row) => html`<span class="mono">${row.path}</span>` },
      { id: "priority", title: t("col.priority"), end: true, cell: (row) => row.priority },
    ]} /></section>`}
    <p class="faint">${t("explain.others", { host: told.otherHost, path: told.otherPath })}</p>
    ${told.notInForce.length > 0 && html`<div class="note warn"><strong>${t("explain.not")}</strong><ul>${told.notInForce.map((one) => html`<li>${one}</li>`)}</ul></div>`}`}<//>`;
}

export function Resources() {
  const from = useLoad((signal) => ask("GET /v1/snapshots", {}, { signal }), []);
  const query = place.value.query;
  return html`<${Page} title=${t("nav.resources")} lead=${t("resources.lead")}>
    <${Loaded} from=${from}>${({ snapshots }) => {
      if (snapshots.length === 0) return html`<${Empty} title=${t("resources.none")} />`;
      const id = (one) => `${one.gateway} ${one.cohort}`;
      const chosen = snapshots.find((one) => id(one) === query.get("of")) ?? snapshots[0];
      const type = query.get("type") ?? "clusters";
      return html`${snapshots.length > 1 && html`<label>${t("resources.of")}<select value=${id(chosen)} onChange=${(event) => set("of", event.target.value)}>${snapshots.map((one) => html`<option value=${id(one)}>${one.gateway} · ${one.cohort || t("resources.nobody")}</option>`)}</select></label>`}
        <${Tabs} name=${t("nav.resources")} chosen=${type} of=${chosen.sets.filter((set) => set.count > 0 || set.type === type).map((set) => [set.type, `${t(`type.${set.type}`)} ${number(set.count)}`])}
          href=${(to_) => to(["resources"], { of: query.get("of") ?? undefined, type: to_ })} />
        <${Named} key=${`${id(chosen)} ${type}`} gateway=${chosen.gateway} cohort=${chosen.cohort} type=${type} />`;
    }}<//>
    <${Same} args=${["chancery", "snapshot", (query.get("of") ?? "default").split(" ")[0], "--type", query.get("type") ?? "clusters"]} />
  <//>`;
}

function Named({ gateway, cohort, type }) {
  const from = useLoad(async (signal) => (await ask("GET /v1/snapshots/{gateway}", { gateway, cohort, type }, { signal })).sets.flatMap((set) => set.resources ?? []), [gateway, cohort, type]);
  const query = place.value.query;
  const words = query.get("q") ?? "";
  return html`<${Loaded} from=${from}>${(all) => {
    const found = words ? all.filter((one) => holds(words, one.name)) : all;
    const chosen = found.find((one) => one.name === query.get("name")) ?? found[0];
    return html`<${Search} found=${found.length} all=${all.length} hint=${t("search.resources")} />
      <div class="two"><${Table} name=${t(`type.${type}`)} rows=${found} id=${(row) => row.name} columns=${[
        { id: "name", title: t("col.name"), sort: (row) => row.name, cell: (row) => html`<button class="link mono" aria-pressed=${row === chosen ? "true" : "false"} onClick=${() => set("name", row.name)}>${row.fullName || row.name}</button>` },
      ]} />
      ${chosen && html`<section class="card"><header><h2 class="mono">${chosen.fullName || chosen.name}</h2><span class="faint mono">${chosen.version.slice(0, 8)}</span></header><${Code} text=${pretty(chosen.resource)} label=${chosen.name} /></section>`}</div>`;
  }}<//>`;
}

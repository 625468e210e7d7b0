// @ts-check
// Instances: what registries say of them, who gets no traffic, by whom and why; and taking them out, which answers when every
// Envoy knows.
import { html, useState } from "../vendor/preact.js";
import { ask, mayDrain, reachable } from "../core/api.js";
import { now, useLoad } from "../core/live.js";
import { place, to } from "../core/place.js";
import { quoted, span, took } from "../core/text.js";
import { t } from "../core/words.js";
import { Bar } from "../parts/bar.js";
import { Ago, Command, Dialog, Empty, Loaded, Page, Same, Share, State, Trouble } from "../parts/basics.js";
import { Pager, Search, Table, asked } from "../parts/table.js";

/** How many services a page has: each with its instances. */
const SERVICES = 20;

/** What is left out of some load assignment, and why. @param {any} instance */
const out = (instance) => {
  const by = Object.entries(instance.leftOut);
  return by.length === 0 ? t("taken") : by.map(([use, why]) => `${why} (${use})`).join("; ");
};

export function Instances() {
  const { sort: _, ...of } = asked(["passing", "warning", "critical", "maintenance"], SERVICES);
  const from = useLoad(async (signal) => {
    const [found, { drains }] = await Promise.all([ask("GET /v1/services", of, { signal }), ask("GET /v1/drains", {}, { signal }).catch(() => ({ drains: [] }))]);
    return { ...found, drains };
  }, Object.values(of), { keeps: true });
  const [draining, drain] = useState(/** @type {any} */ (null));
  const [trouble, fail] = useState(/** @type {any} */ (null));
  return html`<${Page} title=${t("nav.instances")} lead=${t("instances.lead")}>
    ${trouble && html`<p class="note bad" role="alert">${trouble.message}</p>`}
    <${Loaded} from=${from}>${({ services, total, drains }) => {
      if (total === 0 && !of.search) return html`<${Empty} title=${t("instances.none")} command="consul services register -name=echo -address=10.0.0.1 -port=8080">${t("instances.none.why")}<//>`;
      return html`<${Search} found=${total} hint=${t("search.instances")} />
        ${total === 0 && html`<p>${t("search.none", { q: place.value.query.get("q") })}</p>`}
        ${services.map((service) => html`<section class="card flush" key=${service.service}>
          <header><div><h2 class="mono">${service.service}</h2><p class="faint">${service.answered ? html`${t("instances.answered")} <${Ago} at=${service.confirmed} />` : t("instances.unanswered")}
            ${service.uses.flatMap((use) => use.routes).slice(0, 4).map((route) => html` · <a href=${to(["documents", "routes", route])}>routes/${route}</a>`)}</p></div>
            <${Share} good=${service.taken} all=${service.registered} /></header>
          ${service.instances.length === 0 ? html`<p class="card">${t("instances.empty")}</p>` : html`<${Table} name=${service.service} rows=${service.instances} id=${(row) => row.id} columns=${[
            { id: "address", title: t("col.address"), sort: (row) => row.address, cell: (row) => html`<span class="mono">${row.address}</span><small>${row.id}</small>` },
            { id: "status", title: t("col.status"), sort: (row) => row.status, cell: (row) => html`<${State} of=${row.status} />${row.kept && html`<small>${t("state.kept")}</small>`}` },
            ...(service.instances.some((row) => row.since) ? [{ id: "since", title: t("col.seen"), minor: true, sort: (row) => row.since ?? "", cell: (row) => row.since && html`<${Ago} at=${row.since} />` }] : []),
            { id: "out", title: t("col.out"), sort: out, cell: (row) => {
              const held = drains.find((one) => `${one.address}:${one.port}` === row.address);
              return html`${out(row)}${held && html`<small>${t("drained.by", { who: held.by || held.from })}${held.reason && `: ${held.reason}`}</small>`}`;
            } },
            { id: "weight", title: t("col.weight"), minor: true, end: true, sort: (row) => row.weight, cell: (row) => row.weight },
            { id: "zone", title: t("col.zone"), minor: true, sort: (row) => row.zone, cell: (row) => [row.region, row.zone].filter(Boolean).join(" / ") },
            { id: "tags", title: t("col.tags"), minor: true, cell: (row) => row.tags.map((tag) => html`<span class="tag">${tag}</span>`) },
            ...(mayDrain() ? [{ id: "do", title: html`<span class="visually-hidden">${t("col.do")}</span>`, end: true, cell: (row) => {
              const held = drains.find((one) => `${one.address}:${one.port}` === row.address);
              return held
                ? html`<button class="small" disabled=${!reachable()} onClick=${() => undrain(held).then(from.again, fail)} aria-label=${`${t("undrain")} ${row.address}`}>${t("undrain")}</button>`
                : html`<button class="small" disabled=${!reachable()} onClick=${() => drain({ address: row.address, service })} aria-label=${`${t("drain")} ${row.address}`}>${t("drain")}</button>`;
            } }] : []),
          ]} />`}</section>`)}<${Pager} total=${total} size=${SERVICES} />`;
    }}<//>
    ${draining && html`<${DrainDialog} of=${draining} close=${() => (drain(null), from.again())} />`}
    <${Same} args=${["chancery", "services"]} />
  <//>`;
}

/** @param {any} drain */
export const undrain = (drain) => ask("DELETE /v1/drains/{id}", { id: drain.id });

/** `127.0.0.1:80` or `[::1]:80` as address and port. @param {string} text */
function apart(text) {
  const at = text.lastIndexOf(":");
  return { address: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

export function Drains() {
  const from = useLoad((signal) => ask("GET /v1/drains", {}, { signal }), []);
  const [trouble, fail] = useState(/** @type {any} */ (null));
  const [starting, start] = useState(false);
  const [longer, prolong] = useState(/** @type {any} */ (null));
  const end = (drain) => undrain(drain).then(from.again, fail);
  return html`<${Page} title=${t("nav.drains")} lead=${t("drains.lead")} actions=${mayDrain() && html`<button class="primary" disabled=${!reachable()} onClick=${() => start(true)}>${t("drain")}</button>`}>
    ${trouble && html`<${Trouble} error=${trouble} />`}
    <${Loaded} from=${from}>${({ drains }) => drains.length === 0
      ? html`<${Empty} title=${t("drains.none")} command="chancery drain 10.0.0.1:8080 --reason deploy">${html`<a href=${to(["instances"])}>${t("drains.none.do")}</a>`}<//>`
      : html`<${Table} name=${t("nav.drains")} rows=${drains} id=${(row) => row.id} columns=${[
          { id: "address", title: t("col.address"), sort: (row) => row.address, cell: (row) => html`<span class="mono">${row.address}:${row.port}</span><small>${row.service}</small>` },
          { id: "left", title: t("col.left"), sort: (row) => new Date(row.expires).getTime(), cell: (row) => html`<time datetime=${row.expires}>${span(new Date(row.expires).getTime() - now.value)}</time>` },
          { id: "who", title: t("col.who"), minor: true, sort: (row) => row.by, cell: (row) => html`${row.by || row.from}<small><${Ago} at=${row.created} /></small>` },
          { id: "reason", title: t("reason"), minor: true, cell: (row) => row.reason },
          { id: "mode", title: t("col.mode"), minor: true, cell: (row) => t(`mode.${row.mode}`) },
          { id: "has", title: t("col.confirmed"), cell: (row) => html`<${Standing} id=${row.id} />` },
          ...(mayDrain() ? [{ id: "do", title: html`<span class="visually-hidden">${t("col.do")}</span>`, end: true, cell: (row) => html`<button class="small" disabled=${!reachable()} onClick=${() => prolong(row)} aria-label=${`${t("prolong")} ${row.address}:${row.port}`}>${t("prolong")}</button> <button class="small" disabled=${!reachable()} onClick=${() => end(row)} aria-label=${`${t("undrain")} ${row.address}:${row.port}`}>${t("undrain")}</button>` }] : []),
        ]} />`}<//>
    ${longer && html`<${ProlongDialog} of=${longer} close=${() => (prolong(null), from.again())} />`}
    ${starting && html`<${DrainDialog} of=${{ address: "" }} close=${() => (start(false), from.again())} />`}
    <${Same} args=${["chancery", "drains"]} />
  <//>`;
}

/** Has an instance stay out longer. */
function ProlongDialog({ of, close }) {
  const [ttl, last] = useState("1h");
  const [trouble, fail] = useState(/** @type {any} */ (null));
  const send = (event) => (event.preventDefault(), ask("POST /v1/prolong", { id: of.id, ttl }).then(close, fail));
  return html`<${Dialog} title=${t("prolong.title", { address: `${of.address}:${of.port}` })} close=${close}><form onSubmit=${send}><div class="body">
    <label>${t("prolong.ttl")} <small>${t("drain.ttl.allowed")}</small><input required autofocus pattern="\\d+[smh]" value=${ttl} onInput=${(event) => last(event.target.value)} /></label>
    ${trouble && html`<${Trouble} error=${trouble} />`}
    <${Command} of=${`chancery prolong ${of.id} --ttl ${ttl}`} />
    <p class="buttons"><button type="button" onClick=${close}>${t("cancel")}</button><button class="primary" disabled=${!reachable()}>${t("prolong.now")}</button></p></div></form><//>`;
}

function Standing({ id }) {
  const from = useLoad((signal) => ask("GET /v1/drains/{id}", { id }, { signal }), [id]);
  if (!from.data) return null;
  const { confirmed, behind, replicas } = from.data;
  const all = replicas.flatMap((one) => Object.values(one.nodes)).reduce((sum, count) => sum + Number(count), 0);
  return html`<${State} of=${confirmed ? "confirmed" : "unconfirmed"}>${t("n-of-m", { n: all - behind.length, m: all })}<//>${behind.length > 0 && html`<small>${behind.slice(0, 3).map((one) => one.node || one.replica).join(", ")}${behind.length > 3 && " …"}</small>`}`;
}

/** Takes an instance out: its address is typed, so that it is the one that is meant. */
export function DrainDialog({ of, close }) {
  const [typed, type] = useState("");
  const [ttl, last] = useState("1h");
  const [reason, say] = useState("");
  const [force, insist] = useState(false);
  const [busy, work] = useState(false);
  const [trouble, fail] = useState(/** @type {any} */ (null));
  const [done, finish] = useState(/** @type {any} */ (null));
  const healthy = of.service?.instances.filter((one) => one.status === "passing" && Object.keys(one.leftOut).length === 0) ?? [];
  const isLast = healthy.length === 1 && healthy[0].address === of.address;
  const others = of.service?.uses.flatMap((use) => use.others).filter((name) => name.startsWith("stream_routes/")) ?? [];
  const ready = of.address ? typed.trim() === of.address : /^.+:\d+$/.test(typed.trim());
  const send = async (event) => {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      finish(await ask("POST /v1/drains", { ...apart(typed.trim()), ttl, reason, force, wait: "5s", allowNone: true }));
    } catch (error) {
      fail(error);
    }
    work(false);
  };
  return html`<${Dialog} title=${of.address ? t("drain.title", { address: of.address }) : t("drain")} close=${close}>
    ${done
      ? html`<div class="body"><p><${State} of=${done.confirmed ? "confirmed" : "unconfirmed"}>${done.confirmed ? t("drain.done", { took: took(done.took) }) : t("drain.waiting")}<//></p>
          <${Bar} revision=${done.drain.revision} /><p class="buttons"><button class="primary" onClick=${close}>${t("close")}</button></p></div>`
      : html`<form onSubmit=${send}><div class="body"><p>${t("drain.what")}</p>
          ${isLast && html`<p class="note bad">${t("drain.last")}</p>`}
          ${others.length > 0 && html`<p class="note warn">${t("drain.streams", { names: others.join(", ") })}</p>`}
          <label>${of.address ? t("drain.type", { address: of.address }) : t("drain.type.any")}<input class="mono" required autofocus autocomplete="off" value=${typed} onInput=${(event) => type(event.target.value)} /></label>
          <label>${t("drain.ttl")} <small>${t("drain.ttl.allowed")}</small><input required pattern="\\d+[smh]" value=${ttl} onInput=${(event) => last(event.target.value)} /></label>
          <label>${t("reason")}<input value=${reason} onInput=${(event) => say(event.target.value)} /></label>
          ${(isLast || trouble) && html`<label class="check"><input type="checkbox" checked=${force} onChange=${() => insist(!force)} />${t("drain.force")}</label>`}
          ${trouble && html`<${Trouble} error=${trouble} />`}
          <${Command} of=${`chancery drain ${quoted(of.address || typed || "10.0.0.1:8080")} --ttl ${ttl}`} />
          <p class="buttons"><button type="button" onClick=${close}>${t("cancel")}</button><button class="danger" disabled=${!ready || busy || !reachable()}>${t("drain.now")}</button></p></div></form>`}
  <//>`;
}

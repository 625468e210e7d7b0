// @ts-check
// What registries say: each service and its instances, and who of them gets no traffic, by whom and why.
import { html, useState } from "../vendor/preact.js";
import { ask, may } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { place, to } from "../core/place.js";
import { holds } from "../core/text.js";
import { t } from "../core/words.js";
import { Ago, Empty, Loaded, Page, Same, Share, State } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";
import { DrainDialog, undrain } from "./drains.js";

/** What is left out of some load assignment, and why. @param {any} instance */
const out = (instance) => {
  const by = Object.entries(instance.leftOut);
  return by.length === 0 ? t("taken") : by.map(([use, why]) => `${why} (${use})`).join("; ");
};

export function Instances() {
  const from = useLoad(async (signal) => {
    const [{ services }, { drains }] = await Promise.all([ask("GET /v1/services", {}, { signal }), ask("GET /v1/drains", {}, { signal }).catch(() => ({ drains: [] }))]);
    return { services, drains };
  }, []);
  const words = place.value.query.get("q") ?? "";
  const [draining, drain] = useState(/** @type {any} */ (null));
  const [trouble, fail] = useState(/** @type {any} */ (null));
  return html`<${Page} title=${t("nav.instances")} lead=${t("instances.lead")}>
    ${trouble && html`<p class="note bad" role="alert">${trouble.message}</p>`}
    <${Loaded} from=${from}>${({ services, drains }) => {
      if (services.length === 0) return html`<${Empty} title=${t("instances.none")} command="consul services register -name=echo -address=10.0.0.1 -port=8080">${t("instances.none.why")}<//>`;
      const text = (of, one) => [of.service, one.id, one.address, one.status, t(`state.${one.status}`), one.zone, one.node, ...one.tags, out(one)].join(" ");
      const shown = services.map((service) => ({ ...service, found: service.instances.filter((one) => !words || holds(words, text(service, one))) }));
      const count = (of) => shown.reduce((sum, one) => sum + of(one), 0);
      return html`<${Search} found=${count((one) => one.found.length)} all=${count((one) => one.instances.length)} hint=${t("search.instances")} />
        ${shown.filter((service) => service.found.length > 0 || (!words && service.instances.length === 0)).map((service) => html`<section class="card flush" key=${service.service}>
          <header><div><h2 class="mono">${service.service}</h2><p class="faint">${service.answered ? html`${t("instances.answered")} <${Ago} at=${service.confirmed} />` : t("instances.unanswered")}
            ${service.uses.flatMap((use) => use.routes).slice(0, 4).map((route) => html` · <a href=${to(["documents", "routes", route])}>routes/${route}</a>`)}</p></div>
            <${Share} good=${service.instances.filter((one) => one.status === "passing" && Object.keys(one.leftOut).length === 0).length} all=${service.instances.length} /></header>
          ${service.found.length === 0 ? html`<p class="card">${t("instances.empty")}</p>` : html`<${Table} name=${service.service} rows=${service.found} id=${(row) => row.id} columns=${[
            { id: "address", title: t("col.address"), sort: (row) => row.address, cell: (row) => html`<span class="mono">${row.address}</span><small>${row.id}</small>` },
            { id: "status", title: t("col.status"), sort: (row) => row.status, cell: (row) => html`<${State} of=${row.status} />${row.kept && html`<small>${t("state.kept")}</small>`}` },
            { id: "out", title: t("col.out"), sort: out, cell: out },
            { id: "weight", title: t("col.weight"), minor: true, end: true, sort: (row) => row.weight, cell: (row) => row.weight },
            { id: "zone", title: t("col.zone"), minor: true, sort: (row) => row.zone, cell: (row) => [row.region, row.zone].filter(Boolean).join(" / ") },
            { id: "tags", title: t("col.tags"), minor: true, cell: (row) => row.tags.map((tag) => html`<span class="tag">${tag}</span>`) },
            ...(may("drain") ? [{ id: "do", title: html`<span class="visually-hidden">${t("col.do")}</span>`, end: true, cell: (row) => {
              const held = drains.find((one) => `${one.address}:${one.port}` === row.address);
              return held
                ? html`<button class="small" onClick=${() => undrain(held).then(from.again, fail)} aria-label=${`${t("undrain")} ${row.address}`}>${t("undrain")}</button>`
                : html`<button class="small" onClick=${() => drain({ address: row.address, service })} aria-label=${`${t("drain")} ${row.address}`}>${t("drain")}</button>`;
            } }] : []),
          ]} />`}</section>`)}`;
    }}<//>
    ${draining && html`<${DrainDialog} of=${draining} close=${() => (drain(null), from.again())} />`}
    <${Same} args=${["chancery", "services"]} />
  <//>`;
}

// @ts-check
// What Envoy is sent, by gateway, kind of proxy and type.
import { html } from "../vendor/preact.js";
import { ask } from "../core/api.js";
import { useLoad } from "../core/live.js";
import { place, set, to } from "../core/place.js";
import { holds, number, pretty } from "../core/text.js";
import { t } from "../core/words.js";
import { Code, Empty, Loaded, Page, Same, Tabs } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";

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

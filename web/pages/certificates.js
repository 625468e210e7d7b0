// @ts-check
// Certificates: for which names, until when, and whether they are in force.
import { html } from "../vendor/preact.js";
import { ask, mayWrite } from "../core/api.js";
import { hosts, list } from "../core/kinds.js";
import { useLoad } from "../core/live.js";
import { place, to } from "../core/place.js";
import { day, holds } from "../core/text.js";
import { t } from "../core/words.js";
import { Ago, DocumentLink, Empty, Loaded, Page, Same, State } from "../parts/basics.js";
import { Search, Table } from "../parts/table.js";

const MONTH = 30 * 86_400_000;

/** When the first certificate of a chain ends: the second time of its `Validity`, as X.509 has it. @param {string} pem */
export function ends(pem) {
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

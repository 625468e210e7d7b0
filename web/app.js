// @ts-check
// The dashboard: where one is, and what is always there around it.
import { html, render, useEffect, useState } from "./vendor/preact.js";
import { away, forgetKey, giveKey, hasKey, keyAsked, status } from "./core/api.js";
import { KINDS } from "./core/kinds.js";
import { listen, now } from "./core/live.js";
import { place, to } from "./core/place.js";
import { moment, setUtc, span, utc } from "./core/text.js";
import { lang, speak, t } from "./core/words.js";
import { Dialog, Empty, Page } from "./parts/basics.js";
import { Change, Changes } from "./pages/changes.js";
import { DocumentPage, NewDocument } from "./pages/document.js";
import { Certificates, Documents } from "./pages/documents.js";
import { Explain, Resources } from "./pages/look.js";
import { Overview } from "./pages/overview.js";
import { Proxies, Proxy } from "./pages/proxies.js";
import { Audit, Live } from "./pages/said.js";
import { Drains, Instances } from "./pages/traffic.js";

/** What stands in the menu, in groups. @type {[string, [string[], string][]][]} */
const MENU = [
  ["", [[[], "nav.overview"], [["changes"], "nav.changes"], [["proxies"], "nav.proxies"]]],
  ["nav.documents", KINDS.filter((kind) => kind !== "ssls").map((kind) => [["documents", kind], `kind.${kind}`])],
  ["nav.traffic", [[["instances"], "nav.instances"], [["drains"], "nav.drains"], [["certificates"], "nav.certificates"]]],
  ["nav.look", [[["explain"], "nav.explain"], [["resources"], "nav.resources"], [["live"], "nav.live"], [["audit"], "nav.audit"]]],
];

function Here() {
  const [first = "", second, ...rest] = place.value.steps;
  const known = KINDS.includes(second);
  if (first === "") return html`<${Overview} />`;
  if (first === "changes") return second ? html`<${Change} key=${second} revision=${second} />` : html`<${Changes} />`;
  if (first === "proxies") return second ? html`<${Proxy} key=${second} id=${second} />` : html`<${Proxies} />`;
  if (first === "documents" && known) {
    const id = rest.join("/");
    return id ? html`<${DocumentPage} key=${`${second}/${id}`} kind=${second} id=${id} />` : html`<${Documents} key=${second} kind=${second} />`;
  }
  if (first === "new" && known) return html`<${NewDocument} key=${second} kind=${second} />`;
  if (first === "instances") return html`<${Instances} />`;
  if (first === "drains") return html`<${Drains} />`;
  if (first === "certificates") return html`<${Certificates} />`;
  if (first === "explain") return html`<${Explain} key=${location.hash} />`;
  if (first === "resources") return html`<${Resources} />`;
  if (first === "live") return html`<${Live} />`;
  if (first === "audit") return html`<${Audit} />`;
  return html`<${Page} title=${t("nowhere")}><${Empty} title=${t("nowhere.why")}><a href="#/">${t("nav.overview")}</a><//><//>`;
}

function Menu() {
  const [open, show] = useState(false);
  const [first = "", second = ""] = place.value.steps;
  const here = (/** @type {string[]} */ steps) =>
    steps.length === 0 ? first === "" : steps.length === 1 ? first === steps[0] || (steps[0] === "certificates" && second === "ssls") : (first === "documents" || first === "new") && second === steps[1];
  useEffect(() => show(false), [place.value]);
  return html`<aside class="side ${open ? "open" : ""}">
    <a class="brand" href="#/"><img src=${new URL("icon.svg", import.meta.url).href} alt="" />Chancery</a>
    <button class="menu" aria-expanded=${open ? "true" : "false"} onClick=${() => show(!open)}>${t("menu")}</button>
    <nav aria-label=${t("menu")}>${MENU.map(([title, entries]) => html`${title && html`<h2>${t(title)}</h2>`}<ul>${entries.map(([steps, name]) => html`<li><a href=${to(steps)} aria-current=${here(steps) ? "page" : undefined}>${t(name)}</a></li>`)}</ul>`)}</nav>
    <div class="who">
      ${status.value && html`<span>${status.value.caller || t("who.nobody")} · ${status.value.roles.map((role) => t(`role.${role}`)).at(-1)}</span>`}
      <div class="row"><button class="small" lang=${lang.value === "en" ? "zh" : "en"} onClick=${() => speak(lang.value === "en" ? "zh" : "en")}>${lang.value === "en" ? "中文" : "English"}</button>
        <button class="small" aria-pressed=${utc.value ? "true" : "false"} onClick=${() => setUtc(!utc.value)}>UTC</button>
        ${hasKey() && html`<button class="small" onClick=${forgetKey}>${t("key.forget")}</button>`}</div>
    </div>
  </aside>`;
}

/** What concerns every page: Chancery or a source is away, or documents are not to be written. */
function Banners() {
  const gone = away.value;
  const sources = (status.value?.sources ?? []).filter((source) => source.error || source.saved);
  return html`<div role="status">${gone
      ? html`<p class="banner"><strong>${t("away.title")}</strong> ${t("away.what", { time: moment(gone.since), span: span(now.value - gone.since.getTime()) })} ${gone.why}</p>`
      : sources.map((source) => html`<p class="banner warn"><strong>${t(source.saved ? "source.saved" : "source.away", { name: source.name })}</strong> ${t(source.saved ? "source.saved.what" : "source.away.what")} ${source.error}</p>`)}
    ${!gone && status.value && !status.value.writable && html`<p class="banner warn">${t("files")}</p>`}</div>`;
}

function KeyDialog() {
  const [key, type] = useState("");
  if (keyAsked.value === null) return null;
  const send = (event) => (event.preventDefault(), giveKey(key), type(""));
  return html`<${Dialog} title=${t("key.title")} close=${null}><form onSubmit=${send}><div class="body"><p>${keyAsked.value}</p>
    <label>${t("key.label")} <small>${t("key.kept")}</small><input type="password" required autofocus autocomplete="off" value=${key} onInput=${(event) => type(event.target.value)} /></label>
    <p class="buttons"><button class="primary">${t("key.give")}</button></p></div></form><//>`;
}

function App() {
  useEffect(() => {
    // Whoever goes to another page begins at its heading.
    document.querySelector("h1")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [place.value.steps.join("/")]);
  return html`<a class="skip-link" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector("h1")?.focus())}>${t("skip")}</a>
    <div class="shell"><${Menu} /><div><${Banners} /><main id="main"><${Here} /></main></div></div><${KeyDialog} />`;
}

render(html`<${App} />`, document.body);
listen();

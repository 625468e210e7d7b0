// @ts-check
// What all pages are made of.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { away } from "../core/api.js";
import { now } from "../core/live.js";
import { toDocument } from "../core/place.js";
import { ago, moment, quoted } from "../core/text.js";
import { t } from "../core/words.js";

/** How bad a state is; the shape beside its word says it too. */
const TONES = /** @type {Record<string, string>} */ ({
  accepted: "good", passing: "good", synced: "good", confirmed: "good", up: "good", done: "good", valid: "good",
  warned: "warn", waiting: "warn", warning: "warn", not_served: "warn", draining: "warn", behind: "warn", soon: "warn", unconfirmed: "warn", large: "warn", saved: "warn", kept: "warn",
  rejected: "bad", refused: "bad", critical: "bad", missing: "bad", emptied: "bad", failed: "bad", down: "bad", expired: "bad",
  off: "none", maintenance: "none", unasked: "none", unknown: "none",
});

/** A state: a shape, and a word. */
export function State({ of, title = undefined, children = undefined }) {
  return html`<span class="state ${TONES[of] ?? "none"}" title=${title}><i aria-hidden="true"></i>${children ?? t(`state.${of}`)}</span>`;
}

/** How many of how many, as a state. */
export function Share({ good, all, none = "–" }) {
  if (!all) return html`<span class="faint num">${none}</span>`;
  return html`<${State} of=${good === all ? "up" : good === 0 ? "down" : "warning"}>${t("n-of-m", { n: good, m: all })}<//>`;
}

/**
 * A page: its name, what it is for, what can be done, and what it shows.
 * @param {{title: string, lead?: any, actions?: any, back?: {href: string, title: string}, children?: any}} props
 */
export function Page({ title, lead, actions, back, children }) {
  useEffect(() => {
    document.title = `${title} · Chancery`;
  }, [title]);
  return html`<header class="head">
      <div>
        ${back && html`<a class="back" href=${back.href}>← ${back.title}</a>`}
        <h1 tabindex="-1">${title}</h1>
        ${lead && html`<p class="lead">${lead}</p>`}
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}`;
}

/** What was loaded; or that it is, or why not. Gives what it has to its child. */
export function Loaded({ from, children }) {
  if (from.data !== undefined) {
    return html`${from.error && html`<${Trouble} error=${from.error} again=${from.again} />`}
      <div class=${away.value ? "stack stale" : "stack"}>${children(from.data)}</div>`;
  }
  if (from.error) return html`<${Trouble} error=${from.error} again=${from.again} />`;
  return from.late ? html`<div class="loading" role="status"><span class="faint">${t("loading")}</span><i></i><i></i><i></i></div>` : null;
}

/** What went wrong, why, and what to do. */
export function Trouble({ error, again = undefined, title = undefined }) {
  const code = error.code ?? 0;
  const known = [400, 403, 404, 409, 429, 501, 503].includes(code);
  return html`<div class="note bad" role="alert">
    <strong>${title ?? (known ? t(`error.${code}`) : t("error.title"))}</strong>
    <p class="said">${error.message}</p>
    <p>${known ? t(`error.${code}.do`) : t("error.do")} ${again && html`<button class="link" onClick=${again}>${t("again")}</button>`}</p>
  </div>`;
}

/** What is to say where there is nothing. */
export function Empty({ title, command = undefined, children = undefined }) {
  return html`<div class="empty">
    <p><strong>${title}</strong></p>
    ${children && html`<p>${children}</p>`}
    ${command && html`<${Command} of=${command} />`}
  </div>`;
}

/** Where commands look for Chancery by themselves. */
const USUAL = "http://127.0.0.1:9180";

/** A command that can be copied. Chancery's are told where it is. */
export function Command({ of: words }) {
  const of = words.startsWith("chancery ") && location.origin !== USUAL ? `${words} --admin ${location.origin}` : words;
  const [copied, set] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(of);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return html`<div class="command">
    <code tabindex="0">${of}</code>
    ${navigator.clipboard && html`<button class="small" onClick=${copy}>${copied ? t("copied") : t("copy")}</button>`}
  </div>`;
}

/** The command that shows or does the same. */
export function Same({ args }) {
  const commands = (Array.isArray(args[0]) ? args : [args]).map((words) => words.map(quoted).join(" "));
  return html`<details class="same">
    <summary>${t("same")}</summary>
    ${commands.map((command) => html`<${Command} of=${command} />`)}
  </details>`;
}

/** How long ago; the moment itself where one points. */
export function Ago({ at }) {
  return html`<time datetime=${at ?? ""} title=${moment(at)}>${ago(at, now.value)}</time>`;
}

export function Moment({ at }) {
  return html`<time datetime=${at ?? ""}>${moment(at)}</time>`;
}

export function DocumentLink({ path }) {
  return html`<a class="mono" href=${toDocument(path)}>${path}</a>`;
}

/** A window that has to be answered: Escape closes it, where it can be closed, and what was chosen before is chosen again. */
export function Dialog({ title, close, children, wide = false }) {
  const self = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const dialog = self.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    close?.();
  };
  return html`<dialog ref=${self} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${cancel}>
    <header><h2 id="dialog-title">${title}</h2>${close && html`<button class="quiet" aria-label=${t("close")} onClick=${close}>✕</button>`}</header>
    ${children}
  </dialog>`;
}

/** What belongs together, by name. */
export function Facts({ of }) {
  return html`<dl class="facts">${of
    .filter(([, value]) => value || value === 0)
    .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Views of the same thing, of which one is shown. */
export function Tabs({ of, chosen, href, name }) {
  return html`<nav class="tabs" aria-label=${name}>
    ${of.map(([id, title]) => html`<a href=${href(id)} aria-current=${id === chosen ? "page" : undefined}>${title}</a>`)}
  </nav>`;
}

/** A text in a box of its own. */
export function Code({ text, label }) {
  return html`<pre class="code" tabindex="0" role="region" aria-label=${label}>${text}</pre>`;
}

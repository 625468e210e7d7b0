// @ts-check
// One document: its text, what became of it, what Envoy has of it, and what it was. Saving shows first what it would do.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Refused, ask, may, mayWrite, reachable } from "../core/api.js";
import { FIRST, all, check, credentials, edited, hidden, hosts, isOff, one, paths } from "../core/kinds.js";
import { useLoad } from "../core/live.js";
import { go, guard, place, split, to, toDocument } from "../core/place.js";
import { pretty, read } from "../core/text.js";
import { t } from "../core/words.js";
import { Bar, running } from "../parts/bar.js";
import { Ago, Code, Dialog, DocumentLink, Empty, Facts, Loaded, Page, Same, Share, State, Tabs, Trouble } from "../parts/basics.js";
import { Diff, Foreseen, Warnings } from "../parts/diff.js";
import { Table } from "../parts/table.js";
import { Undo } from "./changes.js";

/** How long nobody has to type until the text is checked, in ms. */
const STILL = 300;

/** Where in a text a field is: `plugins.cors.max_age`. @param {string} text @param {string} field */
export function lineOf(text, field) {
  let at = 0;
  for (const step of field.split(/[.[\]/]+/).filter((step) => step && !/^\d+$/.test(step))) {
    const found = text.indexOf(`"${step}"`, at);
    if (found < 0) break;
    at = found;
  }
  return at === 0 && !text.startsWith(`"${field}"`) && !text.includes(`"${field.split(".")[0]}"`) ? 0 : text.slice(0, at).split("\n").length;
}

/** What is wrong, and in which line. @param {string} text @param {string} said */
function placed(text, said) {
  const field = /property "([^"]+)"/.exec(said)?.[1] ?? /^([\w.[\]-]+): /.exec(said)?.[1] ?? /\(([\w-]+(?:\.[\w-]+)+)\)/.exec(said)?.[1];
  return { said, line: field ? lineOf(text, field) : 0 };
}

/** A text as JSON, or what is wrong with it. @param {string} text */
function parse(text) {
  try {
    const value = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return { wrong: { said: t("edit.object"), line: 1 } };
    return { value };
  } catch (error) {
    const said = /** @type {Error} */ (error).message;
    const at = /position (\d+)/.exec(said);
    const line = at ? text.slice(0, Number(at[1])).split("\n").length : text.split("\n").length;
    return { wrong: { said: `${t("edit.json")} ${said}`, line } };
  }
}

/** The text, checked while one types. */
function Editor({ kind, text, type, wrong, find, readonly }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const gutter = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [busy, work] = useState(false);
  useEffect(() => {
    const read = parse(text);
    work(!read.wrong);
    if (read.wrong) return find(read.wrong);
    const ends = new AbortController();
    const later = setTimeout(async () => {
      try {
        await check(kind, read.value, ends.signal);
        find(null);
      } catch (error) {
        if (error instanceof Refused) find(placed(text, error.message));
      }
      if (!ends.signal.aborted) work(false);
    }, STILL);
    return () => (clearTimeout(later), ends.abort());
  }, [text, kind]);
  const count = text.split("\n").length;
  const scroll = () => gutter.current && area.current && (gutter.current.scrollTop = area.current.scrollTop);
  const line = wrong?.line ?? 0;
  return html`<div class="editor">
    <div class="paper"><div class="gutter" aria-hidden="true" ref=${gutter}>${Array.from({ length: count }, (_, at) => (at + 1 === line ? html`<b>▸${at + 1}${"\n"}</b>` : `${at + 1}\n`))}</div>
      <textarea ref=${area} spellcheck=${false} autocapitalize="off" autocomplete="off" wrap="off" rows=${Math.min(40, Math.max(14, count + 1))} readonly=${readonly}
        aria-label=${t("edit.text")} aria-invalid=${wrong ? "true" : "false"} aria-describedby="checked" value=${text} onScroll=${scroll}
        onInput=${(event) => type(event.target.value)}></textarea></div>
    <p class="checked" id="checked" aria-live="polite">${busy ? html`<span class="faint">${t("edit.checking")}</span>` : wrong
      ? html`<${State} of="rejected">${line ? t("edit.line", { n: line }) : t("state.rejected")}<//> <span class="said">${wrong.said}</span>`
      : html`<${State} of="valid">${t("edit.good")}<//>`}</p>
  </div>`;
}

/**
 * What saving would do, and a question whether to. What others wrote meanwhile is shown beside it.
 * @param {{path: string, before: string, after: string | null, expected: number, close: () => void, done: (revision: string) => void, title: string}} props
 */
function Review({ path, before, after, expected, close, done, title }) {
  const [reason, say] = useState("");
  const [trouble, fail] = useState(/** @type {any} */ (null));
  const [busy, work] = useState(false);
  const [force, insist] = useState(false);
  const writes = (known) => [{ document: path, ...(after === null ? {} : { text: after }), ...(known === undefined ? {} : { expected: String(known) }) }];
  const trial = useLoad((signal) => ask("POST /v1/changes", { writes: writes(expected), dryRun: true, force }, { signal }), [path, after, force], { still: true });
  const conflict = [trial.error, trouble].find((error) => error?.code === 409);
  const write = async () => {
    work(true);
    try {
      const { revision } = await ask("POST /v1/changes", { writes: writes(expected), reason, force });
      running.value = revision;
      done(revision);
    } catch (error) {
      fail(error);
      work(false);
    }
  };
  const used = trial.error instanceof Refused && trial.error.code === 400 && after === null;
  return html`<${Dialog} title=${title} close=${close} wide=${true}><div class="body">
    ${!conflict && html`<section><h3>${t("review.document")} <${DocumentLink} path=${path} /></h3><${Diff} before=${before} after=${after ?? ""} /></section>`}
    ${after === null && html`<${Around} path=${path}>${(of) => of.usedBy.length > 0 && html`<section><h3>${t("used.by")}</h3><p>${of.usedBy.map((one) => html`<${DocumentLink} path=${one} /> `)}</p></section>`}<//>`}
    ${conflict
      ? html`<${Conflict} path=${path} base=${before} mine=${after ?? ""} error=${conflict} />`
      : trial.error
        ? html`<${Trouble} error=${trial.error} />`
        : trial.data
          ? html`<section><h3>${t("review.envoy")}</h3><${Warnings} of=${trial.data.warnings} /><${Foreseen} of=${trial.data.envoys} /></section>`
          : html`<p class="faint" role="status">${t("review.asking")}</p>`}
    ${(used || force) && html`<label class="check"><input type="checkbox" checked=${force} onChange=${() => insist(!force)} />${t("delete.force")}</label>`}
    ${trouble && !conflict && html`<${Trouble} error=${trouble} />`}
    <label>${t("reason")} <small>${t("reason.why")}</small><input value=${reason} onInput=${(event) => say(event.target.value)} /></label>
    <p class="buttons"><button onClick=${close}>${t("cancel")}</button>
      <button class=${after === null ? "danger" : "primary"} disabled=${busy || !trial.data || !reachable()} onClick=${write}>${after === null ? t("delete") : t("save")}</button></p>
  </div><//>`;
}

/** Others wrote the same document: what was there, what they made of it, and what one wants oneself. */
function Conflict({ path, base, mine, error }) {
  const [kind, id] = split(path);
  const theirs = useLoad((signal) => one(kind, id, !may("admin"), signal), [path], { still: true });
  if (!theirs.data) return html`<p class="note bad" role="alert">${error.message}</p>`;
  const text = pretty(edited(theirs.data.value));
  return html`<section class="note bad" role="alert"><strong>${t("conflict.title")}</strong><p>${t("conflict.do")}</p>
    <div class="sides"><div><h4>${t("conflict.theirs")}</h4><${Diff} before=${base} after=${text} /></div>
      <div><h4>${t("conflict.mine")}</h4><${Diff} before=${base} after=${mine} /></div></div></section>`;
}

/** Turns a document on or off by its own status. */
export function Switch({ path, close, done }) {
  const [kind, id] = split(path);
  const held = useLoad((signal) => one(kind, id, false, signal), [path], { still: true });
  if (!held.data) return null;
  const before = edited(held.data.value);
  const after = { ...before, status: isOff(before) ? 1 : 0 };
  return html`<${Review} path=${path} before=${pretty(before)} after=${pretty(after)} expected=${held.data.modified} close=${close} done=${done}
    title=${t(isOff(before) ? "turn-on" : "turn-off")} />`;
}

/** @param {{kind: string}} props */
export function NewDocument({ kind }) {
  const copied = place.value.query.get("of");
  const from = useLoad(async (signal) => {
    const held = copied ? await one(kind, copied, !may("admin"), signal) : null;
    return pretty(edited(held?.value ?? FIRST[kind]));
  }, [kind, copied], { still: true });
  return html`<${Page} title=${t(`add.${kind}`)} lead=${t(`kind.${kind}.lead`)} back=${{ href: to(["documents", kind]), title: t(`kind.${kind}`) }}>
    <${Loaded} from=${from}>${(text) => html`<${Draft} kind=${kind} first=${text} />`}<//>
    <${Same} args=${["chancery", "apply", "-f", `${kind}.yaml`, "--wait", "30s"]} />
  <//>`;
}

function Draft({ kind, first }) {
  const named = kind === "consumers";
  const [id, name] = useState("");
  const [text, type] = useState(first);
  const [wrong, find] = useState(/** @type {any} */ (null));
  const [review, show] = useState(false);
  useGuard(text !== first);
  const path = `${kind === "secrets" ? "secrets/vault" : kind}/${named ? (parse(text).value?.username ?? "") : id}`;
  const good = named || /^[\w.-]{1,64}$/.test(id);
  return html`<form class="editor" onSubmit=${(event) => (event.preventDefault(), good && !wrong && show(true))}>
    ${!named && html`<label>${t("edit.id")} <small>${t("edit.id.allowed")}</small><input class="mono" required pattern="[A-Za-z0-9._\\-]{1,64}" value=${id} autofocus onInput=${(event) => name(event.target.value)} /></label>`}
    <${Editor} kind=${kind} text=${text} type=${type} wrong=${wrong} find=${find} readonly=${!mayWrite()} />
    <p class="buttons"><button class="primary" disabled=${Boolean(wrong) || !reachable()}>${t("review")}</button> <a class="button" href=${to(["documents", kind])}>${t("cancel")}</a></p>
    ${review && html`<${Review} path=${path} before="" after=${text} expected=${0} title=${t(`add.${kind}`)} close=${() => show(false)}
      done=${(revision) => ((guard.leaves = null), go(["documents", ...split(path)], { saved: revision }))} />`}
  </form>`;
}

/** Asks before one leaves an edit. @param {boolean} dirty */
function useGuard(dirty) {
  useEffect(() => {
    guard.leaves = dirty ? () => confirm(t("edit.leave")) : null;
    return () => void (guard.leaves = null);
  }, [dirty]);
}

/** @param {{kind: string, id: string}} props */
export function DocumentPage({ kind, id }) {
  const path = `${kind}/${id}`;
  const of = id.includes("/credentials/") ? "credentials" : kind;
  const query = place.value.query;
  const tab = query.get("tab") ?? "text";
  const [clear, uncover] = useState(false);
  const from = useLoad(async (signal) => {
    const [held, { documents }, { problems }] = await Promise.all([
      one(kind, id, !clear, signal),
      ask("GET /v1/documents", { document: path, texts: true }, { signal }),
      ask("GET /v1/problems", {}, { signal }),
    ]);
    return { held, told: documents[0], problem: problems.find((one) => one.document === path) };
  }, [path, clear]);
  const back = { href: to(["documents", kind]), title: t(`kind.${kind}`) };
  const saved = query.get("saved");
  const [undo, back_] = useState(false);
  const href = (tab) => to(["documents", kind, id], { tab: tab === "text" ? undefined : tab, saved: saved ?? undefined });
  const tabs = [["text", t("tab.text")], ["effective", t("tab.effective")], ["envoy", t("tab.envoy")], ["instances", t("tab.instances")], ["used", t("tab.used")], ["history", t("tab.history")]];
  if (kind === "consumers" && of === "consumers") tabs.splice(3, 1, ["credentials", t("tab.credentials")]);
  const held = from.data?.held;
  const actions = held && html`${kind === "routes" && html`<a class="button" href=${to(["explain"], asked(held.value))}>${t("nav.explain")}</a>`}
    ${mayWrite() && of !== "credentials" && html`<${Actions} path=${path} held=${held} />`}`;
  return html`<${Page} title=${id} back=${back} actions=${actions}>
    ${saved && Number(from.data?.told?.revision ?? 0) <= Number(saved) && html`<${Bar} key=${saved} revision=${saved} rollBack=${mayWrite() ? () => back_(true) : null} />`}
    ${undo && saved && html`<${Undo} change=${saved} documents=${[path]} close=${() => back_(false)} />`}
    <${Loaded} from=${from}>${({ held, told, problem }) => {
      if (!held && !told) return html`<${Empty} title=${t("document.gone")}><a href=${to(["documents", kind, id], { tab: "history" })}>${t("tab.history")}</a><//>
        ${tab === "history" && html`<${History} path=${path} />`}`;
      return html`<${Standing} told=${told} problem=${problem} path=${path} held=${held} />
        <${Tabs} of=${tabs} chosen=${tab} href=${href} name=${path} />
        ${tab === "text" && held && html`<${Text} kind=${kind} of=${of} path=${path} held=${held} clear=${clear} uncover=${() => uncover(true)} />`}
        ${tab === "effective" && html`<${Around} path=${path}>${(of) => html`<${Effective} of=${of} />`}<//>`}
        ${tab === "envoy" && html`<${InEnvoy} kind=${kind} id=${id} />`}
        ${tab === "instances" && html`<${Instances} path=${path} />`}
        ${tab === "credentials" && html`<${Credentials} username=${id} />`}
        ${tab === "used" && html`<${Around} path=${path}>${(of) => html`<${Used} of=${of} />`}<//>`}
        ${tab === "history" && html`<${History} path=${path} now=${held ? pretty(held.value) : ""} />`}`;
    }}<//>
    <${Same} args=${tab === "history" ? ["chancery", "history", path] : tab === "envoy" ? ["chancery", "snapshot", "default"] : tab === "effective" ? ["curl", `${location.origin}/v1/documents/${encodeURIComponent(path)}/effective`] : ["chancery", "get", path]} />
  <//>`;
}

/** A request that a route is meant for. @param {any} value */
function asked(value) {
  const [host] = hosts(value);
  const path = (paths(value)[0] ?? "/").replace(/\*$/, "");
  return { method: all(value.methods)[0] ?? "GET", url: host ? `http://${host.replace(/^\*/, "www")}${path}` : path };
}

function Actions({ path, held }) {
  const [kind, id] = split(path);
  const [deleting, remove] = useState(false);
  const [turning, turn] = useState(false);
  const saved = (revision) => go(["documents", kind, id], { saved: revision });
  return html`${(kind === "routes" || kind === "ssls") && html`<button disabled=${!reachable()} onClick=${() => turn(true)}>${t(isOff(held.value) ? "turn-on" : "turn-off")}</button>`}
    ${kind !== "consumers" && html`<a class="button" href=${to(["new", kind], { of: id })}>${t("duplicate")}</a>`}
    <button class="danger" disabled=${!reachable()} onClick=${() => remove(true)}>${t("delete")}</button>
    ${turning && html`<${Switch} path=${path} close=${() => turn(false)} done=${(revision) => (turn(false), saved(revision))} />`}
    ${deleting && html`<${Review} path=${path} before=${pretty(edited(held.value))} after=${null} expected=${held.modified} title=${t("delete")}
      close=${() => remove(false)} done=${(revision) => (remove(false), saved(revision))} />`}`;
}

/** How the document fares, at a glance. */
function Standing({ told, problem, path, held }) {
  const bad = told && ["rejected", "refused", "waiting", "not_served"].includes(told.state);
  const older = bad && told.holds !== "0" && told.holds !== told.revision;
  const release = async () => {
    await ask("POST /v1/release", { document: path });
  };
  return html`<div class="card"><${Facts} of=${[
      [t("col.configuration"), html`<${State} of=${told?.state ?? "unknown"} />`],
      [t("col.instances"), told?.instances ? html`<${Share} good=${told.taken} all=${told.instances} />` : undefined],
      [t("col.revision"), told && html`<a href=${to(["changes", told.revision])}>${told.revision}</a>`],
      [t("col.updated"), held?.value.update_time > 0 && html`<${Ago} at=${new Date(Math.min(held.value.update_time, 1e11) * 1000).toISOString()} />`],
      [t("col.source"), html`<span class="mono">${told?.source}</span>`],
    ]} />
    ${told?.reason && html`<div class="note ${["rejected", "refused"].includes(told.state) ? "bad" : "warn"}"><strong>${t(`state.${told.state}`)}: ${t(`state.${told.state}.why`)}</strong><p class="said">${told.reason}</p>
      ${older && html`<p>${t("document.older")} <a href=${to(["changes", told.holds])}>${told.holds}</a></p>`}
      ${problem?.refusals.map((one) => html`<p>${t("document.refusal", { gateway: one.gateway, cohort: one.cohort, resource: one.resource, nodes: one.nodes.join(", ") })} <${Ago} at=${one.since} /></p>`)}
      ${told.state === "refused" && may("operate") && html`<p><button class="small" disabled=${!reachable()} onClick=${release}>${t("document.release")}</button></p>`}</div>`}
    ${told && html`<${Warnings} of=${told.warnings} />`}</div>`;
}

/** The text, to be edited by who may. What is written meanwhile elsewhere does not take an edit away. */
function Text({ kind, of, path, held, clear, uncover }) {
  const [base, rebase] = useState(held);
  const first = pretty(edited(base.value));
  const [text, type] = useState(first);
  const [wrong, find] = useState(/** @type {any} */ (null));
  const [review, show] = useState(false);
  const dirty = text !== first;
  useGuard(dirty);
  useEffect(() => {
    if (held.modified === base.modified && hidden(held.value) === hidden(base.value)) return;
    if (dirty) return;
    rebase(held);
    type(pretty(edited(held.value)));
  }, [held.modified, clear, hidden(held.value)]);
  const secret = hidden(base.value);
  const writes = mayWrite() && of !== "credentials";
  const outdated = dirty && held.modified !== base.modified;
  if (!writes || secret)
    return html`${secret && html`<div class="note warn"><p>${t("document.masked")} ${may("admin") && html`<button class="link" onClick=${uncover}>${t("document.uncover")}</button>`}</p></div>`}
      <${Code} text=${first} label=${t("tab.text")} />`;
  return html`<form class="editor" onSubmit=${(event) => (event.preventDefault(), dirty && !wrong && show(true))}>
    ${outdated && html`<p class="note warn" role="status">${t("edit.outdated")} <button type="button" class="link" onClick=${() => (rebase(held), type(pretty(edited(held.value))))}>${t("edit.theirs")}</button></p>`}
    <${Editor} kind=${kind} text=${text} type=${type} wrong=${wrong} find=${find} readonly=${false} />
    <p class="buttons"><button class="primary" disabled=${!dirty || Boolean(wrong) || !reachable()}>${t("review")}</button>
      ${dirty && html`<button type="button" onClick=${() => type(first)}>${t("edit.reset")}</button>`}</p>
    ${review && html`<${Review} path=${path} before=${first} after=${text} expected=${base.modified} title=${t("review.title")} close=${() => show(false)}
      done=${(revision) => {
        show(false);
        rebase({ ...base, value: JSON.parse(text), modified: Number(revision) });
        type(pretty(edited(JSON.parse(text))));
        guard.leaves = null;
        go(["documents", ...split(path)], { saved: revision });
      }} />`}
  </form>`;
}

/** What Envoy is sent that bears the document's name. */
function InEnvoy({ kind, id }) {
  const from = useLoad(async (signal) => {
    const { snapshots } = await ask("GET /v1/snapshots", {}, { signal });
    const name = `${kind.replace(/s$/, "")}/${id}`;
    const gateways = [...new Set(snapshots.map((one) => one.gateway))];
    const all = await Promise.all(gateways.map(async (gateway) => {
      const { sets, cohort } = await ask("GET /v1/snapshots/{gateway}", { gateway, name: kind === "gateways" ? id : name }, { signal });
      return sets.flatMap((set) => (set.resources ?? []).map((one) => ({ gateway, cohort, type: set.type, ...one })));
    }));
    return all.flat();
  }, [kind, id]);
  return html`<${Loaded} from=${from}>${(all) => all.length
    ? html`<p class="faint">${t("envoy.lead")}</p>${all.map((one) => html`<section class="card"><header><h3>${t(`type.${one.type}`)} <span class="mono">${one.name}</span></h3><span class="faint">${one.gateway} · ${one.cohort}</span></header><${Code} text=${pretty(one.resource)} label=${one.name} /></section>`)}`
    : html`<${Empty} title=${t("envoy.none")}><a href=${to(["resources"])}>${t("nav.resources")}</a><//>`}<//>`;
}

function Instances({ path }) {
  const from = useLoad((signal) => ask("GET /v1/services", { document: path }, { signal }), [path]);
  return html`<${Loaded} from=${from}>${({ services }) => services.length === 0 ? html`<${Empty} title=${t("instances.static")} />` : services.map((service) => html`<section class="card flush"><header><h3 class="mono"><a href=${to(["instances"], { q: service.service })}>${service.service}</a></h3></header>
    <${Table} stay name=${service.service} rows=${service.instances} id=${(row) => row.id} columns=${[
      { id: "address", title: t("col.address"), cell: (row) => html`<span class="mono">${row.address}</span>` },
      { id: "status", title: t("col.status"), cell: (row) => html`<${State} of=${row.status} />` },
      { id: "out", title: t("col.out"), cell: (row) => [...new Set(Object.values(row.leftOut))].join("; ") || t("taken") },
      { id: "tags", title: t("col.tags"), minor: true, cell: (row) => row.tags.map((tag) => html`<span class="tag">${tag}</span>`) },
    ]} /></section>`)}<//>`;
}

function Credentials({ username }) {
  const from = useLoad((signal) => credentials(username, signal), [username]);
  return html`<${Loaded} from=${from}>${(all) => all.length
    ? html`<${Table} stay name=${t("tab.credentials")} rows=${all} id=${(row) => row.path} columns=${[
        { id: "id", title: t("col.document"), cell: (row) => html`<a class="mono" href=${toDocument(row.path)}>${row.value.id}</a>` },
        { id: "plugins", title: t("col.plugins"), cell: (row) => Object.keys(row.value.plugins ?? {}).join(", ") },
      ]} />`
    : html`<${Empty} title=${t("credentials.none")} />`}<//>`;
}

/** The document as it counts, and who names whom. Gives it to its child. */
function Around({ path, children }) {
  const from = useLoad((signal) => ask("GET /v1/documents/{document}/effective", { document: path }, { signal }), [path]);
  return html`<${Loaded} from=${from}>${children}<//>`;
}

/** What counts in the end, and from which document each part is. */
function Effective({ of }) {
  if (!of.text) return html`<${Empty} title=${t("effective.none")} />`;
  return html`<p class="faint">${t("effective.lead")}</p><div class="sides">
    <${Code} text=${read(of.text)} label=${t("tab.effective")} />
    <${Table} stay name=${t("effective.from")} rows=${of.origins} id=${(row) => row.field} columns=${[
      { id: "field", title: t("col.field"), cell: (row) => html`<span class="mono">${row.field}</span>` },
      { id: "from", title: t("effective.from"), cell: (row) => (row.document === of.document ? html`<span class="faint">${t("effective.own")}</span>` : html`<${DocumentLink} path=${row.document} />`) },
    ]} /></div>`;
}

/** Which documents name this one, and which it names. */
function Used({ of }) {
  const some = (/** @type {string[]} */ paths, none) => (paths.length ? html`<ul>${paths.map((one) => html`<li><${DocumentLink} path=${one} /></li>`)}</ul>` : html`<p class="faint">${none}</p>`);
  return html`<div class="cards">
    <section class="card"><h3>${t("used.by")}</h3>${some(of.usedBy, t("used.nobody"))}</section>
    <section class="card"><h3>${t("used.names")}</h3>${some(of.uses, t("used.nothing"))}</section></div>`;
}

function History({ path, now = "" }) {
  const from = useLoad(async (signal) => (await ask("GET /v1/history", { document: path, forms: true }, { signal })).entries, [path]);
  const [undo, choose] = useState(/** @type {string | null} */ (null));
  return html`<${Loaded} from=${from}>${(all) => all.length === 0
    ? html`<${Empty} title=${t("history.none")} />`
    : all.map((entry, at) => html`<section class="card" key=${entry.revision}>
        <header><h3><a href=${to(["changes", entry.revision])}>${t("revision-n", { n: entry.revision })}</a> · ${t(`change.${entry.change}`)}</h3>
          <span class="faint"><${Ago} at=${entry.time} /> · ${entry.who || entry.from}</span></header>
        ${entry.reason && html`<p>${entry.reason}</p>`}
        ${entry.lost ? html`<p class="faint">${entry.lost}</p>` : html`<${Diff} before=${entry.before} after=${all[at - 1]?.before ?? now} />`}
        ${mayWrite() && html`<p><button class="small" disabled=${!reachable()} onClick=${() => choose(entry.revision)}>${t("roll-back.change")}</button></p>`}
      </section>`)}<//>
    ${undo && html`<${Undo} change=${undo} documents=${[path]} whole close=${() => choose(null)} />`}`;
}

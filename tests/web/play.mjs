// Plays what people do with the dashboard, in a real browser, and leaves a picture of each page. `make web` runs it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { Stage, eventually } from "./stage.mjs";

const SHOTS = "target/web";
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LONG = 45_000;
const only = process.argv[2];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A tab that nothing may go wrong in, and that may ask nobody else. */
async function tab(stage, { scheme = "light", width = 1280, locale = "en-GB", zoom = 1 } = {}) {
  // Zoomed, a page has so much less room, and each of its pixels is as many of the screen.
  const context = await browser.newContext({ viewport: { width: width / zoom, height: 900 / zoom }, deviceScaleFactor: zoom, colorScheme: scheme, locale, bypassCSP: false });
  const page = await context.newPage();
  page.setDefaultTimeout(LONG);
  page.wrong = [];
  page.on("pageerror", (error) => page.wrong.push(error.stack));
  page.on("console", (message) => message.type() === "error" && /Content Security Policy|Trusted/.test(message.text()) && page.wrong.push(message.text()));
  page.on("request", (request) => !request.url().startsWith(stage.admin) && !request.url().startsWith("data:") && page.wrong.push(`asks ${request.url()}`));
  if (process.env.EDITED) {
    // The files as they lie in web/, of whoever works on them: nothing is compiled.
    const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
    await page.route(/\/assets\//, async (route) => {
      const path = /assets\/[^/]+\/(.*)$/.exec(new URL(route.request().url()).pathname)[1];
      await route.fulfill({ body: await readFile(`web/${path}`), contentType: types[path.split(".").pop()] });
    });
  }
  page.at = (hash) => page.goto(`${stage.admin}/${hash}`);
  return page;
}

const sees = (page, text) => page.getByText(text).first().waitFor();
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** Fills the editor. */
async function write(page, document) {
  await page.getByLabel("Text of the document").fill(typeof document === "string" ? document : JSON.stringify(document, null, 2));
}

/** Reviews, and saves. */
async function save(page) {
  await press(page, "Review…");
  await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
}

const scenes = {
  async "whoever has never seen it adds a route, breaks it, and rolls everything back"(stage) {
    const page = await tab(stage);
    await page.at("");
    await sees(page, "All is well");
    await page.getByRole("link", { name: "Add a route" }).first().click();
    await page.getByLabel("Name").fill("first");
    await write(page, { uri: "/first", upstream: { discovery_type: "consul", service_name: "echo" } });
    await sees(page, "Chancery would take it");
    await save(page);
    await sees(page, /^2 of 2 Envoys confirmed$/);
    assert.equal((await stage.request("/first")).status, 200);
    await page.screenshot({ path: `${SHOTS}/saved.png` });

    // What is wrong is said at its line while one types, and is not written.
    await write(page, `{\n  "uri": 5,\n  "upstream": { "discovery_type": "consul", "service_name": "echo" }\n}`);
    await sees(page, /line 2/);
    await page.screenshot({ path: `${SHOTS}/wrong.png` });
    assert.ok(await page.getByRole("button", { name: "Review…" }).isDisabled());
    await press(page, "Undo my edit");

    // Somebody breaks it past the page: why, and what is in force, stands there within a second.
    await stage.put("routes/first", { uri: 5 });
    await sees(page, /uri: found 5, allowed: a string/);
    await sees(page, "In force is what was written at revision");
    await page.screenshot({ path: `${SHOTS}/broken.png` });
    assert.equal((await stage.request("/first")).status, 200);

    await page.at("#/explain");
    await page.getByLabel("URL").fill("/first");
    await press(page, "Explain");
    await sees(page, "It goes to");
    await page.getByRole("status").getByRole("link", { name: "routes/first" }).waitFor();

    // The way back, one change after the other.
    for (const left of [2, 1]) {
      await page.at("#/documents/routes/first?tab=history");
      await page.getByRole("button", { name: "Roll back this change…" }).nth(left === 2 ? 0 : -1).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("This is what would change now:").waitFor();
      assert.ok(await dialog.getByRole("button", { name: "Roll back now" }).isDisabled());
      await dialog.getByLabel("Reason").fill("it was only played");
      if (left === 2) await page.screenshot({ path: `${SHOTS}/roll-back.png` });
      await dialog.getByRole("button", { name: "Roll back now" }).click();
      await sees(page, /^2 of 2 Envoys confirmed$/);
    }
    await eventually("the route to be gone", async () => (await stage.request("/first")).status === 404);
    await page.at("#/changes");
    await sees(page, "it was only played");
    return page;
  },

  async "an instance is drained, and put back, and who looks elsewhere sees it"(stage) {
    await stage.put("routes/echo", { uri: "/echo", upstream: { discovery_type: "consul", service_name: "echo" } });
    const [page, other] = [await tab(stage), await tab(stage)];
    await Promise.all([page.at("#/instances"), other.at("#/instances")]);
    const address = `127.0.0.1:${stage.ports.echo1}`;
    await page.getByRole("button", { name: `Drain… ${address}` }).click();
    const dialog = page.getByRole("dialog");
    const drain = dialog.getByRole("button", { name: "Drain now" });
    await dialog.getByLabel(/^Type/).fill("127.0.0.1:1");
    assert.ok(await drain.isDisabled());
    await dialog.getByLabel(/^Type/).fill(address);
    await page.screenshot({ path: `${SHOTS}/drain.png` });
    await drain.click();
    await dialog.getByText(/^No Envoy sends it new requests/).waitFor();
    await other.getByRole("button", { name: `Put back ${address}` }).waitFor();
    for (let n = 0; n < 10; n += 1) assert.match((await stage.request("/echo")).body, /echo-2/);
    await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
    // The last healthy one is warned of.
    await page.getByRole("button", { name: `Drain… 127.0.0.1:${stage.ports.echo2}` }).click();
    await sees(page, /This is the last healthy instance/);
    await page.keyboard.press("Escape");
    await page.at("#/drains");
    await sees(page, address);
    await press(page, `Prolong… ${address}`);
    await dialog.getByLabel(/^From now/).fill("3h");
    await dialog.getByRole("button", { name: "Prolong now" }).click();
    await sees(page, "2 hours");
    await shots(page, "drains");
    await press(page, `Put back ${address}`);
    await sees(page, "Nothing is taken out.");
    return page;
  },

  async "what others wrote meanwhile is not lost, and neither is an edit"(stage) {
    await stage.put("routes/both", { uri: "/both", upstream: { nodes: { "127.0.0.1:1": 1 } } });
    const page = await tab(stage);
    await page.at("#/documents/routes/both");
    const mine = { uri: "/mine", upstream: { nodes: { "127.0.0.1:1": 1 } } };
    await write(page, mine);
    await stage.put("routes/both", { uri: "/theirs", upstream: { nodes: { "127.0.0.1:1": 1 } } });
    await sees(page, "Somebody changed this document meanwhile.");
    assert.match(await page.getByLabel("Text of the document").inputValue(), /\/mine/);
    await press(page, "Review…");
    await page.getByRole("dialog").getByText("Somebody else changed it").waitFor();
    await page.screenshot({ path: `${SHOTS}/conflict.png` });
    await page.keyboard.press("Escape");
    page.on("dialog", (dialog) => dialog.accept());
    return page;
  },

  async "what is written elsewhere shows within a second, also what no Envoy is sent"(stage) {
    const [page, live] = [await tab(stage), await tab(stage)];
    await Promise.all([page.at("#/documents/upstreams"), live.at("#/live")]);
    await page.getByRole("heading", { level: 1 }).waitFor();
    // So that no question that is asked anyway falls into it.
    for (let n = 0; n < 4; n += 1) {
      await stage.put(`upstreams/quiet-${n}`, { nodes: { "127.0.0.1:1": 1 } });
      await page.getByRole("link", { name: `quiet-${n}` }).waitFor({ timeout: 1000 });
      await live.getByText(`upstreams/quiet-${n}`).first().waitFor({ timeout: 1000 });
      await page.waitForTimeout(700);
    }
    await page.at("#/documents/upstreams/quiet-0?tab=used");
    await sees(page, "None: it can be deleted.");
    await stage.put("routes/quiet", { uri: "/quiet", upstream_id: "quiet-0", plugins: { cors: {} } });
    await page.getByRole("link", { name: "routes/quiet" }).waitFor({ timeout: 2000 });
    await page.at("#/documents/routes/quiet?tab=effective");
    await page.getByRole("link", { name: "upstreams/quiet-0" }).waitFor();
    await page.getByText('"127.0.0.1:1": 1').waitFor();
    await stage.put("routes/quiet", { uri: "/quiet", plugins: { mocking: { response_example: "x" } } });
    await live.context().close();
    return page;
  },

  async "a text is a text wherever it comes from"(stage) {
    const evil = `"><img src=x onerror="window.evil=1"><script>window.evil=1</script>`;
    await stage.put("routes/evil", { uri: "/evil", name: evil, desc: evil, labels: { evil }, plugins: { mocking: { response_example: evil } } });
    await stage.put(`routes/evil2`, { uri: `/${evil}`, [evil]: evil });
    await stage.put("upstreams/evil", { name: evil, nodes: { [evil]: 1 } });
    // Nothing is as it should be.
    const odd = { uri: {}, uris: 5, host: [[]], methods: "POST", gateways: "x", plugins: 5, labels: 5, upstream: 5, name: {}, status: "x", priority: [], vars: 1, snis: 5, cert: 5, nodes: "x", listeners: 5, update_time: "x" };
    for (const kind of ["routes", "services", "upstreams", "gateways", "ssls", "consumers", "stream_routes", "plugin_configs", "global_rules"]) {
      await stage.put(`${kind}/odd`, odd);
      for (const [name, document] of [["null", null], ["text", "x"], ["list", [1]]]) await stage.put(`${kind}/${name}`, document);
    }
    const page = await tab(stage);
    for (const kind of ["routes", "services", "upstreams", "gateways", "ssls", "consumers", "stream_routes", "plugin_configs", "global_rules"])
      for (const hash of [`#/documents/${kind}`, ...["odd", "null", "text", "list"].flatMap((id) => [`#/documents/${kind}/${id}`, `#/documents/${kind}/${id}?tab=used`])]) {
        await page.at(hash);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(120);
        assert.deepEqual(page.wrong, [], hash);
      }
    await page.at("#/certificates");
    await sees(page, "ssls/odd");
    for (const hash of ["", "#/documents/routes", "#/documents/routes/evil", "#/documents/routes/evil2", "#/documents/routes/evil?tab=history", "#/documents/upstreams", "#/documents/upstreams/evil", "#/changes", `#/documents/routes?q=${encodeURIComponent(evil)}`, `#/proxies/${encodeURIComponent(evil)}`]) {
      await page.at(hash);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(400);
      assert.equal(await page.evaluate(() => window.evil), undefined, hash);
      assert.equal(await page.locator("img[src=x]").count(), 0, hash);
    }
    for (const path of ["routes/evil", "routes/evil2"]) await stage.put(path, { uri: "/gone", plugins: { mocking: { response_example: "x" } } });
    await stage.put("upstreams/evil", { nodes: { "127.0.0.1:1": 1 } });
    for (const kind of ["routes", "services", "upstreams", "gateways", "ssls", "consumers", "stream_routes", "plugin_configs", "global_rules"])
      for (const id of ["odd", "null", "text", "list"]) await stage.forget(`${kind}/${id}`);
    return page;
  },

  async "Chancery goes and comes back by itself, and an edit outlives it"(stage) {
    await stage.put("routes/kept", { uri: "/kept", upstream: { nodes: { "127.0.0.1:1": 1 } } });
    const page = await tab(stage);
    await page.at("#/documents/routes/kept");
    await write(page, `{ "uri": "/edited" }`);
    await stage.stop("chancery");
    await page.getByText("Chancery does not answer.").waitFor({ timeout: 3000 });
    await page.screenshot({ path: `${SHOTS}/away.png` });
    await stage.chancery();
    await page.getByText("Chancery does not answer.").waitFor({ state: "detached", timeout: 5000 });
    assert.match(await page.getByLabel("Text of the document").inputValue(), /edited/);
    await eventually("the Envoys to be back", async () => (await stage.ask("/v1/nodes")).nodes.length >= 2);
    return page;
  },

  async "a page asks for the key, a viewer writes nothing and sees no secret, and the page works below a path"() {
    const hash = (key) => createHash("sha256").update(key).digest("hex");
    const keys = [["boss", "admin"], ["guest", "read"]].map(([name, role]) => `  - { name: ${name}, hash: "sha256:${hash(`${name}-key`)}", roles: [${role}] }\n`);
    const stage = await Stage.set({ envoys: 0, keys: `api-keys:\n${keys.join("")}` });
    await stage.put("consumers/jack", { username: "jack", plugins: { "key-auth": { key: "planted-secret" } } });
    await stage.put("routes/secret", { uri: "/secret", plugins: { csrf: { key: "planted-secret" } }, upstream: { nodes: { "127.0.0.1:1": 1 } } });
    // Somebody's proxy, with a path of its own.
    const proxy = createServer((asked, answer) => {
      const { host, ...headers } = asked.headers;
      const passed = request(stage.admin + asked.url.replace(/^\/gate\/way/, ""), { method: asked.method, headers: { ...headers, host } }, (told) => {
        answer.writeHead(told.statusCode, told.headers);
        told.pipe(answer);
      });
      passed.on("error", () => answer.destroy());
      answer.on("close", () => passed.destroy());
      asked.pipe(passed);
    });
    await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
    const below = { ...stage, admin: `http://127.0.0.1:${proxy.address().port}/gate/way` };
    try {
      const page = await tab(below);
      let told = "";
      const reads = [];
      page.on("response", (answer) => reads.push(answer.text().then((text) => (told += text), () => {})));
      const give = async (key) => {
        await page.getByRole("textbox", { name: "Key" }).fill(key);
        await press(page, "Continue");
      };
      await page.at("");
      await give("wrong");
      await sees(page, "the API key is not known");
      await give("guest-key");
      await sees(page, "guest · may read");
      for (const [hash, seen] of [["#/documents/consumers/jack", "What may be secret is not shown."], ["#/documents/routes/secret", "What may be secret is not shown."], ["#/documents/routes", "secret"], ["#/documents/consumers", "jack"]]) {
        await page.at(hash);
        await sees(page, seen);
        for (const word of ["Review…", "Delete", "Turn off", "Save"]) assert.equal(await page.getByRole("button", { name: word }).count(), 0, `${hash} ${word}`);
        assert.equal(await page.getByRole("link", { name: /^Add/ }).count(), 0, hash);
      }
      await shots(page, "viewer");
      await press(page, "Forget the key");
      await give("boss-key");
      await sees(page, "boss · may write");
      for (const hash of ["#/documents/consumers", "#/documents/routes", "#/documents/routes/secret", ""]) {
        await page.at(hash);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(300);
      }
      await Promise.all(reads);
      assert.ok(!told.includes("planted-secret"), "a secret was told");
      await page.at("#/documents/routes/secret");
      await press(page, "Show it, to edit the document");
      await eventually("the secret to be there", async () => (await page.getByLabel("Text of the document").inputValue()).includes("planted-secret"));
      await write(page, { uri: "/other", plugins: { csrf: { key: "planted-secret" } }, upstream: { nodes: { "127.0.0.1:1": 1 } } });
      await save(page);
      await sees(page, /no Envoy is connected/);
      const { entries } = await stage.ask("/v1/history?document=routes/secret", { "x-api-key": "guest-key" });
      assert.equal(entries[0].who, "boss");
      // Its key is taken away in the middle of an edit: whatever is asked next asks for another one.
      await write(page, { uri: "/edited", upstream: { nodes: { "127.0.0.1:1": 1 } } });
      await page.evaluate(() => sessionStorage.setItem("chancery-key", "wrong"));
      await sees(page, "The key is not taken any more.");
      await give("boss-key");
      assert.match(await page.getByLabel("Text of the document").inputValue(), /edited/);
      await save(page);
      await eventually("the edit to be written", async () => (await stage.ask("/v1/history?document=routes/secret&limit=1", { "x-api-key": "guest-key" })).entries[0].revision !== entries[0].revision);
      page.on("dialog", (dialog) => dialog.accept());
      return page;
    } finally {
      proxy.closeAllConnections();
      proxy.close();
      await stage.end();
    }
  },

  async "a route is added by the keyboard alone"(stage) {
    const page = await tab(stage);
    /** Goes on with the tabulator until what has the focus is called so. */
    const reach = async (name) => {
      for (let n = 0; n < 80; n += 1) {
        await page.keyboard.press("Tab");
        const found = await page.evaluate(() => {
          const at = document.activeElement;
          return at?.getAttribute("aria-label") ?? at?.closest("label")?.textContent ?? at?.textContent ?? "";
        });
        if (found.startsWith(name)) return;
      }
      throw new Error(`${name} is not reached by the keyboard`);
    };
    await page.at("");
    await sees(page, "Last changes");
    await reach("Add a route");
    await page.keyboard.press("Enter");
    await sees(page, "letters, digits");
    await reach("Name");
    await page.keyboard.type("keys");
    await reach("Text of the document");
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(`{ "uri": "/keys", "upstream": { "discovery_type": "consul", "service_name": "echo" } }`);
    await sees(page, "Chancery would take it");
    await reach("Review…");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
    await reach("Save");
    await page.keyboard.press("Enter");
    await sees(page, /Envoys confirmed$/);
    await reach("Delete");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Delete");
    return page;
  },

  async "the same on the command line is the same"(stage) {
    await stage.put("routes/same", { uri: "/same", upstream: { discovery_type: "consul", service_name: "echo" } });
    const page = await tab(stage);
    const run = promisify(execFile);
    const program = process.env.CHANCERY ?? "target/debug/chancery";
    const told = [
      ["", "envoy-1"], ["#/documents/routes", "same"], ["#/documents/routes/same", "/same"], ["#/documents/routes/same?tab=history", "routes/same"], ["#/proxies", "envoy-1"], ["#/proxies/envoy-1", "envoy-1"],
      ["#/instances", "echo"], ["#/drains", ""], ["#/explain?method=GET&url=%2Fsame&headers=X-A%3A%20it%27s", "routes/same"], ["#/resources", "route/same"], ["#/audit", ""], ["#/changes", "routes/same"], ["#/documents/gateways", "default"],
    ];
    let count = 0;
    for (const [hash, seen] of told) {
      await page.at(hash);
      await page.getByText("The same on the command line").click();
      let all = "";
      for (const line of await page.locator("details.same code").allTextContents()) {
        // As a shell reads it.
        const { stdout } = await run("sh", ["-c", line.replace(/^chancery/, `'${program}'`)]);
        all += stdout;
        count += 1;
      }
      assert.ok(all.includes(seen), `${hash}: ${seen} is not in ${all}`);
    }
    console.log(`     ${count} commands were run`);
    return page;
  },

  async "who waits is told so, and an empty store says what it is for"() {
    const stage = await Stage.set({ envoys: 0 });
    try {
      const page = await tab(stage);
      await page.route(/\/v1\/nodes/, async (route) => {
        await new Promise((later) => setTimeout(later, 1500));
        await route.continue();
      });
      await page.at("#/proxies");
      await page.getByText("Loading …").waitFor({ timeout: 1400 });
      await sees(page, "No Envoy is connected.");
      for (const [hash, said] of [["#/documents/routes", "No routes yet"], ["#/instances", "No document names a service"], ["#/drains", "Nothing is taken out."], ["#/certificates", "No certificates yet"], ["#/audit", "Nothing is noted yet."], ["#/live", "Nothing happened"]]) {
        await page.at(hash);
        await sees(page, new RegExp(said));
      }
      await page.at("#/documents/routes");
      await shots(page, "empty");
      return page;
    } finally {
      await stage.end();
    }
  },

  async "documents in files are shown and not written, and what is not possible there says what is"() {
    const stage = await Stage.set({ files: true });
    try {
      await stage.put("routes/file", { uri: "/file", plugins: { mocking: { response_example: "x" } } });
      const page = await tab(stage);
      await page.at("#/documents/routes");
      await sees(page, "Documents are in files here (--files)");
      await page.getByRole("link", { name: "file", exact: true }).click();
      await sees(page, '"/file"');
      for (const word of ["Review…", "Delete", "Turn off", "Save"]) assert.equal(await page.getByRole("button", { name: word }).count(), 0, word);
      assert.equal(await page.getByRole("link", { name: "Duplicate" }).count(), 0);
      await page.at("#/documents/routes/file?tab=effective");
      await sees(page, "the document itself");
      await stage.put("routes/later", { uri: "/later", plugins: { mocking: { response_example: "x" } } });
      await page.at("#/documents/routes");
      await page.getByRole("link", { name: "later", exact: true }).waitFor();
      await shots(page, "files");
      for (const [hash, said] of [["#/changes", "documents are in files (--files): read and edit them there"], ["#/drains", "drains are kept in etcd, and here documents are files: start Chancery with --etcd"]]) {
        await page.at(hash);
        await sees(page, "Not possible here");
        await sees(page, said);
        await sees(page, "Start Chancery on etcd to write documents and to drain.");
      }
      await shots(page, "error");
      await page.at("");
      await sees(page, "All is well");
      return page;
    } finally {
      await stage.end();
    }
  },

  async "what was saved is served while etcd is away, and the page says so"() {
    const stage = await Stage.set({ envoys: 0, state: true });
    try {
      await stage.put("routes/saved", { uri: "/saved", upstream: { discovery_type: "consul", service_name: "echo" } });
      await eventually("the state to be saved", async () => (await readdir(`${stage.folder}/state`)).length > 0);
      await eventually("the route to be read", async () => (await stage.ask("/v1/documents?kind=routes")).documents.length === 1);
      await new Promise((later) => setTimeout(later, 2500));
      await stage.stop("chancery", "SIGTERM");
      await stage.stop("etcd");
      await stage.chancery();
      const page = await tab(stage);
      await page.at("#/documents/routes");
      await sees(page, "Serving what was saved of etcd.");
      await page.getByRole("link", { name: "saved", exact: true }).waitFor();
      await shots(page, "saved-state");
      stage.etcd();
      await page.getByText("Serving what was saved of etcd.").waitFor({ state: "detached" });
      return page;
    } finally {
      await stage.end();
    }
  },

  async "a Chancery that is stuck is told as well"(stage) {
    const page = await tab(stage);
    await page.at("#/proxies");
    await sees(page, "envoy-1");
    stage.signal("chancery", "SIGSTOP");
    await sees(page, "Chancery does not answer.");
    stage.signal("chancery", "SIGCONT");
    await page.getByText("Chancery does not answer.").waitFor({ state: "detached", timeout: 5000 });
    return page;
  },

  async "many events at once are told, and hold nothing up"(stage) {
    const page = await tab(stage);
    const time = new Date().toISOString();
    const line = (n) => JSON.stringify({ time, answer: { node: `envoy-${n % 1000}`, gateway: "default", type: "routes", version: "0", revision: String(n), took: "0.001s", error: n % 7 ? "" : "no" } });
    let first = true;
    // As many as a thousand proxies say in ten seconds, all at once.
    await page.route("**/v1/events", (route) => (first ? ((first = false), route.fulfill({ contentType: "application/x-ndjson", body: `${Array.from({ length: 10_000 }, (_, n) => line(n)).join("\n")}\n` })) : route.continue()));
    await page.addInitScript(() => {
      window.longest = 0;
      let last = 0;
      const frame = (at) => {
        if (last) window.longest = Math.max(window.longest, at - last);
        last = at;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    await page.at("#/live");
    await sees(page, "envoy-999");
    const longest = await page.evaluate(() => window.longest);
    console.log(`     the longest frame took ${Math.round(longest)} ms`);
    assert.ok(longest < 1000);
    assert.equal(await page.locator("tbody tr:not(.gap)").count() <= 200, true);
    return page;
  },

  async "a source that is away is told"(stage) {
    const page = await tab(stage);
    await page.at("");
    stage.signal("consul", "SIGSTOP");
    stage.signal("etcd", "SIGSTOP");
    await sees(page, /etcd is away\./);
    await page.screenshot({ path: `${SHOTS}/sources.png` });
    stage.signal("etcd", "SIGCONT");
    stage.signal("consul", "SIGCONT");
    await page.getByText(/etcd is away\./).waitFor({ state: "detached" });
    return page;
  },

  async "what an Envoy refuses is told with its words, and the way back is offered"(stage) {
    // One that is built otherwise, and has no ring hash.
    const lacks = "envoy.load_balancing_policies/envoy.load_balancing_policies.ring_hash";
    await stage.put("gateways/strict", { listeners: [{ name: "http", address: "127.0.0.1", port: stage.ports.strict, protocol: "http" }] });
    await stage.envoy("strict-1", { gateway: "strict", more: ["--disable-extensions", lacks] });
    const page = await tab(stage);
    await page.at("#/new/routes");
    await page.getByLabel("Name").fill("refused");
    await write(page, { uri: "/refused", gateways: ["strict"], upstream: { type: "chash", key: "remote_addr", nodes: { [`127.0.0.1:${stage.ports.echo1}`]: 1 } } });
    await sees(page, "Chancery would take it");
    await save(page);
    await sees(page, "Written, and not in force");
    await sees(page, /an Envoy does not take it/);
    await shots(page, "refused");
    await page.at("#/proxies/strict-1");
    await sees(page, /It refuses/);
    // As it was sent.
    await sees(page, /ring_hash|RING_HASH/);
    await sees(page, '"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster"');
    await shots(page, "proxy-refused");
    await page.at("#/documents/routes/refused");
    await press(page, "Delete");
    await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await sees(page, "There is no such document.");
    await stage.stop("strict-1");
    return page;
  },

  async "fourteen proxies, one of which is slow: the bar names it, and ends green when it is back"(stage) {
    for (let n = stage.proxies.filter((id) => id.startsWith("envoy-")).length + 1; n <= 14; n += 1) await stage.envoy(`envoy-${n}`);
    const page = await tab(stage);
    await page.at("#/new/routes");
    await page.getByLabel("Name").fill("wide");
    await write(page, { uri: "/wide", upstream: { discovery_type: "consul", service_name: "echo" } });
    stage.signal("envoy-7", "SIGSTOP");
    await save(page);
    await sees(page, /^13 of 14 Envoys confirmed …$/);
    const bar = page.getByLabel("Confirmations");
    await bar.getByRole("link", { name: "envoy-7" }).waitFor();
    await bar.getByText(/behind for \d+ second/).waitFor();
    // Whom it does not concern is not counted.
    assert.equal(await bar.getByRole("progressbar").count(), 1);
    await shots(page, "bar");
    const other = await tab(stage);
    await other.at("#/changes");
    await sees(other, /^13 of 14/);
    await other.at("#/proxies?q=behind");
    await other.getByRole("link", { name: "envoy-7" }).waitFor();
    stage.signal("envoy-7", "SIGCONT");
    await sees(page, /^14 of 14 Envoys confirmed$/);
    await other.context().close();
    for (let n = 3; n <= 14; n += 1) await stage.stop(`envoy-${n}`);
    return page;
  },

  async "ten thousand routes are there at once, and typing does not wait"(stage) {
    for (let n = 0; n < 10_000; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, at) => stage.put(`routes/many-${n + at}`, { uri: `/many/${n + at}`, hosts: [`h${n + at}.example.com`], plugins: { mocking: { response_example: "x" } } })));
    }
    await eventually("all of them to be read", async () => (await stage.ask("/v1/documents?kind=routes")).documents.length >= 10_000, 180_000);
    const page = await tab(stage);
    await page.at("");
    await sees(page, "Last changes");
    // Told by the page itself, as it would be to who looks at it.
    await page.evaluate(() => {
      window.began = performance.now();
      new MutationObserver(() => (window.shown ??= document.querySelector("tbody tr") ? performance.now() : undefined)).observe(document.body, { childList: true, subtree: true });
      location.hash = "#/documents/routes";
    });
    await sees(page, "many-0");
    const [answered, shown] = await page.evaluate(() => {
      const asked = performance.getEntriesByType("resource").find((one) => one.name.includes("/v1/documents"));
      return [asked.responseEnd - window.began, window.shown - window.began].map(Math.round);
    });
    console.log(`     the first rows are there ${shown - answered} ms behind the answer, which took ${answered} ms`);
    assert.ok(shown - answered < 500);
    assert.ok((await page.locator("tbody tr").count()) <= 100);
    await press(page, "Next");
    await sees(page, /^101 to 200 of 10,0\d\d$/);
    assert.match(page.url(), /page=2/);
    await page.getByRole("button", { name: "Path" }).click();
    await page.getByRole("button", { name: "Path" }).click();
    await sees(page, "/many/9999");
    assert.match(page.url(), /sort=-path/);
    assert.ok(!page.url().includes("page="));
    const worst = await page.evaluate(async () => {
      const field = document.querySelector("input[type=search]");
      let worst = 0;
      for (const typed of ["h", "h7", "h77", "h777", "h7777", "h7777."]) {
        const began = performance.now();
        field.value = typed;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
        worst = Math.max(worst, performance.now() - began);
      }
      return worst;
    });
    await sees(page, "many-7777");
    assert.equal(await page.locator("tbody tr").count(), 1);
    assert.match(page.url(), /q=h7777/);
    assert.ok(worst < 200, `a key was answered after ${worst} ms`);
    console.log(`     a key was answered within ${Math.round(worst)} ms`);
    const memory = await page.evaluate(() => performance.memory?.usedJSHeapSize / 1e6);
    console.log(`     the page holds ${Math.round(memory)} MB`);
    await page.screenshot({ path: `${SHOTS}/many.png` });
    return page;
  },
};

const PAGES = {
  overview: "", changes: "#/changes", change: "#/changes/LAST", proxies: "#/proxies", proxy: "#/proxies/envoy-1", routes: "#/documents/routes", route: "#/documents/routes/echo",
  "route-history": "#/documents/routes/echo?tab=history", "route-envoy": "#/documents/routes/echo?tab=envoy", "route-effective": "#/documents/routes/cart?tab=effective", "route-used": "#/documents/routes/cart?tab=used", "new-route": "#/new/routes", services: "#/documents/services", consumers: "#/documents/consumers",
  gateways: "#/documents/gateways", instances: "#/instances", drains: "#/drains", certificates: "#/certificates", consumer: "#/documents/consumers/jack", explain: "#/explain?method=GET&url=%2Fecho", resources: "#/resources", live: "#/live", audit: "#/audit",
};

/** Nothing serious that axe finds. */
async function axe(page, name) {
  // In the page's own world and past its policy, which has no place for it.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: AXE });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(found.violations.map((one) => [one.impact, one.id, one.nodes.map((node) => node.html + " " + node.failureSummary)])))`,
    awaitPromise: true, returnByValue: true,
  });
  const serious = JSON.parse(result.value).filter(([impact]) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious, [], name);
}

async function shots(page, name) {
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

async function pictures(stage) {
  await stage.put("services/shop", { hosts: ["shop.example.com"], plugins: { cors: {} } });
  await stage.put("global_rules/traced", { plugins: { "request-id": {} } });
  await stage.put("routes/echo", { uri: "/echo", name: "echo", labels: { team: "web" }, upstream: { discovery_type: "consul", service_name: "echo" } });
  await stage.put("routes/cart", { uri: "/cart/*", service_id: "shop", upstream: { discovery_type: "consul", service_name: "echo" } });
  await stage.put("routes/off", { uri: "/off", status: 0, upstream: { nodes: { "127.0.0.1:1": 1 } } });
  await stage.put("routes/typo", { uri: "/typo", upstreem: {} });
  const [key, cert] = [`${stage.folder}/key.pem`, `${stage.folder}/cert.pem`];
  await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "20", "-subj", "/CN=www.example.com", "-addext", "subjectAltName=DNS:www.example.com", "-keyout", key, "-out", cert]);
  await stage.put("ssls/www", { snis: ["www.example.com"], cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") });
  await stage.put("consumers/jack", { username: "jack", plugins: { "key-auth": { key: "jack-key" } } });
  const drain = { address: "127.0.0.1", port: stage.ports.echo1, service: "echo", ttl: "20m", reason: "release 42", wait: "5s" };
  assert.ok((await fetch(`${stage.admin}/v1/drains`, { method: "POST", body: JSON.stringify(drain) })).ok);
  const { entries } = await stage.ask("/v1/history?limit=1");
  for (const [scheme, width, locale, mark, zoom] of [["light", 1280, "en-GB", ""], ["dark", 1280, "en-GB", "-dark"], ["light", 390, "en-GB", "-narrow"], ["dark", 1280, "zh-CN", "-zh"], ["light", 1280, "en-GB", "-zoomed", 2]]) {
    const page = await tab(stage, { scheme, width, locale, zoom });
    for (const [name, hash] of Object.entries(PAGES)) {
      await page.at(hash.replace("LAST", entries[0].revision));
      await page.getByRole("heading", { level: 1 }).waitFor();
      if (name === "live") {
        await page.waitForTimeout(500);
        await stage.put("routes/off", { uri: `/off${mark}`, status: 0, upstream: { nodes: { "127.0.0.1:1": 1 } } });
        await stage.put("routes/live", { uri: `/live${mark}`, upstream: { discovery_type: "consul", service_name: "echo" } });
      }
      await page.waitForTimeout(500);
      await shots(page, name + mark);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name}${mark} scrolls sideways by ${wide}`);
      await axe(page, `${name}${mark}`);
    }
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  }
}

await mkdir(SHOTS, { recursive: true });
let failed = 0;
const stage = await Stage.set();
const all = Object.entries(scenes);
// The pictures are of a store of which one sees everything: before the ten thousand.
all.splice(all.length - 3, 0, ["each page is fit to be seen, in both themes, both languages and on a phone", pictures]);
for (const [name, play] of all) {
  if (only && !name.includes(only)) continue;
  const began = Date.now();
  try {
    const page = await play(stage);
    if (page) {
      assert.deepEqual(page.wrong, []);
      await page.context().close();
    }
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
    for (const context of browser.contexts()) {
      for (const page of context.pages()) {
        console.log(page.wrong?.join("\n"));
        await page.screenshot({ path: `${SHOTS}/failed-${failed}.png` });
      }
      await context.close();
    }
  }
}
await browser.close();
await stage.end();
process.exitCode = failed ? 1 : 0;

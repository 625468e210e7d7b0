// Keys, secrets, and texts of others.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { createServer } from "node:https";
import { press, save, sees, shots, tab, write } from "../hand.mjs";
import { Fleet } from "../fleet.mjs";
import { Stage, certificate, eventually } from "../stage.mjs";

export const scenes = {
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
        await page.waitForTimeout(60);
        assert.deepEqual(page.wrong, [], hash);
      }
    await page.at("#/certificates");
    await sees(page, "ssls/odd");
    // Of every kind a document that is one, with it wherever a text may be; and whatever others say of themselves.
    const labels = { evil, a: evil };
    const node = { "127.0.0.1:1": 1 };
    const every = {
      services: { name: evil, desc: evil, labels, upstream: { name: evil, nodes: node } },
      upstreams: { name: evil, desc: evil, labels, nodes: node },
      stream_routes: { name: evil, desc: evil, labels, server_port: 1, upstream: { nodes: node } },
      plugin_configs: { name: evil, desc: evil, labels, plugins: { mocking: { response_example: evil } } },
      global_rules: { name: evil, plugins: { "response-rewrite": { body: evil } } },
      consumers: { username: "evil", desc: evil, labels, plugins: { "key-auth": { key: evil } } },
      consumer_groups: { name: evil, desc: evil, labels, plugins: {} },
      ssls: { snis: [evil], cert: evil, key: evil, labels },
      gateways: { name: evil, desc: evil, labels, listeners: [{ name: evil, port: 1, protocol: evil }] },
    };
    for (const [kind, document] of Object.entries(every)) await stage.put(`${kind}/evil`, document);
    await stage.put("routes/evil3", { uri: "/evil3", upstream: { discovery_type: "consul", service_name: "evil" } });
    await stage.register("evil", 1, { ID: evil, Name: "evil", Tags: [evil], Meta: { evil } });
    const said = async (path, body) => {
      const answer = await fetch(stage.admin + path, { method: "POST", body: JSON.stringify(body) });
      const text = await answer.text();
      assert.ok(answer.ok, text);
      return JSON.parse(text);
    };
    await said("/v1/changes", { writes: [{ document: "routes/evil4", text: JSON.stringify({ uri: "/evil4", plugins: { mocking: { response_example: evil } } }) }], reason: evil });
    const { drain } = await eventually("the drain", () => said("/v1/drains", { address: "127.0.0.1", port: 1, service: "evil", reason: evil, ttl: "5m", wait: "0s", force: true, allowNone: true }));
    const fleet = await Fleet.join(stage, [evil]);
    const pages = Object.keys(every).flatMap((kind) => [`#/documents/${kind}`, ...["", "?tab=effective", "?tab=used", "?tab=history"].map((tab) => `#/documents/${kind}/evil${tab}`)]);
    const { revision } = (await stage.ask("/v1/history?document=routes/evil4")).entries[0];
    pages.push("#/instances", "#/drains", "#/audit", "#/proxies", "#/live", "#/certificates", "#/resources", "#/changes", `#/changes/${revision}`, "#/documents/routes/evil3?tab=instances", "#/documents/routes/evil4?tab=effective", `#/explain?url=${encodeURIComponent(`/evil4?${evil}`)}`);
    for (const hash of [...pages, "", "#/documents/routes", "#/documents/routes/evil", "#/documents/routes/evil2", "#/documents/routes/evil?tab=history", "#/documents/upstreams", "#/documents/upstreams/evil", "#/changes", `#/documents/routes?q=${encodeURIComponent(evil)}`, `#/proxies/${encodeURIComponent(evil)}`]) {
      await page.at(hash);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(250);
      assert.equal(await page.evaluate(() => window.evil), undefined, hash);
      assert.equal(await page.locator("img[src=x]").count(), 0, hash);
    }
    // It was there to be seen.
    for (const hash of ["#/proxies", "#/instances", "#/drains", "#/changes"]) {
      await page.at(hash);
      await page.getByText("<img src=x").first().waitFor();
    }
    fleet.leave();
    await fetch(`${stage.admin}/v1/drains/${drain.id}`, { method: "DELETE" });
    for (const path of [...Object.keys(every).map((kind) => `${kind}/evil`), "routes/evil3", "routes/evil4"]) await stage.forget(path);
    for (const path of ["routes/evil", "routes/evil2"]) await stage.put(path, { uri: "/gone", plugins: { mocking: { response_example: "x" } } });
    for (const kind of ["routes", "services", "upstreams", "gateways", "ssls", "consumers", "stream_routes", "plugin_configs", "global_rules"])
      for (const id of ["odd", "null", "text", "list"]) await stage.forget(`${kind}/${id}`);
    return page;
  },

  async "a page asks for the key, a viewer writes nothing and sees no secret, and the page works below a path and behind TLS"() {
    const hash = (key) => createHash("sha256").update(key).digest("hex");
    const keys = [["boss", "admin"], ["guest", "read"]].map(([name, role]) => `  - { name: ${name}, hash: "sha256:${hash(`${name}-key`)}", roles: [${role}] }\n`);
    const stage = await Stage.set({ envoys: 0, keys: `api-keys:\n${keys.join("")}` });
    await stage.put("consumers/jack", { username: "jack", plugins: { "key-auth": { key: "planted-secret" } } });
    await stage.put("routes/secret", { uri: "/secret", plugins: { csrf: { key: "planted-secret" } }, upstream: { nodes: { "127.0.0.1:1": 1 } } });
    // Somebody's proxy, with TLS and a path of its own.
    const proxy = createServer(await certificate(stage.folder, "localhost"), (asked, answer) => {
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
    const below = { ...stage, admin: `https://127.0.0.1:${proxy.address().port}/gate/way` };
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
      const { records } = await stage.ask("/v1/audit", { "x-api-key": "boss-key" });
      assert.ok(records.some((one) => one.who === "boss" && one.what.includes("routes/secret")), JSON.stringify(records));
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
};

// What people do: add, break, explain, drain, roll back; by the keyboard, and beside the command line.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SHOTS, agree, press, reach, save, sees, shots, tab, write } from "../hand.mjs";
import { Stage, certificate, eventually } from "../stage.mjs";

/** The editor's text, with something in it put otherwise. */
async function edit(page, from, to) {
  const text = await page.getByLabel("Text of the document").inputValue();
  assert.ok(text.includes(from), `${from} is not in ${text}`);
  await write(page, text.replaceAll(from, to));
}

const menu = (page, name) => page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name, exact: true }).click();

/** What of each kind is worth a try. */
const kinds = async (stage) => ({
  services: { upstream: { nodes: { "127.0.0.1:1": 1 } } },
  upstreams: { nodes: { "127.0.0.1:1": 1 } },
  stream_routes: { server_port: stage.ports.strict, gateways: ["streams"], upstream: { nodes: { "127.0.0.1:1": 1 } } },
  plugin_configs: { plugins: { cors: {} } },
  global_rules: { plugins: { "request-id": {} } },
  consumers: { username: "anna", plugins: { "key-auth": { key: "anna-key" } } },
  protos: { content: 'syntax = "proto3"; package tried; message Name { string name = 1; }' },
  consumer_groups: { desc: "tried", plugins: {} },
  ssls: { snis: ["tried.example.com"], ...(await certificate(stage.folder, "tried.example.com")) },
  gateways: { listeners: [{ name: "http", address: "127.0.0.1", port: stage.ports.serf, protocol: "http" }] },
});

export const scenes = {
  // Nothing but what stands on the page leads from one step to the next.
  async "whoever opens it after make demo does all of it without being told how"() {
    const stage = await Stage.demo();
    try {
      const page = await tab(stage);
      await page.goto(`${stage.admin}/`);
      await sees(page, "All is well");
      await sees(page, "2 of 2");

      // Adds a route, like one that is there.
      await menu(page, "Routes");
      await page.getByRole("link", { name: "echo", exact: true }).click();
      await page.getByRole("link", { name: "Duplicate" }).click();
      await page.getByLabel("Name").fill("mine");
      await edit(page, "/testecho", "/mine");
      await save(page);
      await sees(page, /^2 of 2 Envoys confirmed$/);
      assert.equal((await stage.request("/mine/hello")).status, 200);
      await page.screenshot({ path: `${SHOTS}/demo.png` });

      // Breaks it, and sees why that is refused: while typing, and by what Chancery says of the whole.
      await edit(page, '"service_name"', '"servicename"');
      await sees(page, /did you mean `service_name`/);
      await sees(page, /^line \d+$/);
      assert.ok(await page.getByRole("button", { name: "Review…" }).isDisabled());
      await page.screenshot({ path: `${SHOTS}/demo-broken.png` });
      await write(page, { uri: "/mine/*", upstream_id: "nobody" });
      await sees(page, "Chancery would take it");
      await press(page, "Review…");
      await page.getByRole("dialog").getByText("failed to fetch upstream info by upstream id [nobody]").waitFor();
      assert.ok(await page.getByRole("dialog").getByRole("button", { name: "Save" }).isDisabled());
      await page.screenshot({ path: `${SHOTS}/demo-refused.png` });
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      await press(page, "Undo my edit");
      assert.equal((await stage.request("/mine/hello")).status, 200);

      // Explains its URL.
      await page.getByRole("main").getByRole("link", { name: "Explain", exact: true }).click();
      await sees(page, "It goes to");
      await page.getByRole("status").getByRole("link", { name: "routes/mine" }).waitFor();

      // Drains an instance.
      await menu(page, "Instances");
      const button = page.getByRole("button", { name: /^Drain… / }).first();
      const address = (await button.getAttribute("aria-label")).replace("Drain… ", "");
      await button.click();
      await page.getByRole("dialog").getByLabel(/^Type/).fill(address);
      await press(page, "Drain now");
      await sees(page, /^No Envoy sends it new requests/);
      await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();
      const bodies = new Set();
      for (let n = 0; n < 10; n += 1) bodies.add(/echo-\d/.exec((await stage.request("/mine/hello")).body)[0]);
      assert.equal(bodies.size, 1);

      // Rolls everything back.
      await menu(page, "Drains");
      await press(page, `Put back ${address}`);
      await sees(page, "Nothing is taken out.");
      await menu(page, "Changes");
      await page.getByRole("row", { name: /routes\/mine/ }).getByRole("link").first().click();
      await press(page, "Roll back…");
      await page.getByRole("dialog").getByText("This is what would change now:").waitFor();
      await page.getByRole("dialog").getByLabel("Reason").fill("only a try");
      await press(page, "Roll back now");
      await sees(page, /^2 of 2 Envoys confirmed$/);
      await eventually("the route to be gone", async () => (await stage.request("/mine/hello")).status === 404);
      await eventually("both instances to be back", async () => {
        const { body } = await stage.request("/testecho/hello");
        bodies.add(/echo-\d/.exec(body)[0]);
        return bodies.size === 2;
      });
      await menu(page, "Overview");
      await sees(page, "All is well");
      return page;
    } finally {
      await stage.end();
    }
  },

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
      // What was rejected has changed nothing, and neither does the way back from it.
      await sees(page, left === 2 ? "Written; so far it changes nothing that Envoys have" : /^2 of 2 Envoys confirmed$/);
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

  async "a route is added by the keyboard alone"(stage) {
    const page = await tab(stage);
    await page.at("");
    await sees(page, "Last changes");
    await reach(page, "Add a route");
    await page.keyboard.press("Enter");
    await sees(page, "letters, digits");
    await reach(page, "Name");
    await page.keyboard.type("keys");
    await reach(page, "Text of the document");
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(`{ "uri": "/keys", "upstream": { "discovery_type": "consul", "service_name": "echo" } }`);
    await sees(page, "Chancery would take it");
    await reach(page, "Review…");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
    await reach(page, "Save");
    await page.keyboard.press("Enter");
    await sees(page, /Envoys confirmed$/);
    await reach(page, "Delete");
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

  async "documents of every kind are added, edited, duplicated, turned off and deleted, and who uses one is told before"(stage) {
    await stage.put("upstreams/shared", { nodes: { [`127.0.0.1:${stage.ports.echo1}`]: 1 } });
    await stage.put("routes/user", { uri: "/user", upstream_id: "shared" });
    const page = await tab(stage);
    const status = (path, expected) => eventually(`${path} to be answered with ${expected}`, async () => (await stage.request(path)).status === expected);
    await status("/user", 200);
    // Off, out of the list; and on, out of the document.
    await page.at("#/documents/routes");
    await press(page, "Turn off user");
    await agree(page, "Save");
    await status("/user", 404);
    await press(page, "Turn on user");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "user", exact: true }).click();
    await press(page, "Turn on");
    await agree(page, "Save");
    await sees(page, /^2 of 2 Envoys confirmed$/);
    await status("/user", 200);
    // Another like it, which becomes something else.
    await page.getByRole("link", { name: "Duplicate" }).click();
    await page.getByLabel("Name").fill("copy");
    await edit(page, "/user", "/copy");
    await save(page);
    await sees(page, /^2 of 2 Envoys confirmed$/);
    await status("/copy", 200);
    await edit(page, "/copy", "/other");
    await save(page);
    await status("/copy", 404);
    await status("/other", 200);
    // What others name stays, unless one insists.
    await page.at("#/documents/upstreams/shared?tab=used");
    await page.getByRole("link", { name: "routes/user" }).waitFor();
    await press(page, "Delete");
    const dialog = page.getByRole("dialog");
    for (const name of ["routes/copy", "routes/user"]) await dialog.getByRole("link", { name }).waitFor();
    await dialog.getByText(/is still using it/).waitFor();
    const remove = dialog.getByRole("button", { name: "Delete", exact: true });
    assert.ok(await remove.isDisabled());
    await shots(page, "used");
    await dialog.getByLabel("Delete it although others name it").check();
    await eventually("Chancery to have said what that would do", () => remove.isEnabled());
    await page.keyboard.press("Escape");
    // It was only asked.
    const { records } = await stage.ask("/v1/audit");
    assert.ok(!records.some((one) => one.what.includes("upstreams/shared")), JSON.stringify(records));
    for (const path of ["routes/user", "routes/copy", "upstreams/shared"]) {
      await page.at(`#/documents/${path}`);
      await press(page, "Delete");
      await agree(page, "Delete");
      await sees(page, "There is no such document.");
    }
    await stage.put("gateways/streams", { listeners: [{ name: "tcp", address: "127.0.0.1", port: stage.ports.strict, protocol: "tcp" }] });
    for (const [kind, document] of Object.entries(await kinds(stage))) {
      await page.at(`#/new/${kind}`);
      if (kind !== "consumers") await page.getByLabel("Name").fill("tried");
      await write(page, document);
      await save(page);
      await page.getByLabel("Confirmations").getByText(/Envoys confirmed$|^Written; /).waitFor();
      await press(page, "Delete");
      await agree(page, "Delete");
      await sees(page, "There is no such document.");
    }
    await stage.forget("gateways/streams");
    return page;
  },

  async "a document's tabs, the overview and lists tell what is so"(stage) {
    const name = "told.example.com";
    await stage.put("routes/told", { uri: "/told", upstream: { discovery_type: "consul", service_name: "echo" } });
    await stage.put("routes/wrong", { uri: "/wrong", upstreem: {} });
    await stage.put("ssls/told", { snis: [name], ...(await certificate(stage.folder, name)) });
    await stage.put("consumers/jack", { username: "jack", plugins: {} });
    await stage.put("consumers/jack/credentials/spare", { plugins: { "key-auth": { key: "spare-key" } } });
    await eventually("an instance to be known", async () => (await stage.ask("/v1/services?document=routes/told")).services[0]?.instances.length === 2);
    const order = { address: "127.0.0.1", port: stage.ports.echo1, service: "echo", ttl: "20m", reason: "to be told", wait: "10s" };
    const drained = await (await fetch(`${stage.admin}/v1/drains`, { method: "POST", body: JSON.stringify(order) })).json();
    const page = await tab(stage);
    await page.at("");
    for (const said of ["Something needs you", "2 of 2", "routes/wrong", /unknown field `upstreem`/, "answers", "answers you", /back in (19|20) minutes/, /ends soon/, "ssls/told"]) await sees(page, said);
    for (const [hash, seen] of [
      ["#/documents/routes/told?tab=envoy", '"name": "route/told"'], ["#/documents/routes/told?tab=instances", `127.0.0.1:${stage.ports.echo2}`],
      ["#/documents/routes/told?tab=effective", "the document itself"], ["#/documents/routes/told?tab=used", "None: it can be deleted."],
      ["#/documents/routes/told?tab=history", "Roll back this change…"], ["#/documents/consumers/jack?tab=credentials", "spare"],
      ["#/documents/consumers/jack/credentials/spare", "What may be secret is not shown."], ["#/certificates", name], ["#/certificates?q=soon", name],
      ["#/resources?type=clusters&q=told", '"name": "route/told"'], ["#/resources?type=listeners", "http"], ["#/instances", /: to be told$/], ["#/drains", "to be told"],
      ["#/audit", "drain"], ["#/proxies/envoy-1", "Route tables"], ["#/nowhere", "The address names no page of this dashboard."],
    ]) {
      await page.at(hash);
      await page.getByRole("main").getByText(seen).first().waitFor();
    }
    await page.at("#/documents/routes");
    const row = page.getByRole("row", { name: /^told / });
    // The configuration, and beside it the health of the instances.
    await row.getByText("accepted").waitFor();
    await row.getByText("1 of 2").waitFor();
    assert.ok((await fetch(`${stage.admin}/v1/drains/${drained.drain.id}`, { method: "DELETE" })).ok);
    await row.getByText("2 of 2").waitFor();
    // Since when, as Chancery has seen it change.
    await page.at("#/instances");
    await page.getByRole("columnheader", { name: "Since" }).waitFor();
    for (const path of ["routes/told", "routes/wrong", "ssls/told", "consumers/jack/credentials/spare", "consumers/jack"]) await stage.forget(path);
    return page;
  },

  async "everything is found in one field, in both languages, and the URL leads back to it"(stage) {
    const found = { uri: "/find/me", name: "needle", host: "found.example.com", labels: { team: "seekers" }, status: 0, plugins: { "request-id": {} }, upstream: { discovery_type: "consul", service_name: "echo" } };
    await stage.put("routes/found-1", found);
    const plain = { uri: "/plain", upstream: { discovery_type: "consul", service_name: "echo" } };
    const written = await fetch(`${stage.admin}/apisix/admin/routes/plain-1`, { method: "PUT", body: JSON.stringify(plain) });
    assert.equal(written.status, 201);
    const page = await tab(stage);
    await page.at("#/documents/routes");
    const [one, other] = ["found-1", "plain-1"].map((name) => page.getByRole("link", { name, exact: true }));
    await other.waitFor();
    const field = page.getByRole("searchbox");
    for (const words of ["found-1", "needle", "find/me", "found.example", "request-id", "team:seekers", "consul/echo found", "off find", "FOUND request", "found-1|nobody"]) {
      await field.fill("nobody-has-this");
      await one.waitFor({ state: "detached" });
      await field.fill(words);
      await eventually(`${words} to be in the URL`, () => new URLSearchParams(page.url().split("?")[1]).get("q") === words);
      await other.waitFor({ state: "detached" });
      await one.waitFor();
    }
    // Whoever types on while it is looked for loses no letter.
    for (const delay of [75, 80, 85, 90]) {
      await field.fill("");
      await field.pressSequentially("abcdefghijklmnopqrstuvwxyz", { delay });
      assert.equal(await field.inputValue(), "abcdefghijklmnopqrstuvwxyz");
    }
    await field.fill("nobody-has-this");
    await sees(page, "Nothing matches “nobody-has-this”.");
    await page.reload();
    await sees(page, "Nothing matches “nobody-has-this”.");
    assert.equal(await field.inputValue(), "nobody-has-this");
    // A state is called as the page calls it, and as Chancery does.
    const chinese = await tab(stage, { locale: "zh-CN" });
    for (const [tab_, hash, words, seen] of [
      [page, "documents/routes", "off", "found-1"], [chinese, "documents/routes", "已停用", "found-1"], [chinese, "documents/routes", "off", "found-1"],
      [page, "proxies", "everything", "envoy-1"], [chinese, "proxies", "已同步", "envoy-1"], [chinese, "proxies", "synced", "envoy-1"],
      [page, "instances", "passing", `127.0.0.1:${stage.ports.echo1}`], [chinese, "instances", "健康", `127.0.0.1:${stage.ports.echo1}`],
      [page, "changes", "made found-1", "routes/found-1"], [chinese, "changes", "新建 found-1", "routes/found-1"], [chinese, "audit", "完成", "127.0.0.1"],
    ]) {
      await tab_.at(`#/${hash}?q=${encodeURIComponent(words)}`);
      await tab_.locator("tbody").getByText(seen, { exact: true }).first().waitFor();
      await tab_.at(`#/${hash}?q=${encodeURIComponent(`${words} nobody-has-this`)}`);
      await tab_.locator("tbody").getByText(seen, { exact: true }).first().waitFor({ state: "detached" });
    }
    await chinese.at(`#/documents/routes?q=${encodeURIComponent("已停用")}`);
    await chinese.getByRole("link", { name: "plain-1", exact: true }).waitFor({ state: "detached" });
    assert.deepEqual(chinese.wrong, []);
    await chinese.context().close();
    for (const path of ["routes/found-1", "routes/plain-1"]) await stage.forget(path);
    return page;
  },

  async "an instance is drained, a URL explained and a change rolled back by the keyboard alone"(stage) {
    await stage.put("routes/keyed", { uri: "/keyed", upstream: { discovery_type: "consul", service_name: "echo" } });
    const page = await tab(stage);
    const enter = async (name) => {
      await reach(page, name);
      await page.keyboard.press("Enter");
    };
    await page.at("");
    await sees(page, "Last changes");
    await enter("Instances");
    const address = `127.0.0.1:${stage.ports.echo2}`;
    await page.getByRole("button", { name: `Drain… ${address}` }).waitFor();
    await enter(`Drain… ${address}`);
    await page.getByRole("dialog").waitFor();
    // Where one types is where one is.
    await page.keyboard.type(address);
    await enter("Drain now");
    await sees(page, /^No Envoy sends it new requests/);
    await enter("Close");
    await page.getByRole("button", { name: `Put back ${address}` }).waitFor();
    await enter(`Put back ${address}`);
    await page.getByRole("button", { name: `Drain… ${address}` }).waitFor();
    await enter("Explain");
    await page.getByLabel("URL").waitFor();
    await reach(page, "URL");
    await page.keyboard.type("/keyed");
    await page.keyboard.press("Enter");
    await sees(page, "It goes to");
    await enter("Changes");
    await page.getByText("routes/keyed").first().waitFor();
    await reach(page, "Search");
    await page.keyboard.type("routes/keyed");
    await eventually("only these to be there", async () => (await page.locator("tbody tr").count()) === 1);
    const { entries } = await stage.ask("/v1/history?document=routes/keyed&limit=1");
    await enter(String(entries[0].revision));
    await page.getByRole("button", { name: "Roll back…" }).waitFor();
    await enter("Roll back…");
    await page.getByRole("dialog").getByText("This is what would change now:").waitFor();
    await reach(page, "Reason");
    await page.keyboard.type("by keys");
    await page.keyboard.press("Enter");
    await eventually("the route to be gone", async () => (await stage.request("/keyed")).status === 404);
    return page;
  },

  async "times are the reader's, and UTC where that is asked for"(stage) {
    const path = "routes/timed";
    await stage.put(path, { uri: "/timed", plugins: { mocking: { response_example: "x" } } });
    const { entries } = await eventually("the change to be noted", async () => {
      const told = await stage.ask(`/v1/history?document=${path}`);
      return told.entries.length && told;
    });
    const [{ revision, time }] = entries;
    const page = await tab(stage, { timezoneId: "Asia/Shanghai" });
    await page.at(`#/changes/${revision}`);
    const told = (timeZone) => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone }).format(new Date(time));
    await sees(page, told("Asia/Shanghai"));
    await press(page, "UTC");
    await sees(page, `${told("UTC")} UTC`);
    await page.reload();
    await sees(page, `${told("UTC")} UTC`);
    await press(page, "UTC");
    await sees(page, told("Asia/Shanghai"));
    await stage.forget(path);
    return page;
  },
};

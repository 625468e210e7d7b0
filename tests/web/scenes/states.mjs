// What a page shows when it has nothing, waits, is away from Chancery, or may not write.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { LONG, SHOTS, press, save, sees, shots, tab, write } from "../hand.mjs";
import { Stage, eventually } from "../stage.mjs";

export const scenes = {
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
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Somebody else changed it").waitFor();
    // What was there, theirs and mine.
    assert.equal(await dialog.locator("del", { hasText: '"/both"' }).count(), 2);
    for (const mark of ['"/theirs"', '"/mine"']) assert.equal(await dialog.locator("ins", { hasText: mark }).count(), 1, mark);
    assert.ok(await dialog.getByRole("button", { name: "Save" }).isDisabled());
    await page.screenshot({ path: `${SHOTS}/conflict.png` });
    await page.keyboard.press("Escape");
    // Theirs is taken; what one wants is written upon it.
    await press(page, "Take theirs, and drop my edit");
    assert.match(await page.getByLabel("Text of the document").inputValue(), /\/theirs/);
    await write(page, mine);
    await save(page);
    await eventually("mine to be there", async () => (await stage.ask("/apisix/admin/routes/both")).value.uri === "/mine");
    return page;
  },

  async "replicas, their proxies, and one that is gone"() {
    const stage = await Stage.set({ envoys: 1 });
    const page = await tab(stage);
    await page.at("#/");
    const card = (title) => page.locator("section.card").filter({ has: page.getByRole("heading", { name: title }) });
    await card("Who has everything").getByText("1 of 1").waitFor();
    const { xds, admin } = await stage.replica("second");
    const beside = card("Sources").getByText("second", { exact: true });
    await beside.waitFor();
    await card("Sources").getByText(new RegExp(`127.0.0.1:${admin} · revision \\d+`)).waitFor();
    await stage.envoy("far", { xds });
    await card("Who has everything").getByText("2 of 2").waitFor();
    // What is written here is confirmed by the proxy there.
    const revision = await stage.put("routes/both", { uri: "/both", plugins: { mocking: { response_example: "both" } } });
    await page.at(`#/changes/${revision}`);
    await page.getByLabel("Confirmations").getByText("2 of 2").first().waitFor();
    await page.at("#/");
    await shots(page, "replicas");
    // With its replica a proxy is behind for a while, until it counts no more.
    await Promise.all([stage.stop("second"), stage.stop("far")]);
    await beside.waitFor({ state: "detached" });
    await card("Who has everything").getByText("1 of 1").waitFor();
    await shots(page, "replica-gone");
    await stage.end();
    return page;
  },

  async "Chancery goes and comes back by itself, and an edit outlives it"(stage) {
    await stage.put("routes/kept", { uri: "/kept", upstream: { nodes: { "127.0.0.1:1": 1 } } });
    const [page, list] = [await tab(stage), await tab(stage)];
    await Promise.all([page.at("#/documents/routes/kept"), list.at("#/documents/routes")]);
    await write(page, `{ "uri": "/kept/edited", "upstream": { "nodes": { "127.0.0.1:1": 1 } } }`);
    await sees(page, "Chancery would take it");
    const off = list.getByRole("button", { name: "Turn off kept" });
    await off.waitFor();
    await stage.stop("chancery");
    const gone = "Chancery does not answer.";
    await Promise.all([sees(page, gone), sees(list, gone)]);
    // Since when, and that one may look, but not touch.
    await sees(page, /What you see is of .*\d+:\d+.* nothing can be written/);
    for (const name of ["Review…", "Delete"]) assert.ok(await page.getByRole("button", { name, exact: true }).isDisabled(), name);
    assert.ok(await off.isDisabled());
    assert.equal(await list.locator(".stale").getByText("kept", { exact: true }).count(), 1);
    assert.match(await list.locator(".stale").evaluate((of) => getComputedStyle(of).filter), /grayscale/);
    await shots(page, "away");
    await shots(list, "away-list");
    await stage.chancery();
    const back = Date.now();
    await Promise.all([page, list].map((one) => one.getByText(gone).waitFor({ state: "detached" })));
    const took = Date.now() - back;
    console.log(`     the pages are back ${took} ms behind Chancery`);
    // Three seconds on a machine that has nothing else to do.
    assert.ok(took < 10_000);
    assert.ok(await off.isEnabled());
    await list.context().close();
    assert.match(await page.getByLabel("Text of the document").inputValue(), /edited/);
    await eventually("the Envoys to be back", async () => (await stage.ask("/v1/nodes")).nodes.length >= 2);
    return page;
  },

  async "who waits is told so, and an empty store says what it is for"() {
    const stage = await Stage.set({ envoys: 0 });
    try {
      const page = await tab(stage);
      await page.route(/\/v1\/nodes/, async (route) => {
        await new Promise((later) => setTimeout(later, 4000));
        await route.continue();
      });
      await page.addInitScript(() => {
        const look = () => (window.told ??= document.querySelector(".loading") ? performance.now() : undefined);
        new MutationObserver(look).observe(document, { childList: true, subtree: true });
      });
      await page.at("#/proxies");
      await sees(page, "Loading …");
      await page.screenshot({ path: `${SHOTS}/loading.png` });
      // Who waits a moment only sees nothing flicker.
      const waited = await page.evaluate(() => window.told - performance.getEntriesByType("resource").find((one) => one.name.includes("/v1/status")).startTime);
      assert.ok(waited >= 250, `${waited} ms`);
      await sees(page, "No Envoy is connected.");
      for (const [hash, said] of [["#/documents/routes", "No routes yet"], ["#/instances", "No document names a service"], ["#/drains", "Nothing is taken out."], ["#/certificates", "No certificates yet"], ["#/audit", "Nothing is noted yet."], ["#/live", "Nothing happened"]]) {
        await page.at(hash);
        await sees(page, new RegExp(said));
      }
      // A registry that nobody needs is not one that is waited for.
      await page.at("");
      await sees(page, "no document names a service");
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
      await stage.stop("consul");
      await sees(page, "consul is away.");
      await sees(page, "Envoys keep what they have; nothing newer is known.");
      await page.at("");
      await sees(page, /consul does not answer/);
      await page.screenshot({ path: `${SHOTS}/consul-away.png` });
      stage.consul();
      await page.getByText("consul is away.").waitFor({ state: "detached" });
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
    await page.getByText("Chancery does not answer.").waitFor({ state: "detached" });
    return page;
  },

  async "a source that is away is told"(stage) {
    const page = await tab(stage);
    await page.at("");
    stage.signal("consul", "SIGSTOP");
    stage.signal("etcd", "SIGSTOP");
    await sees(page, /etcd is away\./);
    // What etcd would have to tell is not taken for nothing.
    await eventually("that to be said of changes and drains", async () => (await page.getByText("Not known here: etcd does not answer, or is not used.").count()) === 2);
    await page.screenshot({ path: `${SHOTS}/sources.png` });
    stage.signal("etcd", "SIGCONT");
    stage.signal("consul", "SIGCONT");
    await page.getByText(/etcd is away\./).waitFor({ state: "detached" });
    return page;
  },
};

// How far a change is, and who holds it up.
import assert from "node:assert/strict";
import { SHOTS, press, save, sees, shots, tab, write } from "../hand.mjs";

export const scenes = {
  async "what an Envoy refuses is told with its words, and the way back is offered"(stage) {
    // One that is built otherwise, and has no ring hash.
    const lacks = "envoy.load_balancing_policies/envoy.load_balancing_policies.ring_hash";
    await stage.put("gateways/strict", { listeners: [{ name: "http", address: "127.0.0.1", port: stage.ports.strict, protocol: "http" }] });
    await stage.envoy("strict-1", { gateway: "strict", more: ["--disable-extensions", lacks] });
    const page = await tab(stage);
    const upstream = { nodes: { [`127.0.0.1:${stage.ports.echo1}`]: 1 } };
    await page.at("#/new/routes");
    await page.getByLabel("Name").fill("refused");
    await write(page, { uri: "/refused", gateways: ["strict"], upstream });
    await save(page);
    await sees(page, /^1 of 1 Envoys confirmed$/);
    await write(page, { uri: "/refused", gateways: ["strict"], upstream: { ...upstream, type: "chash", key: "remote_addr" } });
    await sees(page, "Chancery would take it");
    await save(page);
    await sees(page, "Written, and not in force");
    await sees(page, /an Envoy does not take it/);
    await shots(page, "refused");
    await page.getByLabel("Confirmations").getByRole("button", { name: "Roll back…" }).click();
    await page.getByRole("dialog").getByText("This is what would change now:").waitFor();
    await page.keyboard.press("Escape");
    await page.at("#/proxies/strict-1");
    await sees(page, /It refuses/);
    // As it was sent.
    await sees(page, /ring_hash|RING_HASH/);
    await sees(page, '"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster"');
    // Beside it what the proxy has, in what differs.
    await page.getByRole("region", { name: "What it has" }).getByText('"name": "route/refused"').waitFor();
    await page.locator("ins", { hasText: "RING_HASH" }).waitFor();
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
    // Its service is known: what waits for an answer is sent to nobody yet.
    await stage.put("routes/echo", { uri: "/echo", upstream: { discovery_type: "consul", service_name: "echo" } });
    await stage.put("gateways/strict", { listeners: [{ name: "http", address: "127.0.0.1", port: stage.ports.strict, protocol: "http" }] });
    await stage.envoy("strict-2", { gateway: "strict" });
    const [page, other] = [await tab(stage), await tab(stage)];
    await page.at("#/new/routes");
    await page.getByLabel("Name").fill("wide");
    await write(page, { uri: "/wide", upstream: { discovery_type: "consul", service_name: "echo" } });
    await sees(page, "Chancery would take it");
    stage.signal("envoy-7", "SIGSTOP");
    await save(page);
    await sees(page, /^13 of 14 Envoys confirmed …$/);
    const bar = page.getByLabel("Confirmations");
    await bar.getByRole("link", { name: "envoy-7" }).waitFor();
    await bar.getByText(/behind for \d+ second/).waitFor();
    await bar.getByText(/: .*not acknowledged/).waitFor();
    // Whom it does not concern is not counted.
    assert.deepEqual(await bar.getByRole("progressbar").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label"))), ["default"]);
    await page.screenshot({ path: `${SHOTS}/bar.png` });
    await other.at("#/changes");
    await sees(other, /^13 of 14/);
    await other.at("#/proxies?q=behind");
    await other.getByRole("link", { name: "envoy-7" }).waitFor();
    await other.at("");
    await other.getByLabel("Confirmations").getByRole("link", { name: "envoy-7" }).waitFor();
    // Nor does it hold up those whom another change concerns.
    const revision = await stage.put("routes/aside", { uri: "/aside", gateways: ["strict"], plugins: { mocking: { response_example: "x" } } });
    await other.at(`#/changes/${revision}`);
    await sees(other, /^1 of 1 Envoys confirmed$/);
    assert.equal(await other.getByLabel("Confirmations").getByText("envoy-7").count(), 0);
    // It takes long: one may wait on, or go back.
    await sees(page, /^13 of 14 Envoys confirmed within 30 seconds$/);
    await bar.getByRole("button", { name: "Roll back…" }).waitFor();
    await page.screenshot({ path: `${SHOTS}/bar-late.png` });
    await bar.getByRole("button", { name: "Keep waiting" }).click();
    await sees(page, /^13 of 14 Envoys confirmed …$/);
    stage.signal("envoy-7", "SIGCONT");
    await sees(page, /^14 of 14 Envoys confirmed$/);
    assert.equal(await bar.getByRole("button").count(), 0);
    await other.context().close();
    await stage.forget("routes/aside");
    await stage.stop("strict-2");
    for (let n = 3; n <= 14; n += 1) await stage.stop(`envoy-${n}`);
    return page;
  },
};

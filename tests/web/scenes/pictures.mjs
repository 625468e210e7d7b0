// A picture of each page in both themes, both languages, on a phone and zoomed; on each axe finds nothing serious.
import assert from "node:assert/strict";
import { SHOTS, axe, settled, shots, tab } from "../hand.mjs";
import { certificate } from "../stage.mjs";

const PAGES = {
  overview: "", changes: "#/changes", change: "#/changes/LAST", proxies: "#/proxies", proxy: "#/proxies/envoy-1", routes: "#/documents/routes", route: "#/documents/routes/echo",
  "route-history": "#/documents/routes/echo?tab=history", "route-envoy": "#/documents/routes/echo?tab=envoy", "route-effective": "#/documents/routes/cart?tab=effective", "route-used": "#/documents/routes/cart?tab=used", "new-route": "#/new/routes", services: "#/documents/services", consumers: "#/documents/consumers",
  gateways: "#/documents/gateways", instances: "#/instances", drains: "#/drains", certificates: "#/certificates", consumer: "#/documents/consumers/jack", explain: "#/explain?method=GET&url=%2Fecho", resources: "#/resources", live: "#/live", audit: "#/audit",
};

async function pictures(stage) {
  await stage.put("services/shop", { hosts: ["shop.example.com"], plugins: { cors: {} } });
  await stage.put("global_rules/traced", { plugins: { "request-id": {} } });
  await stage.put("routes/echo", { uri: "/echo", name: "echo", labels: { team: "web" }, upstream: { discovery_type: "consul", service_name: "echo" } });
  await stage.put("routes/cart", { uri: "/cart/*", service_id: "shop", upstream: { discovery_type: "consul", service_name: "echo" } });
  await stage.put("routes/off", { uri: "/off", status: 0, upstream: { nodes: { "127.0.0.1:1": 1 } } });
  await stage.put("routes/typo", { uri: "/typo", upstreem: {} });
  await stage.put("ssls/www", { snis: ["www.example.com"], ...(await certificate(stage.folder, "www.example.com")) });
  await stage.put("consumers/jack", { username: "jack", plugins: { "key-auth": { key: "jack-key" } } });
  const drain = { address: "127.0.0.1", port: stage.ports.echo1, service: "echo", ttl: "20m", reason: "release 42", wait: "5s" };
  assert.ok((await fetch(`${stage.admin}/v1/drains`, { method: "POST", body: JSON.stringify(drain) })).ok);
  const { entries } = await stage.ask("/v1/history?limit=1");
  const revision = entries[0].revision;
  // Two at once: most of the time is waiting.
  const left = [...LOOKS];
  const work = async () => {
    for (let look = left.shift(); look; look = left.shift()) await pages(stage, look, revision);
  };
  await Promise.all([work(), work()]);
  await fetch(`${stage.admin}/v1/drains/${(await stage.ask("/v1/drains")).drains[0].id}`, { method: "DELETE" });
}

/** Theme, width, language, mark of its pictures, zoom. */
const LOOKS = [["light", 1280, "en-GB", ""], ["dark", 1280, "en-GB", "-dark"], ["light", 390, "en-GB", "-narrow"], ["dark", 1280, "zh-CN", "-zh"], ["light", 1280, "en-GB", "-zoomed", 2], ["light", 2560, "en-GB", "-wide"], ["dark", 390, "zh-CN", "-zh-narrow"]];

async function fits(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide}`);
  await axe(page, name);
}

async function pages(stage, [scheme, width, locale, mark, zoom], revision) {
  const page = await tab(stage, { scheme, width, locale, zoom });
  for (const [name, hash] of Object.entries(PAGES)) {
    await page.at(hash.replace("LAST", revision));
    await page.getByRole("heading", { level: 1 }).waitFor();
    if (name === "live") {
      await page.waitForTimeout(500);
      await stage.put("routes/off", { uri: `/off${mark}`, status: 0, upstream: { nodes: { "127.0.0.1:1": 1 } } });
      await stage.put("routes/live", { uri: `/live${mark}`, upstream: { discovery_type: "consul", service_name: "echo" } });
    }
    await shots(page, name + mark);
    await fits(page, name + mark);
    if (width > 390) continue;
    // On a phone nothing of a table lies aside, so that each button is where one looks.
    const aside = await page.evaluate(() => [...document.querySelectorAll(".table")].map((table) => table.scrollWidth - table.clientWidth));
    assert.ok(aside.every((of) => of <= 0), `a table of ${name}${mark} scrolls sideways by ${aside}`);
  }
  const { default: words } = await import(`../../../web/words/${locale.slice(0, 2)}.js`);
  const windows = [
    ["drain", "#/instances", words.drain, true],
    ["prolong", "#/drains", words.prolong, true],
    ["undo", `#/changes/${revision}`, words["roll-back"]],
    ["delete", "#/documents/services/shop", words.delete],
    ["switch", "#/documents/routes/echo", words["turn-off"]],
  ];
  for (const [name, hash, word, begins] of windows) {
    await page.at(hash);
    await page.getByRole("button", { name: word, exact: !begins }).first().click();
    await page.getByRole("dialog").waitFor();
    await settled(page);
    await page.screenshot({ path: `${SHOTS}/window-${name}${mark}.png` });
    await fits(page, `window-${name}${mark}`);
    const aside = await page.getByRole("dialog").evaluate((of) => of.scrollWidth - of.clientWidth);
    assert.ok(aside <= 0, `the window ${name}${mark} scrolls sideways by ${aside}`);
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

export const scenes = { "each page is fit to be seen, in both themes, both languages and on a phone": pictures };

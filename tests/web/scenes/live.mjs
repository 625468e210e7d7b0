// What happens elsewhere, as it happens.
import assert from "node:assert/strict";
import { press, sees, tab } from "../hand.mjs";
import { eventually } from "../stage.mjs";

export const scenes = {
  async "what is written elsewhere shows within a second, also what no Envoy is sent"(stage) {
    const [page, live] = [await tab(stage), await tab(stage)];
    await Promise.all([page.at("#/documents/upstreams"), live.at("#/live")]);
    await page.getByRole("heading", { level: 1 }).waitFor();
    const took = [];
    for (let n = 0; n < 6; n += 1) {
      await stage.put(`upstreams/quiet-${n}`, { nodes: { "127.0.0.1:1": 1 } });
      const began = Date.now();
      await Promise.all([page.getByRole("link", { name: `quiet-${n}` }).waitFor(), live.getByText(`upstreams/quiet-${n}`).first().waitFor()]);
      took.push(Date.now() - began);
      await page.waitForTimeout(700);
    }
    // A busy machine may stumble; what is only asked for every four seconds would be seen by one or two of them.
    console.log(`     shown after ${took.join(", ")} ms`);
    assert.ok(took.filter((ms) => ms < 1000).length >= 4);
    // Who wants to read has it stand still.
    await press(live, "Pause");
    await stage.put("upstreams/quiet-0", { nodes: { "127.0.0.1:2": 1 } });
    await page.getByRole("row", { name: /quiet-0/ }).getByText("127.0.0.1:2").waitFor();
    assert.equal(await live.getByText("upstreams/quiet-0").count(), 1);
    await press(live, "Go on");
    await stage.put("upstreams/quiet-0", { nodes: { "127.0.0.1:1": 1 } });
    await eventually("it to be told", async () => (await live.getByText("upstreams/quiet-0").count()) === 2);
    await page.at("#/documents/upstreams/quiet-0?tab=used");
    await sees(page, "None: it can be deleted.");
    await stage.put("routes/quiet", { uri: "/quiet", upstream_id: "quiet-0", plugins: { cors: {} } });
    await page.getByRole("link", { name: "routes/quiet" }).waitFor();
    await page.at("#/documents/routes/quiet?tab=effective");
    await page.getByRole("link", { name: "upstreams/quiet-0" }).waitFor();
    await page.getByText('"127.0.0.1:1": 1').waitFor();
    await stage.put("routes/quiet", { uri: "/quiet", plugins: { mocking: { response_example: "x" } } });
    await live.context().close();
    return page;
  },

  async "many events at once are told, and hold nothing up"(stage) {
    const page = await tab(stage);
    const time = new Date().toISOString();
    const line = (n) => JSON.stringify({ time, answer: { node: `envoy-${n % 1000}`, gateway: "default", type: "routes", version: "0", revision: String(n), took: "0.001s", error: n % 7 ? "" : "no" } });
    // As many as a thousand proxies say in ten seconds, all at once.
    const all = `${Array.from({ length: 10_000 }, (_, n) => line(n)).join("\n")}\n`;
    let first;
    await page.route("**/v1/events", (route) => (first ? ((first = false), route.fulfill({ contentType: "application/x-ndjson", body: all })) : route.continue()));
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
    // The best of several rounds: others use the machine as well.
    const rounds = [];
    while (!rounds.length || (Math.min(...rounds) >= 1000 && rounds.length < 20)) {
      first = true;
      await page.goto("about:blank");
      await page.at("#/live");
      await sees(page, "envoy-999");
      rounds.push(Math.round(await page.evaluate(() => window.longest)));
    }
    console.log(`     the longest frame took ${rounds.join(", ")} ms`);
    assert.ok(Math.min(...rounds) < 1000);
    assert.equal(await page.locator("tbody tr:not(.gap)").count() <= 200, true);
    return page;
  },

  async "what changes elsewhere moves nothing that one looks at, has chosen or types"(stage) {
    for (let n = 10; n < 70; n += 1) await stage.put(`upstreams/row-${n}`, { nodes: { "127.0.0.1:1": 1 } });
    const page = await tab(stage);
    await page.at("#/documents/upstreams");
    const row = page.getByRole("link", { name: "row-60", exact: true });
    await row.waitFor();
    await row.scrollIntoViewIfNeeded();
    const look = () => page.evaluate(() => ({ y: window.scrollY, chosen: getSelection().toString(), has: document.activeElement?.getAttribute("href") }));
    await page.evaluate(() => {
      const link = [...document.querySelectorAll("a")].find((one) => one.textContent === "row-60");
      link.focus({ preventScroll: true });
      getSelection().selectAllChildren(link);
    });
    const before = await look();
    assert.ok(before.y > 100 && before.chosen === "row-60" && before.has, JSON.stringify(before));
    // Behind it, so that what is before it is where it was; and another form of a row that is seen.
    await stage.put("upstreams/row-99", { nodes: { "127.0.0.1:1": 1 } });
    await page.getByRole("link", { name: "row-99", exact: true }).waitFor();
    await stage.put("upstreams/row-59", { nodes: { "127.0.0.1:2": 1 } });
    await page.getByRole("row", { name: /row-59/ }).getByText("127.0.0.1:2").waitFor();
    assert.deepEqual(await look(), before);
    // A window and what is typed into it stay as well.
    await page.at(`#/instances`);
    await page.getByRole("button", { name: /^Drain… / }).first().click();
    await page.getByRole("dialog").getByLabel("Reason").fill("half a senten");
    await stage.put("upstreams/row-98", { nodes: { "127.0.0.1:1": 1 } });
    await page.waitForTimeout(1500);
    assert.equal(await page.getByRole("dialog").getByLabel("Reason").inputValue(), "half a senten");
    await page.keyboard.type("ce");
    assert.equal(await page.getByRole("dialog").getByLabel("Reason").inputValue(), "half a sentence");
    for (const n of [...Array.from({ length: 60 }, (_, at) => at + 10), 98, 99]) await stage.forget(`upstreams/row-${n}`);
    return page;
  },

  async "a tab that nobody sees asks nothing, and shows what is new when it is seen"(stage) {
    const page = await tab(stage);
    await page.at("#/documents/upstreams");
    await page.getByRole("heading", { level: 1 }).waitFor();
    const see = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const asked = [];
    const ended = page.waitForEvent("requestfailed", (one) => one.url().endsWith("/v1/events"));
    await see(true);
    await ended;
    await page.waitForTimeout(1000);
    page.on("request", (one) => asked.push(one.url()));
    await stage.put("upstreams/unseen", { nodes: { "127.0.0.1:1": 1 } });
    await page.waitForTimeout(6000);
    assert.deepEqual(asked, []);
    assert.equal(await page.getByRole("link", { name: "unseen" }).count(), 0);
    await see(false);
    await page.getByRole("link", { name: "unseen" }).waitFor();
    await stage.forget("upstreams/unseen");
    return page;
  },
};

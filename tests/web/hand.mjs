// The hand that plays: a tab of a real browser, and what one does and sees in it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const SHOTS = "target/web";
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How long a busy machine may take. */
export const LONG = 90_000;
export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A tab that nothing may go wrong in, and that may ask nobody else. */
export async function tab(stage, { scheme = "light", width = 1280, locale = "en-GB", zoom = 1, timezoneId = undefined } = {}) {
  // Zoomed, a page has so much less room, and each of its pixels is as many of the screen.
  const context = await browser.newContext({ viewport: { width: width / zoom, height: 900 / zoom }, deviceScaleFactor: zoom, colorScheme: scheme, locale, timezoneId, bypassCSP: false, ignoreHTTPSErrors: true });
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

export const sees = (page, text) => page.getByText(text).first().waitFor();
export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** Fills the editor. */
export async function write(page, document) {
  await page.getByLabel("Text of the document").fill(typeof document === "string" ? document : JSON.stringify(document, null, 2));
}

/** Agrees to what a change would do. */
export async function agree(page, word) {
  await page.getByRole("dialog").getByText("What changes in Envoy").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: word, exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** Reviews, and saves. */
export async function save(page) {
  await press(page, "Review…");
  await agree(page, "Save");
}

/** Goes on with the tabulator until what has the focus is called so. */
export async function reach(page, name) {
  for (let n = 0; n < 120; n += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute("aria-label") ?? at?.closest("label")?.textContent ?? at?.textContent ?? "";
    });
    if (found.startsWith(name)) return;
  }
  throw new Error(`${name} is not reached by the keyboard`);
}

/** Waits until a page has what it loads and stays as it is for a moment; what goes on changing is looked at as it is. */
export const settled = (page) => page.evaluate(() => new Promise((still) => {
  let moment;
  const watch = new MutationObserver(() => wait());
  const end = () => (watch.disconnect(), clearTimeout(moment), clearTimeout(most), still());
  // Whoever loads says so after 300 ms.
  const wait = () => (clearTimeout(moment), (moment = setTimeout(() => (document.querySelector(".loading") ? wait() : end()), 350)));
  const most = setTimeout(end, 5000);
  watch.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
  wait();
}));

/** Nothing serious that axe finds. */
export async function axe(page, name) {
  // In the page's own world and past its policy, which has no place for it.
  const session = (page.session ??= await page.context().newCDPSession(page));
  if (!(await page.evaluate(() => "axe" in window))) await session.send("Runtime.evaluate", { expression: AXE });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(found.violations.map((one) => [one.impact, one.id, one.nodes.map((node) => node.html + " " + node.failureSummary)])))`,
    awaitPromise: true, returnByValue: true,
  });
  const serious = JSON.parse(result.value).filter(([impact]) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious, [], name);
}

/** A picture of the whole page. */
export async function shots(page, name) {
  await settled(page);
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

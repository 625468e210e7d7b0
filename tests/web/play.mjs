// Plays what people do with the dashboard, in a real browser, and leaves a picture of each page. `make web` runs it.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { SHOTS, browser } from "./hand.mjs";
import { scenes as large } from "./scenes/large.mjs";
import { scenes as live } from "./scenes/live.mjs";
import { scenes as pictures } from "./scenes/pictures.mjs";
import { scenes as safe } from "./scenes/safe.mjs";
import { scenes as saving } from "./scenes/saving.mjs";
import { scenes as states } from "./scenes/states.mjs";
import { scenes as tasks } from "./scenes/tasks.mjs";
import { Stage } from "./stage.mjs";

const only = process.argv[2];

await mkdir(SHOTS, { recursive: true });
let failed = 0;
const stage = await Stage.set();
// The pictures are of a store of which one sees everything: before the ten thousand.
const all = [tasks, states, live, safe, pictures, saving, large].flatMap(Object.entries);
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

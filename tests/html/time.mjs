// How long a page takes until it is drawn: node time.mjs REPORT.html MILLISECONDS
//
// The time of the page's thread and the time by the clock are printed; the bound, for the best of some times of the thread, is
// one that only a page that hangs comes to.
import assert from "node:assert/strict";
import { open, withBrowser } from "./browser.mjs";

const [file, most] = process.argv.slice(2);

await withBrowser(async (browser) => {
  const [busy, clock] = [[], []];
  for (let time = 0; time < 7; time += 1) {
    const { page, context, url, assertQuiet } = await open(browser, file, { isBlank: true });
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(url);
    // The first paint is there once a frame has followed what was drawn.
    clock.push(await page.evaluate(() => new Promise((resolve) => {
      const painted = () => performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint");
      const look = () => (painted() === undefined ? requestAnimationFrame(look) : resolve(
        Math.max(painted().startTime, performance.getEntriesByName("drawn")[0].startTime)));
      look();
    })));
    const { metrics } = await session.send("Performance.getMetrics");
    busy.push(metrics.find(({ name }) => name === "TaskDuration").value * 1000);
    assertQuiet();
    await context.close();
  }
  const list = (times) => times.sort((a, b) => a - b).map((ms) => ms.toFixed(0)).join(", ");
  console.log(`drawn after ${list(clock)} ms, of which the page was busy for ${list(busy)} ms`);
  assert.ok(busy[0] > 0 && busy[0] <= Number(most), `the page was busy for ${busy[0]} ms`);
});

// Pictures of the service's pages: node console-screenshots.mjs ADDRESS PLACE FOLDER
import { copyFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { withBrowser } from "./browser.mjs";
import { analyze, logInByKey, visit } from "./console-page.mjs";

const [address, place, folder] = process.argv.slice(2);

await withBrowser(async (browser) => {
  const { page, context, go } = await visit(browser, address);
  await go("/login");
  await page.screenshot({ path: join(folder, "console-login.png"), fullPage: true });
  await logInByKey(page);
  await page.waitForURL(`http://${address}/`);
  for (const instance of ["small-1", "shop-1", "cut-1", "hostile-1"]) {
    await go(`/instances/${instance}`);
    await analyze(page);
  }
  await go("/instances/shop-1");
  await analyze(page, "Analyze the node's newest dump", "#offline-list");
  await analyze(page);
  await go("/instances/small-1");
  copyFileSync(join(place, "small-later.rdb"), join(place, "dumps/small.rdb"));
  utimesSync(join(place, "dumps/small.rdb"), new Date(), new Date());
  await analyze(page);
  await page.locator("#tasks-list tbody a").first().click();
  const small = page.url();
  await go("/instances/shop-1");
  const task = await page.locator("#tasks-list tbody a").first().getAttribute("href");
  await go("/instances/long-1");
  await page.getByRole("button", { name: "Analyze now" }).click();
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      for (const [name, path] of [["instances", "/"], ["instance", "/instances/shop-1"], ["running", "/instances/long-1"], ["task", task], ["changes", small.replace(`http://${address}`, "")]]) {
        await go(path);
        await page.screenshot({ path: join(folder, `console-${name}-${colorScheme}-${width}.png`), fullPage: width === 1280 });
      }
    }
  }
  await context.close();
}, { hosts: "EXCLUDE 127.0.0.1" });

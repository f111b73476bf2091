// Pictures of a page at three widths and in both themes: node screenshots.mjs REPORT.html FOLDER
import { join } from "node:path";
import { open, withBrowser } from "./browser.mjs";

const [file, folder] = process.argv.slice(2);

await withBrowser(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280, 2560]) {
      const { page, context } = await open(browser, file, { colorScheme, viewport: { width, height: Math.round(width / 1.4) } });
      await page.screenshot({ path: join(folder, `page-${colorScheme}-${width}.png`), fullPage: true });
      await context.close();
    }
    // What the README shows: the map and what is above it.
    const { page, context } = await open(browser, file, { colorScheme, viewport: { width: 1200, height: 900 } });
    await page.locator("#map").scrollIntoViewIfNeeded();
    await page.locator("#map").screenshot({ path: join(folder, `map-${colorScheme}.png`) });
    await context.close();
  }
});

// What every page holds, whatever it tells: in each theme and width, on paper, and without its script.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { faults, open, sideways } from "./browser.mjs";

/** Both themes from a telephone to 4K: no page scrolls sideways, and where `shapes` has shapes of the map for a width, axe finds nothing in each. */
export async function everyLook(browser, file, shapes) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280, 3840]) {
      const { page, context, assertQuiet } = await open(browser, file, { colorScheme, viewport: { width, height: 900 } });
      assert.equal(await sideways(page), 0, `${width} pixels: the page scrolls sideways`);
      assertQuiet();
      for (const shape of shapes[width] ?? []) {
        await page.locator("#map select[name=shape]").selectOption(shape);
        assert.deepEqual(await faults(page), [], `${colorScheme} at ${width} pixels`);
      }
      await context.close();
    }
  }
}

/** Prints the page into a file from the dark theme, and gives it for more. */
export async function printed(browser, file, path) {
  const { page, assertQuiet } = await open(browser, file, { colorScheme: "dark" });
  await page.pdf({ path, format: "A4", printBackground: true });
  assert.ok(statSync(path).size > 20_000);
  assertQuiet();
  return { page, assertQuiet };
}

/** The page where scripts are off has these texts, and not what its script fills. */
export async function unscripted(browser, file, texts) {
  const { page } = await open(browser, file, { javaScriptEnabled: false, settle: false });
  const text = await page.locator("body").innerText();
  for (const wanted of texts) {
    assert.ok(text.includes(wanted), wanted);
  }
  assert.ok(!(await page.locator("#keys").isVisible()), "what the script fills is hidden without it");
}

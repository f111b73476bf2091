// Names that would act on their reader are text: node hostile.mjs REPORT.html NAMES.json COMMANDS.json
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { clipboard, open, withBrowser } from "./browser.mjs";

const [file, names, commands] = process.argv.slice(2);
const INVISIBLE = /[\p{Cc}\u200e\u200f\u2028\u202a-\u202e\u2066-\u2069\ufeff]/u;

await withBrowser(async (browser) => {
  const { page, assertQuiet } = await open(browser, file);
  const isHacked = () => page.evaluate(() => "hacked" in globalThis || document.querySelector("img, iframe, object, embed") !== null);
  for (let more = page.getByRole("button", { name: /^Show \d+ more/ }); await more.count() > 0;) {
    await more.first().click();
  }
  const shown = await page.locator("#keys tbody th").evaluateAll((cells) => cells.map((cell) => (
    cell.querySelector("details > bdi") ?? cell.querySelector("bdi")
  )?.textContent));
  for (const name of JSON.parse(readFileSync(names, "utf8"))) {
    assert.ok(shown.includes(name), `not shown: ${name.slice(0, 60)}`);
  }
  // Nothing on the page is invisible or turns its surroundings round, attributes included.
  const all = await page.evaluate(() => [...document.querySelectorAll("body *:not(script)")].flatMap((of) => [
    ...[...of.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent),
    ...[...of.attributes].map(({ value }) => value),
  ]));
  assert.deepEqual(all.filter((text) => INVISIBLE.test(text.replaceAll("\n", ""))), []);
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("*")].flatMap(({ attributes }) => (
    [...attributes].filter(({ name, value }) => name.startsWith("on") || /^\s*javascript:/i.test(value) && name === "href").map(({ name }) => name)
  ))), []);
  // Every tile is looked at, in all shapes and colours.
  for (const shape of ["treemap", "icicle"]) {
    await page.locator('#map select[name="shape"]').selectOption(shape);
    const colours = page.locator('#map select[name="colour"]');
    for (const colour of await colours.count() === 0 ? [null] : ["ttl", "type", "encoding"]) {
      if (colour !== null) {
        await colours.selectOption(colour);
      }
      for (const tile of await page.locator("#map .tile").all()) {
        await tile.dispatchEvent("mouseenter");
      }
    }
  }
  assert.equal(await isHacked(), false);
  // Commands for a shell, by what is copied.
  const copied = [];
  for (const row of await page.locator("#keys tbody tr").all()) {
    for (const button of await row.getByRole("button", { name: /^Copy/ }).all()) {
      await page.evaluate(() => document.getElementById("said").replaceChildren());
      await button.click();
      await page.waitForFunction(() => document.getElementById("said").textContent !== "");
      if ((await button.innerText()) === "command") {
        copied.push(await clipboard(page));
      }
    }
  }
  const prefixes = [];
  for (const button of await page.locator("#prefixes").getByRole("button", { name: /^Copy command/ }).all()) {
    await button.click();
    await page.waitForTimeout(5);
    prefixes.push(await clipboard(page));
  }
  writeFileSync(commands, JSON.stringify({ keys: copied, prefixes }));
  const [written] = await Promise.all([
    page.waitForEvent("download"), page.locator("#keys").getByRole("button", { name: "Download CSV" }).click(),
  ]);
  const csv = readFileSync(await written.path(), "utf8");
  assert.ok(csv.includes("\"'=HYPERLINK"), "formulas are guarded");
  assert.ok(!/(^|,|\n)"?[=+@\t]/.test(csv), "no cell begins as a formula does");
  assert.equal(await isHacked(), false);
  assertQuiet();
  console.log(`${shown.length} names, ${copied.length} commands`);
});

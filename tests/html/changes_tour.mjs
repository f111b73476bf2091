// Goes through the page of what changed in a shop in a week: node changes_tour.mjs PAGE.html FOLDER
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clipboard, open, withBrowser } from "./browser.mjs";
import { everyLook, printed, unscripted } from "./looks.mjs";

const [file, folder] = process.argv.slice(2);

const texts = (locator) => locator.allInnerTexts();
const names = (page, list) => texts(page.locator(`#${list} tbody th`));

async function read(browser) {
  const { page, assertQuiet } = await open(browser, file);
  const text = await page.locator("main").innerText();
  for (const wanted of ["7 days", "64.0 MiB is full", "2026-11-20 03:00:00 UTC", "2026-11-27 03:00:00 UTC", "used_memory a day"]) {
    assert.ok(text.includes(wanted), wanted);
  }
  const moves = await texts(page.locator("#moves .findings > li"));
  assert.ok(moves.some((move) => /^cart:\s+is new: [^]*It has 700 keys, of which 100.0 % never expire/.test(move)), moves.join("\n"));
  assert.ok(moves.some((move) => move.includes("The key queue:emails grew by")), moves.join("\n"));
  assert.ok(moves.some((move) => move.startsWith("session:") && move.includes("fewer than before")), moves.join("\n"));
  const became = await texts(page.locator("#became table.histogram tbody tr"));
  assert.ok(became.some((row) => /^other type\s+1$/.test(row.trim())), became.join("\n"));
  // From a sentence to the place on the map.
  await page.locator("#moves li", { hasText: "session:" }).getByRole("link").click();
  await page.mouse.move(2, 2);
  await page.waitForFunction(() => document.querySelector("#map .card h3")?.textContent === "Prefix session:");
  assertQuiet();
}

async function map(browser) {
  const { page, assertQuiet } = await open(browser, file);
  const tile = (prefix) => page.locator(`#map .tile[aria-label$=", prefix ${prefix}"]`);
  // The sign is read as well as seen.
  assert.match(await tile("session:").getAttribute("aria-label"), /^session: -\d/);
  assert.match(await tile("cart:").getAttribute("aria-label"), /^cart: \+\d/);
  assert.ok((await page.locator("#map .tile.change-came").count()) > 0);
  assert.ok((await page.locator("#map .tile.change-shrank, #map .tile.change-went").count()) > 0);
  assert.equal(await page.locator("#map select[name=colour]").count(), 0, "a choice of one");
  for (const measure of ["memory", "keys", "memoryWithoutTtl"]) {
    for (const shape of ["treemap", "icicle"]) {
      await page.locator('#map select[name="size"]').selectOption(measure);
      await page.locator('#map select[name="shape"]').selectOption(shape);
      assert.ok((await page.locator("#map .tile").count()) > 3, `${measure} as ${shape}`);
    }
  }
  await page.locator('#map select[name="size"]').selectOption("keys");
  assert.match(await tile("ratelimit:10.").first().or(tile("ratelimit:")).first().getAttribute("aria-label"), /-500 keys/);
  assertQuiet();
}

async function lists(browser) {
  const { page, assertQuiet } = await open(browser, file);
  // Most grown first, and by one click most shrunk.
  const change = (list) => page.locator(`#${list} thead button`, { hasText: /^Change$/ });
  assert.ok((await texts(page.locator("#prefixes tbody tr").first()))[0].includes("+"));
  await change("prefixes").click();
  assert.ok((await texts(page.locator("#prefixes tbody tr").first()))[0].includes("-"));
  assert.match(page.url(), /prefixes\.sort=change/);
  await page.locator("#keys select[name=what]").selectOption("other type");
  assert.deepEqual(await names(page, "keys"), ["feature:flags"]);
  assert.ok((await texts(page.locator("#keys tbody tr")))[0].includes("hash → string"));
  await page.locator("#keys select[name=what]").selectOption("other expiry");
  assert.ok((await names(page, "keys")).every((name) => /^(cache:search|job):/.test(name)));
  await page.locator("#keys select[name=what]").selectOption("went");
  await page.locator("#keys input[name=q]").fill("SESSION");
  assert.ok((await names(page, "keys")).every((name) => name.startsWith("session:")));
  assert.match(await page.locator("#keys .sum").innerText(), /^\d+ of \d+ listed keys: -\d[^]* of memory$/);
  const [first] = await names(page, "keys");
  await page.locator("#keys").getByRole("button", { name: `Copy command of ${first}` }).click();
  await page.waitForFunction(() => document.getElementById("said")?.textContent?.startsWith("Command"));
  assert.equal(await clipboard(page), `redis-cli -n 0 MEMORY USAGE ${first} SAMPLES 0`);
  const [written] = await Promise.all([
    page.waitForEvent("download"), page.locator("#keys").getByRole("button", { name: "Download CSV" }).click(),
  ]);
  await written.saveAs(join(folder, "changed.csv"));
  const lines = readFileSync(join(folder, "changed.csv"), "utf8").split("\r\n");
  assert.match(lines[0], /^name,what,type,db,change,old,new,/);
  assert.match(lines[1], /^session:[0-9a-f]+,went,hash,0,-\d+,\d+,,/);
  await page.locator("#moved input[name=q]").fill("cart");
  assert.deepEqual(await names(page, "moved"), ["cart:"]);
  assertQuiet();
}

async function links(browser) {
  const { page, assertQuiet } = await open(browser, file, { fragment: "#keys&at=p%3Auser%3A&shape=icicle&keys.what=grew" });
  assert.equal(await page.locator("#map .path [aria-current]").innerText(), "user:");
  assert.equal(await page.locator("#keys select[name=what]").inputValue(), "grew");
  assertQuiet();
}

const looks = (browser) => everyLook(browser, file, { 1280: ["treemap"] });

const print = (browser) => printed(browser, file, join(folder, "changed.pdf"));

const withoutScript = (browser) => unscripted(browser, file, [
  "need JavaScript", "What changed most", "unchanged", "What is not known", "bigkeys 0.",
]);

await withBrowser(async (browser) => {
  for (const step of [read, map, lists, links, looks, print, withoutScript]) {
    await step(browser);
    console.log(`${step.name}: done`);
  }
});

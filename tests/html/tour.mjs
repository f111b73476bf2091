// Goes through the page of a shop as a reader would: node tour.mjs REPORT.html FOLDER
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clipboard, open, withBrowser } from "./browser.mjs";
import { everyLook, printed, unscripted } from "./looks.mjs";

const [file, folder] = process.argv.slice(2);

const texts = (locator) => locator.allInnerTexts();
const tiles = (page) => page.locator("#map .tile");
const keyNames = (page) => texts(page.locator("#keys tbody th"));

async function map(browser) {
  const { page, assertQuiet } = await open(browser, file);
  assert.ok((await tiles(page).count()) > 30, "few tiles");
  const here = () => page.locator("#map .path [aria-current]").innerText();
  assert.equal(await here(), "all databases");
  // Into the users, by mouse, then out again.
  await page.locator('#map .tile[aria-label$=", prefix user:"]').click({ position: { x: 8, y: 8 } });
  assert.equal(await here(), "user:");
  assert.match(page.url(), /[#&]at=p%3Auser%3A/);
  assert.match(await page.locator("#map .card").innerText(), /Prefix user:[^]*never expire/);
  await page.locator("#map .path button").first().click();
  assert.equal(await here(), "all databases");
  // By keyboard alone: one stop, arrows, Enter, Backspace.
  await page.keyboard.press("Tab");
  assert.equal(await page.locator('#map .tile[tabindex="0"]').count(), 1);
  await page.locator('#map .tile[tabindex="0"]').focus();
  const before = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await page.keyboard.press("ArrowRight");
  const after = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.notEqual(before, after, "an arrow moves");
  await page.locator('#map .tile[aria-label$=", prefix user:"]').focus();
  await page.keyboard.press("Enter");
  assert.equal(await here(), "user:");
  await page.keyboard.press("Backspace");
  assert.equal(await here(), "all databases");
  // Every measure and shape draws parts that make up the whole.
  for (const measure of ["memory", "serialized", "keys", "memoryWithoutTtl"]) {
    for (const shape of ["treemap", "icicle"]) {
      await page.locator('#map select[name="size"]').selectOption(measure);
      await page.locator('#map select[name="shape"]').selectOption(shape);
      assert.ok((await tiles(page).count()) > 10, `${measure} as ${shape}`);
      const outside = await tiles(page).evaluateAll((all) => all.filter((tile) => (
        tile.offsetLeft < -1 || tile.offsetTop < -1
        || tile.offsetLeft + tile.offsetWidth > tile.parentElement.clientWidth + 2
        || tile.offsetTop + tile.offsetHeight > tile.parentElement.clientHeight + 2)).length);
      assert.equal(outside, 0, `${measure} as ${shape}: tiles outside of the map`);
    }
  }
  await page.locator('#map select[name="parts"]').selectOption("type");
  await page.locator('#map select[name="colour"]').selectOption("encoding");
  assert.ok((await texts(page.locator("#map .legend li"))).includes("listpack"));
  await page.locator('#map select[name="colour"]').selectOption("type");
  assert.ok((await page.locator("#map .tile.colour-0").count()) > 0, "strings have their colour");
  assertQuiet();
}

async function suspects(browser) {
  const { page, assertQuiet } = await open(browser, file);
  const findings = await texts(page.locator("#suspects .findings > li"));
  assert.ok(findings.length > 0 && findings.length <= 7, `${findings.length} findings`);
  assert.ok(findings.some((finding) => finding.includes("bigkeys ")), "a command to type next");
  // From a finding about a prefix to its place on the map.
  const link = page.locator("#suspects a", { hasText: "Show it on the map" }).first();
  const prefix = decodeURIComponent((await link.getAttribute("href")).split("at=p%3A")[1]);
  await link.click();
  // What the mouse is over is in the card until it leaves the map.
  await page.mouse.move(2, 2);
  await page.waitForFunction((wanted) => document.querySelector("#map .card h3")?.textContent === `Prefix ${wanted}`, prefix);
  assertQuiet();
}

async function lists(browser) {
  const { page, assertQuiet } = await open(browser, file);
  const names = await keyNames(page);
  assert.equal(names.length, 25);
  assert.equal(names[0], "export:2026-10:orders.csv");
  // Sorted, and sorted the other way.
  const header = (title) => page.locator("#keys thead button", { hasText: new RegExp(`^${title}$`) });
  await header("Key").click();
  const sorted = await keyNames(page);
  assert.deepEqual(sorted, [...sorted].sort((a, b) => (a < b ? -1 : 1)));
  assert.equal(await page.locator('#keys th[aria-sort="ascending"]').innerText(), "Key");
  await header("Key").click();
  assert.ok((await keyNames(page))[0] > sorted[0]);
  assert.match(page.url(), /keys\.sort=-name/);
  // Filtered by text and type, with the sum of what is left.
  await page.locator("#keys input[name=q]").fill("LEADERboard");
  assert.equal((await keyNames(page)).length, 6);
  assert.match(await page.locator("#keys .sum").innerText(), /^6 of \d+ listed keys: 1\.\d MiB of memory, /);
  await page.locator("#keys select[name=type]").selectOption("hash");
  assert.equal((await keyNames(page)).length, 0);
  await page.locator("#keys select[name=type]").selectOption("zset");
  assert.equal((await keyNames(page)).length, 6);
  await page.locator("#keys input[name=q]").fill("");
  await page.locator("#keys input[name=never]").check();
  assert.ok(!(await keyNames(page)).includes("rates:today"));
  // Copied.
  await page.locator("#keys").getByRole("button", { name: "Copy name of leaderboard:2026-W45" }).click();
  await page.waitForFunction(() => document.getElementById("said")?.textContent !== "");
  assert.equal(await clipboard(page), "leaderboard:2026-W45");
  await page.locator("#keys").getByRole("button", { name: "Copy command of leaderboard:2026-W45" }).click();
  await page.waitForFunction(() => document.getElementById("said")?.textContent?.startsWith("Command"));
  assert.equal(await clipboard(page), "redis-cli -n 0 MEMORY USAGE leaderboard:2026-W45 SAMPLES 0");
  await page.locator("#prefixes").getByRole("button", { name: "Copy command of user:", exact: true }).click();
  await page.waitForFunction(() => document.getElementById("said")?.textContent?.includes("for db"));
  assert.equal(await clipboard(page), "for db in 0 1; do redis-cli -n \"$db\" --scan --pattern 'user:*'; done");
  // Downloaded: what is left of the list, in its order.
  const [written] = await Promise.all([
    page.waitForEvent("download"), page.locator("#keys").getByRole("button", { name: "Download CSV" }).click(),
  ]);
  assert.equal(written.suggestedFilename(), "keys.csv");
  await written.saveAs(join(folder, "keys.csv"));
  const lines = readFileSync(join(folder, "keys.csv"), "utf8").split("\r\n");
  assert.match(lines[0], /^name,type,encoding,db,memory,/);
  assert.equal(lines.length, 1 + 6 + 1);
  assert.match(lines[1], /^leaderboard:2026-W45,zset,skiplist,0,\d+,/);
  // More rows, and from a prefix to its place on the map.
  await page.locator("#prefixes").getByRole("button", { name: /^Show \d+ more/ }).click();
  assert.ok((await page.locator("#prefixes tbody tr").count()) > 25);
  await page.locator("#prefixes").getByRole("button", { name: "leaderboard:", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("#map .path [aria-current]")?.textContent === "leaderboard:");
  await page.mouse.move(2, 2);
  await page.locator("#map .card").getByRole("button", { name: "List its largest keys" }).click();
  assert.equal((await keyNames(page)).length, 6);
  assertQuiet();
}

async function calendar(browser) {
  const { page, assertQuiet } = await open(browser, file);
  const months = await texts(page.locator("#expiry .month caption"));
  assert.deepEqual(months, ["November 2026", "December 2026"]);
  // A Friday, in the column of Fridays.
  const week = page.locator("#expiry .month").first().locator("tbody tr", { hasText: "20:" });
  assert.match(await week.locator("td").nth(4).textContent(), /^20: [\d.]+ [KM]iB, [\d,]+ keys$/);
  assert.match(await week.locator("td").nth(4).getAttribute("title"), /^2026-11-20: /);
  // Each day of the grid is in the list, whose last sum is all memory that expires.
  const days = await page.locator("#expiry .month td[class]").count();
  await page.locator("#expiry summary").click();
  const rows = await texts(page.locator("#expiry details tbody tr"));
  assert.equal(rows.length, days);
  assert.ok(rows[0].startsWith("2026-11-20"), rows[0]);
  assertQuiet();
}

async function links(browser) {
  const fragment = "#map&by=keys&shape=icicle&at=p%3Auser%3A&colour=type&keys.q=user%3A&keys.sort=name&keys.type=set";
  const { page, url, assertQuiet } = await open(browser, file, { fragment });
  assert.equal(await page.locator("#map .path [aria-current]").innerText(), "user:");
  assert.equal(await page.locator('#map select[name="size"]').inputValue(), "keys");
  assert.equal(await page.locator('#map select[name="shape"]').inputValue(), "icicle");
  const names = await keyNames(page);
  assert.ok(names.length > 5 && names.every((name) => /^user:\d+:friends$/.test(name)), names.join());
  // The table of contents moves without forgetting.
  await page.locator("body > nav a", { hasText: "Expiry" }).click();
  assert.match(page.url(), /#expiry&by=keys/);
  // Another link in the same window, and one that nobody can read.
  await page.evaluate((address) => location.assign(address), `${url}#keys&keys.type=list`);
  await page.waitForFunction(() => document.querySelector("#map .path [aria-current]")?.textContent === "all databases");
  assert.ok((await keyNames(page)).includes("queue:emails"));
  await page.evaluate((address) => location.assign(address), `${url}#%E0%A4%A&by=nothing&at=p:nowhere&keys.sort=__proto__&=`);
  await page.waitForFunction(() => (document.querySelectorAll("#keys tbody tr").length === 25));
  assertQuiet();
}

// The checker takes seconds: both themes once, and each shape.
const looks = (browser) => everyLook(browser, file, { 360: ["icicle"], 1280: ["treemap"] });

async function print(browser) {
  const { page, assertQuiet } = await printed(browser, file, join(folder, "page.pdf"));
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  assert.ok(!(await page.locator("#keys .tools").isVisible()), "what paper cannot use is left out");
  assertQuiet();
}

const withoutScript = (browser) => unscripted(browser, file, [
  "Sound.", "need JavaScript", "listpack", "under 1 hour", "Measured from", "bigkeys 0.",
]);

await withBrowser(async (browser) => {
  for (const step of [suspects, map, lists, calendar, links, looks, print, withoutScript]) {
    await step(browser);
    console.log(`${step.name}: done`);
  }
});

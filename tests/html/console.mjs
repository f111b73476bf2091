// Works with the service as a person would: node console.mjs ADDRESS FOLDER
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { withBrowser } from "./browser.mjs";
import { analyze, logInByKey, logInByToken, look, visit } from "./console-page.mjs";

const [address, folder] = process.argv.slice(2);
const INVISIBLE = /[\p{Cc}\u200e\u200f\u2028\u202a-\u202e\u2066-\u2069\ufeff]/u;

const text = (page) => page.locator("body").innerText();
const rows = (page, list = "#tasks-list") => page.locator(`${list} tbody tr`);
const names = (page) => page.locator("#keys tbody th").allInnerTexts();

async function signedIn(browser, options) {
  const visitor = await visit(browser, address, options);
  await visitor.go("/");
  await logInByKey(visitor.page);
  await visitor.page.waitForURL(`http://${address}/`);
  return visitor;
}

async function download(page, name) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}

async function strangers(browser) {
  const { page, context, go, assertQuiet } = await visit(browser, address, { expected: [401, 403] });
  for (const path of ["/", "/instances/shop-1", "/instances/none", "/instances/shop-1/tasks/none/keys.csv"]) {
    await go(path);
    assert.equal(page.url(), `http://${address}/login`, path);
    assert.ok(!(await text(page)).includes("shop"), "nothing is shown before the login");
  }
  await look(page, "the login");
  for (const wrong of ["another secret", ""]) {
    await logInByKey(page, wrong || "a secret of many letterS");
    assert.match(await page.getByRole("alert").innerText(), /wrong, or no longer valid/);
    assert.deepEqual(await context.cookies(), []);
  }
  await logInByToken(page, "a-token-of-many-letters");
  await page.waitForURL(`http://${address}/`);
  const [cookie, ...others] = await context.cookies();
  assert.deepEqual([others.length, cookie.httpOnly, cookie.sameSite], [0, true, "Strict"]);
  assert.equal(await page.evaluate(() => document.cookie), "", "scripts cannot read it");
  // A form of another page changes nothing.
  const answers = await page.evaluate(async () => {
    const post = (path, body) => fetch(path, { method: "POST", body: new URLSearchParams(body) }).then(({ status }) => status);
    return [await post("/instances/shop-1/tasks", {}), await post("/instances/shop-1/tasks", { csrf: "guessed" })];
  });
  assert.deepEqual(answers, [403, 403]);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(`http://${address}/login`);
  await context.addCookies([cookie]);
  await go("/");
  assert.equal(page.url(), `http://${address}/login`, "the session has ended, not only its cookie");
  assertQuiet();
}

async function tasks(browser) {
  const { page, go, assertQuiet } = await signedIn(browser, { expected: [404] });
  assert.equal(await page.locator("#instances tbody tr").count(), 6, "another project's is not there");
  assert.ok((await page.locator("#i-shop-1").innerText()).includes("</title><script>hacked()</script>"));
  await page.locator("#i-shop-1").getByText("shop.rdb").waitFor({ timeout: 60_000 });
  await look(page, "the instances");
  assert.equal((await go("/instances/other-1")).status(), 404);
  // Seen while it runs, and its end, all on one page.
  await go("/instances/long-1");
  await page.getByRole("button", { name: "Analyze now" }).click();
  await page.evaluate(() => { globalThis.wasNotReloaded = true; });
  const seen = new Set();
  for (let state = ""; state !== "success";) {
    const [row, hasBar] = await rows(page).first().evaluate((row) => [row.innerText, row.querySelector("progress") !== null]);
    state = row.match(/waiting|running|success|failed/)[0];
    if (hasBar) {
      assert.match(row, /\d+(\.\d)? (B|KiB|MiB) of \d+(\.\d)? MiB, [\d,]+ keys/);
    }
    seen.add(state);
    assert.notEqual(state, "failed");
    await page.waitForTimeout(20);
  }
  assert.ok(await page.evaluate(() => globalThis.wasNotReloaded));
  console.log(`states seen on one page: ${[...seen].join(", ")}`);
  // Cancelled, and deleted: both take a moment to be sure.
  await go("/instances/endless-1");
  await page.getByRole("button", { name: "Analyze now" }).click();
  const cancel = page.getByRole("button", { name: /^Cancel / });
  await cancel.click();
  await rows(page).first().locator(".state.failed").waitFor();
  assert.match(await rows(page).first().innerText(), /it was cancelled/);
  const id = await rows(page).first().locator("code").innerText();
  await page.locator(`summary[aria-label="Delete ${id}"]`).press("Enter");
  await page.waitForTimeout(1500);
  await page.getByRole("button", { name: `Delete for good ${id}` }).press("Enter");
  await page.waitForURL(`http://${address}/instances/endless-1`);
  assert.ok(!(await text(page)).includes(id));
  // One that fails says why.
  await go("/instances/cut-1");
  await analyze(page);
  assert.match(await rows(page).first().locator(".reason").innerText(), /cut\.rdb: .*byte \d+/);
  assertQuiet();
}

async function keys(browser) {
  const { page, go, assertQuiet } = await signedIn(browser);
  await go("/instances/shop-1");
  await analyze(page);
  await look(page, "an instance");
  await rows(page).first().getByRole("link").click();
  const all = await names(page);
  assert.ok(all.length > 20, `${all.length} keys`);
  assert.match(await text(page), /No earlier task to compare with/);
  await look(page, "a task");
  await page.getByRole("searchbox", { name: "Name" }).fill("USER:");
  await page.locator('select[name="type"]').selectOption("set");
  await page.locator('select[name="sort"]').selectOption("name");
  await page.getByRole("button", { name: "Filter" }).press("Enter");
  await page.waitForURL(/name=USER/);
  const found = await names(page);
  assert.ok(found.length > 0 && found.every((name) => /^user:\d+:/.test(name)), found.join());
  assert.deepEqual(found, found.toSorted());
  const csv = await download(page, "Download CSV");
  assert.match(csv.name, /^keys-[0-9a-f-]{36}\.csv$/);
  const lines = csv.text.split("\r\n");
  assert.equal(lines[0], "name,name_base64,type,shard,db,size,unit,elements,freq,previous_size");
  assert.equal(lines.length, 1 + found.length + 1, "what the filter leaves");
  const json = JSON.parse((await download(page, "Download JSON")).text);
  assert.deepEqual([json.status, json.num, json.keys.length], ["success", all.length, all.length], "all of the task");
  // The report of the dump is the one of the command line.
  await page.getByRole("button", { name: "Report of the dumps" }).click();
  await page.locator("#map .tile").first().waitFor();
  const report = await text(page);
  assert.ok(report.includes("shop.rdb") && !report.includes(folder), "it names the dump, not where it is");
  assertQuiet();
}

async function changes(browser) {
  const { page, go, assertQuiet } = await signedIn(browser, { expected: [400] });
  await go("/instances/small-1");
  await analyze(page);
  const first = await rows(page).first().locator("code").innerText();
  copyFileSync(join(folder, "small-later.rdb"), join(folder, "dumps/small.rdb"));
  const later = new Date(Date.now() + 5000);
  utimesSync(join(folder, "dumps/small.rdb"), later, later);
  await analyze(page);
  assert.equal(await page.locator("#over-time polyline").count(), 1);
  await rows(page).first().getByRole("link").click();
  assert.equal(await page.locator("#compared").innerText(), "1 new, 1 grown, 0 shrunk, 1 same, 1 no longer listed");
  const row = (name) => page.locator("#keys tbody tr", { hasText: name }).innerText();
  assert.match(await row("grows"), /3\.9 KiB\s+\+3\.9 KiB/);
  assert.match(await row("=comes"), /new/);
  await page.locator("#gone summary").click();
  assert.match(await page.locator("#gone li").innerText(), /goes string, 500 B/);
  const { text: csv } = await download(page, "Download CSV");
  assert.ok(csv.includes("grows,,string,,3,4000,byte,,,10\r\n") && csv.includes("\"'=comes\",,"), csv);
  await page.locator('select[name="compare"]').selectOption("none");
  await page.getByRole("button", { name: "Compare" }).click();
  await page.waitForURL(/compare=none/);
  assert.equal(await page.locator("#compared").count(), 0);
  // The first task's dump is no longer there, so there is no report of it.
  await go(`/instances/small-1/tasks/${first}`);
  await page.getByRole("button", { name: "Report of the dumps" }).click();
  assert.match(await text(page), /small\.rdb has changed or is gone since this task/);
  // The schedule.
  await go("/instances/small-1");
  await page.getByLabel("Each day at").check();
  await page.getByLabel("Times, in UTC").fill("25:00");
  await page.getByRole("button", { name: "Save" }).click();
  assert.match(await text(page), /'25:00' is not a time of the day/);
  await go("/instances/small-1");
  await page.getByLabel("Each day at").check();
  await page.getByLabel("Times, in UTC").fill("21:00, 03:30");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(`http://${address}/instances/small-1`);
  assert.deepEqual([await page.getByLabel("Each day at").isChecked(), await page.getByLabel("Times, in UTC").inputValue()], [true, "21:00, 03:30"]);
  assertQuiet();
}

async function hostile(browser) {
  const { page, go, assertQuiet } = await signedIn(browser);
  await go("/instances/hostile-1");
  await analyze(page);
  await analyze(page, "Analyze the node's newest dump", "#offline-list");
  await rows(page, "#offline-list").first().getByRole("link").click();
  await page.locator("#keys").waitFor();
  const listed = await names(page);
  for (const name of JSON.parse(readFileSync(join(folder, "names.json"), "utf8"))) {
    assert.ok(listed.some((shown) => shown === name), `not shown: ${JSON.stringify(name.slice(0, 60))}`);
  }
  await look(page, "an offline key analysis");
  const all = await page.evaluate(() => [...document.querySelectorAll("body *:not(script)")].flatMap((of) => [
    ...[...of.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent),
    ...[...of.attributes].map(({ value }) => value),
  ]));
  assert.deepEqual(all.filter((text) => INVISIBLE.test(text.replaceAll("\n", ""))), []);
  assert.equal(await page.evaluate(() => "hacked" in globalThis || document.querySelector("img, iframe, object, embed, script + script") !== null), false);
  const { text: csv } = await download(page, "Download CSV");
  assert.ok(csv.includes("\"'=HYPERLINK") && !/(^|\n)"?[=+@\t]/.test(csv), "formulas are guarded");
  assert.equal(JSON.parse((await download(page, "Download JSON")).text).total_num, 125);
  assertQuiet();
}

async function readers(browser) {
  const { page, go, assertQuiet } = await visit(browser, address, { expected: [403] });
  await go("/login");
  await logInByToken(page, "a-token-that-may-look");
  await page.waitForURL(`http://${address}/`);
  assert.match(await text(page), /read-only/);
  await go("/instances/shop-1");
  assert.equal(await page.locator("main form[method=post]").count(), 0, "nothing to change is offered");
  const csrf = await page.locator("header input[name=csrf]").inputValue();
  for (const path of ["tasks", "offline", "schedule"]) {
    const status = await page.evaluate(([path, csrf]) => (
      fetch(`/instances/shop-1/${path}`, { method: "POST", body: new URLSearchParams({ csrf }) }).then(({ status }) => status)
    ), [path, csrf]);
    assert.equal(status, 403, path);
  }
  await rows(page).first().getByRole("link").click();
  assert.ok((await names(page)).length > 20, "it may look");
  assertQuiet();
}

async function withoutScript(browser) {
  const { page, go } = await signedIn(browser, { javaScriptEnabled: false });
  await go("/instances/shop-1");
  await page.getByRole("button", { name: "Analyze now" }).click();
  await page.waitForURL(`http://${address}/instances/shop-1`);
  assert.equal(await rows(page).count(), 2, "all is there without the script");
}

async function guessers(browser) {
  const { page, go } = await visit(browser, address, { expected: [401, 429] });
  await go("/login");
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await go("/login");
    await logInByToken(page, `guess ${attempt}`);
  }
  assert.match(await text(page), /too many failed logins/);
}

async function others(browser) {
  const { page, go, assertQuiet } = await signedIn(browser, { expected: [400] });
  await go("/instances/shop-1");
  await analyze(page, "Find expired keys", "#expired-list");
  await look(page, "an instance with an expired key scan");
  await rows(page, "#expired-list").first().getByRole("link").click();
  assert.match(await text(page), /Expired key scan[^]*Largest expired keys[^]*\d+ keys had expired when the dumps were written/);
  await look(page, "an expired key scan");
  // The dump of a server without an LFU policy.
  await go("/instances/small-1");
  await page.getByRole("button", { name: "Find hot keys" }).click();
  assert.match(await text(page), /without access counters/);
  assertQuiet();
}

await withBrowser(async (browser) => {
  for (const step of [strangers, tasks, keys, others, changes, hostile, readers, withoutScript, guessers]) {
    const started = Date.now();
    await step(browser);
    console.log(`${step.name}: ${Date.now() - started} ms`);
  }
}, { hosts: "EXCLUDE 127.0.0.1" });

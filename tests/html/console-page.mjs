// The service's pages as the scripts open them: what they ask for, say on the console or fail with.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A visitor with cookies of its own. Answers of these states are expected; others than 2xx and 3xx are not. */
export async function visit(browser, address, { expected = [], ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, acceptDownloads: true, reducedMotion: "reduce", ...options,
  });
  const page = await context.newPage();
  const said = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`http://${address}/`) && !request.url().startsWith("data:")) {
      said.push(`asked for ${request.url()}`);
    }
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !expected.includes(response.status())) {
      said.push(`${response.status()} of ${response.url()}`);
    }
  });
  page.on("console", (message) => {
    if (!/Failed to load resource/.test(message.text())) {
      said.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  const go = (path) => page.goto(`http://${address}${path}`);
  const assertQuiet = () => assert.deepEqual(said, []);
  return { page, context, go, assertQuiet };
}

export async function logInByKey(page, secret = "a secret of many letters") {
  await page.getByLabel("Access key", { exact: true }).fill("AK");
  await page.getByLabel("Secret").fill(secret);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

export async function logInByToken(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in with the token" }).click();
}

/** Starts an analysis and waits for its end, without a reload of the page. */
export async function analyze(page, button = "Analyze now", list = "#tasks-list") {
  await page.getByRole("button", { name: button }).click();
  await page.evaluate(() => { globalThis.wasNotReloaded = true; });
  await page.locator(`${list} tbody tr`).first().locator(".state.success, .state.failed").waitFor({ timeout: 120_000 });
  assert.ok(await page.evaluate(() => globalThis.wasNotReloaded), "seen without a reload");
}

/** A page is for everyone, in both themes, and does not scroll sideways. */
export async function look(page, what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [360, 1280, 2560]) {
      await page.setViewportSize({ width, height: 900 });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(sideways, 0, `${what}, ${width} pixels: the page scrolls sideways`);
    }
    await page.setViewportSize({ width: colorScheme === "light" ? 1280 : 360, height: 900 });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => (
      `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => html + failureSummary).join("\n")}`
    ));
    assert.deepEqual(found, [], `${what}, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

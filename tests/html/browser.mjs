// A browser without a network, and pages that are watched: what they ask for, say on the console or fail with.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Without a network, but for `hosts`. */
export async function withBrowser(act, { hosts = "" } = {}) {
  // The browser's caches go where nobody else's are.
  const home = mkdtempSync(join(tmpdir(), "bigkeys-html-"));
  const executablePath = process.env.BIGKEYS_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: [...FLAGS, `--host-resolver-rules=${["MAP * ~NOTFOUND", hosts].filter(Boolean).join(", ")}`], env: { ...process.env, HOME: home } });
  try {
    await act(browser);
  } finally {
    await browser.close();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Opens a file with networking refused, in a context of its own. */
export async function open(browser, file, { fragment = "", isBlank = false, settle = true, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, offline: true, acceptDownloads: true, reducedMotion: "reduce", ...options,
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  const asked = [];
  const said = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  const url = pathToFileURL(file).href;
  if (!isBlank) {
    await page.goto(url + fragment);
  }
  if (settle && !isBlank) {
    await page.waitForFunction(() => performance.getEntriesByName("drawn").length === 1);
  }
  /** Nothing but the file was asked for, and nothing was said. */
  const assertQuiet = () => {
    assert.deepEqual(asked.filter((address) => address.split("#")[0] !== url && !address.startsWith("blob:")), []);
    assert.deepEqual(said, []);
  };
  return { page, context, url, assertQuiet };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the checker of accessibility finds fault with. */
export async function faults(page) {
  // It is put in from outside, which the page's own policy does not hinder.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => (
    `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => html + failureSummary).join("\n")}`
  ));
}

/** By how many pixels a page is wider than the window. */
export const sideways = (page) => page.evaluate(() => (
  document.documentElement.scrollWidth - document.documentElement.clientWidth));

export const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

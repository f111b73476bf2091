// The pages of a service without credentials: node console-open.mjs ADDRESS
import assert from "node:assert/strict";
import { request } from "node:http";
import { withBrowser } from "./browser.mjs";
import { analyze, visit } from "./console-page.mjs";

const [address] = process.argv.slice(2);
const [host, port] = address.split(":");

/** The state of an answer to a request with these headers. */
const ask = (path, method, headers) => new Promise((resolve, reject) => {
  const asked = request({ host, port, path, method, headers }, (answer) => {
    answer.resume();
    resolve(answer.statusCode);
  });
  asked.on("error", reject);
  asked.end();
});

await withBrowser(async (browser) => {
  const { page, go, assertQuiet } = await visit(browser, address);
  await go("/login");
  assert.equal(page.url(), `http://${address}/`, "there is nothing to log in with");
  assert.equal(await page.getByRole("button", { name: "Log out" }).count(), 0);
  await go("/instances/shop-1");
  await analyze(page);
  assertQuiet();
}, { hosts: "EXCLUDE 127.0.0.1" });

// A page from elsewhere that leads a name of its own to this machine, and a form of another page.
assert.equal(await ask("/", "GET", { host: "rebound.example:80" }), 403);
assert.equal(await ask("/instances/shop-1/tasks", "POST", { host: address, origin: "http://elsewhere.example" }), 403);
assert.equal(await ask("/instances/shop-1/tasks", "POST", { host: address, "content-type": "application/x-www-form-urlencoded" }), 403);
assert.equal(await ask("/instances/shop-1", "GET", { host: `localhost:${port}` }), 200);

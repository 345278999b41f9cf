// A headless Chromium, and a server on the loopback that it looks at.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { after } from "node:test";
import { tool } from "./place.mjs";

const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

/** What a page needs to be allowed, as the README says it. */
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:; connect-src 'self'";

/** Serves folders by their first step: `/site/x` is x in `folders.site`. Gives the address. */
export async function serve(folders, headers = {}) {
  const server = createServer((request, response) => {
    const [, first, ...rest] = normalize(new URL(request.url, "http://x").pathname).split("/");
    const path = folders[first] && join(folders[first], ...rest);
    if (!path || !existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", ...headers });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${server.address().port}`;
}

export async function browser() {
  const { chromium } = tool("playwright-core");
  const started = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, chromiumSandbox: false, args: QUIET });
  after(() => started.close());
  return started;
}

/** Opens a page and waits for `window.done`; complaints of the page are errors. `watch` is given the page before it loads. */
export async function done(started, url, timeout = 30_000, watch = async () => {}) {
  const page = await started.newPage();
  await watch(page);
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  const value = await page.waitForFunction(() => window.done, undefined, { timeout }).catch((error) => {
    throw new Error(`${url}: ${error.message}; ${complaints.join("; ")}`);
  });
  const found = await value.jsonValue();
  await page.close();
  if (complaints.length > 0) throw new Error(`${url}: ${complaints.join("; ")}`);
  if (found.error) throw new Error(`${url}: ${found.error}`);
  return found;
}

// The demo page in Chromium, and everything that it should not do.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { place } from "./place.mjs";

/** The page as it is built; where pictures of it go, for people. */
export const page = join(place.package, "../demo");
const shots = join(place.package, "../shots");

/** Opens the page that `server` has. Complaints: the console's, and requests to others than `server` and `others`. */
export async function opened(chromium, server, { others = [], ...options } = {}) {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  const complaints = [];
  tab.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  tab.on("pageerror", (error) => complaints.push(error.message));
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (!["blob:", "data:"].includes(protocol) && ![server.root, ...others].includes(origin)) complaints.push(`asks ${request.url()}`);
  });
  await tab.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });
  await tab.goto(`${server.root}/browser`);
  await tab.waitForSelector("body[data-ready]");
  return { tab, context, complaints };
}

/** Watches the chart; gives how often it was drawn with something read before the result was there. */
export async function chartWatched(tab) {
  await tab.evaluate(() => {
    window.drawn = 0;
    const draw = () => {
      const isOver = document.querySelector("#results .facts") !== null;
      if (!isOver && Number.parseInt(document.querySelector(".chart td.read")?.textContent, 10) > 0) window.drawn++;
    };
    new MutationObserver(draw).observe(document.getElementById("results"), { childList: true, subtree: true, characterData: true });
  });
  return () => tab.evaluate(() => window.drawn);
}

export async function shot(tab, name) {
  mkdirSync(shots, { recursive: true });
  await tab.evaluate(() => scrollTo(0, 0));
  await tab.screenshot({ path: join(shots, `${name}.png`), fullPage: true, animations: "disabled" });
}

// The engine in a real Chromium: the cases, files in workers, saving; with the module served as it should be and not.

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser, done, POLICY, serve } from "./chromium.mjs";
import { place } from "./place.mjs";

const skip = process.env.CHROMIUM ? false : "no Chromium";
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folders = { package: place.package, test: here("."), site: here("site"), cases: dirname(process.env.CASES ?? "") };

test("the engine in Chromium, under a strict policy", { skip }, async () => {
  const url = await serve(folders, { "content-security-policy": POLICY });
  const { cases } = await done(await browser(), `${url}/site/engine.html`, 60_000);
  assert.ok(cases > 400, `${cases} cases`);
});

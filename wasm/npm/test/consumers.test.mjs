// The packed tarball, installed into an empty folder, in every place that it is made for.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { browser, done, POLICY, serve } from "./chromium.mjs";
import { folder, place, run } from "./place.mjs";

const project = join(folder(), "project");
const bin = (name) => join(place.tools, "node_modules", name);
const node = (...args) => run(process.execPath, args, { cwd: project });
let tarball;
const USED = "ids 1,3, files 3, kept 2";

before(() => {
  mkdirSync(project);
  const [{ filename, files }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", dirname(project)], { cwd: place.package }));
  tarball = { path: join(dirname(project), filename), files: files.map(({ path }) => path) };
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball.path], { cwd: project });
  cpSync(fileURLToPath(new URL("consumers/", import.meta.url)), project, { recursive: true });
});

test("the tarball holds what it should, and no paths of the machine that built it", () => {
  for (const file of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "dist/index.js", "dist/node.js", "dist/cjs/node.js", "dist/worker.js", "dist/fhirehose.wasm", "dist/r5.table"]) {
    assert.ok(tarball.files.includes(file), file);
  }
  assert.ok(!tarball.files.some((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file)), "sources");
  const root = readFileSync(new URL("../../../Cargo.toml", import.meta.url), "utf8");
  const { version } = JSON.parse(readFileSync(join(project, "node_modules/fhirehose/package.json"), "utf8"));
  assert.equal(version, /^version = "(.*)"$/m.exec(root)[1], "the version is not that of the workspace");
  const home = process.env.HOME;
  const here = fileURLToPath(new URL("../../../", import.meta.url));
  for (const file of tarball.files) {
    const text = readFileSync(join(project, "node_modules/fhirehose", file), "latin1");
    for (const path of [here, home === "/" ? here : `${home}/`, "/.cargo/registry"]) assert.ok(!text.includes(path), `${file} names ${path}`);
  }
});

test("Node, as a module and as CommonJS", () => {
  assert.equal(node("esm.mjs").trim(), USED);
  assert.equal(node("cjs.cjs").trim(), "ids 1, files 2, kept 1, inline main");
});

test("TypeScript, strict, as bundlers and as Node see it", () => {
  const strict = ["--strict", "--noEmit", "--exactOptionalPropertyTypes", "--target", "es2022"];
  const lib = ["--lib", "es2022,dom,dom.iterable,dom.asynciterable,esnext.disposable"];
  const tsc = (compiler, ...args) => node(join(bin(compiler), "bin/tsc"), ...strict, ...lib, ...args);
  tsc("typescript", "--module", "esnext", "--moduleResolution", "bundler", "use.ts");
  // The old compiler is slow: once, for what is most likely to break.
  for (const compiler of ["typescript", "typescript-5"]) tsc(compiler, "--module", "nodenext", "--moduleResolution", "nodenext", "use.ts", "use.cts");
});

test("publint and arethetypeswrong find nothing", async () => {
  const { publint } = await import(pathToFileURL(join(bin("publint"), "src/index-node.js")));
  const { messages } = await publint({ pkgDir: join(project, "node_modules/fhirehose"), strict: true });
  assert.deepEqual(messages, []);
  const { checkPackage, createPackageFromTarballData } = await import(pathToFileURL(join(bin("@arethetypeswrong/core"), "dist/index.js")));
  // Files that are no scripts have no types.
  const excludeEntrypoints = [/\.wasm$/, /\.table$/, /package\.json$/];
  const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(tarball.path)), { excludeEntrypoints });
  assert.deepEqual(problems, []);
});

test("Chromium: no bundler, Vite, webpack, esbuild; on the page, in a worker, and under a strict policy", { skip: process.env.CHROMIUM ? false : "no Chromium" }, async () => {
  // The bundlers stand where their own packages are.
  for (const name of ["vite", "webpack", "esbuild"]) if (!existsSync(join(project, "node_modules", name))) symlinkSync(bin(name), join(project, "node_modules", name));
  const vite = await import(pathToFileURL(join(bin("vite"), "dist/node/index.js")));
  await vite.build({ root: project, configFile: false, logLevel: "warn", base: "./", build: { outDir: "dist-vite", target: "es2022", modulePreload: { polyfill: false } } });
  const { default: webpack } = await import(pathToFileURL(join(bin("webpack"), "lib/index.js")));
  const config = (await import(pathToFileURL(join(project, "webpack.config.cjs")))).default;
  await new Promise((resolve, reject) => webpack(config, (error, stats) => (error || stats.hasErrors() ? reject(error ?? new Error(stats.toString())) : resolve())));
  const esbuild = (await import(pathToFileURL(join(bin("esbuild"), "lib/main.js")))).default;
  const bundle = { absWorkingDir: project, bundle: true, format: "esm", target: "es2022", loader: { ".wasm": "file" }, logLevel: "error" };
  await esbuild.build({ ...bundle, entryPoints: ["esbuild-page.js"], outfile: "dist-esbuild/page.js" });
  await esbuild.build({ ...bundle, entryPoints: ["inline-page.js"], outfile: "dist-inline/page.js" });
  const html = readFileSync(join(project, "index.html"), "utf8");
  for (const name of ["webpack", "esbuild", "inline"]) writeFileSync(join(project, `dist-${name}/index.html`), html);
  // Without a bundler addresses take the place of names; what a page of one's own would say in an import map.
  mkdirSync(join(project, "plain"));
  for (const name of ["app.js", "page.js", "own-worker.js"]) {
    writeFileSync(join(project, "plain", name), readFileSync(join(project, name), "utf8").replace('from "fhirehose"', 'from "/package/dist/index.js"'));
  }
  writeFileSync(join(project, "plain/index.html"), html);
  const started = await browser();
  const folders = { package: join(project, "node_modules/fhirehose"), plain: join(project, "plain") };
  for (const name of ["vite", "webpack", "esbuild", "inline"]) folders[name] = join(project, `dist-${name}`);
  for (const headers of [{}, { "content-security-policy": POLICY }]) {
    const url = await serve(folders, headers);
    for (const name of ["plain", "vite", "webpack"]) assert.deepEqual(await done(started, `${url}/${name}/index.html`), { page: USED, worker: USED }, name);
    assert.deepEqual(await done(started, `${url}/esbuild/index.html`), { page: USED });
    assert.deepEqual(await done(started, `${url}/inline/index.html`), { page: "ids 2" });
  }
});

// Where the tests find things; scripts/wasm says so.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

const { PACKAGE, TOOLS, CASES, FHIREHOSE, FHIREHOSE_DATA } = process.env;

/** The package as it will be packed, npm packages for tests, the binary, and real data if there is some. */
export const place = { package: PACKAGE, tools: TOOLS, binary: FHIREHOSE, data: FHIREHOSE_DATA };

export const cases = () => readFileSync(CASES, "utf8").trim().split("\n").map((line) => JSON.parse(line));

/** A package out of the tools. */
export const tool = (name) => createRequire(join(TOOLS, "x"))(name);

/** A folder that is gone after the tests. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), "fhirehose-npm-"));
  after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Runs a program that has to succeed, and gives what it says. */
export function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (error) throw error;
  if (status !== (options.status ?? 0)) throw new Error(`${program} ${args.join(" ")}: ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** All files below a folder by their names with `/`, as texts of bytes. */
export function filesIn(path, prefix = "") {
  return Object.fromEntries(
    readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory()
        ? Object.entries(filesIn(join(path, entry.name), `${prefix}${entry.name}/`))
        : [[prefix + entry.name, readFileSync(join(path, entry.name)).toString("latin1")]],
    ),
  );
}

// A server as a user starts it, on a port of its own; gone after the tests.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { place } from "./place.mjs";

/** Starts `fhirehose serve` with these arguments; where it is. */
export async function served(args) {
  const child = spawn(place.binary, ["serve", "--listen", "127.0.0.1:0", "--no-watch", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  after(() => child.kill());
  const said = [];
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${said.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const [, root, base] = /^listening on (\S+) \(FHIR base (\S+)\)/.exec(line) ?? [];
      if (root) resolve({ root, base });
    });
  });
}

// `fhirehose serve` as a user starts it, and the fault proxy, on ports of their own.

import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { place } from "./place.mjs";

/** Starts a program that ends with the tests, and gives its lines as they come. */
function started(program, args, stream, options = {}) {
  const child = spawn(program, args, { stdio: ["pipe", stream === "stdout" ? "pipe" : "ignore", stream === "stderr" ? "pipe" : "inherit"], ...options });
  after(() => child.kill());
  const lines = createInterface({ input: child[stream] })[Symbol.asyncIterator]();
  return { child, lines };
}

/** A server over a folder; `args` as in `fhirehose serve`. Gives its root and its FHIR base. */
export async function serve(data, args, cwd) {
  const all = ["serve", "--listen", "127.0.0.1:0", "--no-watch", "--data", data, ...args];
  const { child, lines } = started(place.binary, all, "stderr", { cwd });
  const said = [];
  for (;;) {
    const { done, value } = await lines.next();
    if (done) throw new Error(`the server does not start: ${said.join("\n")}`);
    said.push(value);
    const found = /^listening on (\S+) \(FHIR base (\S+)\)$/.exec(value);
    if (found) {
      // What it says from now on is read, so that it does not wait for us.
      child.stderr.resume();
      return { child, root: found[1], base: found[2] };
    }
  }
}

/** The proxy that breaks things; `ask` tells it something, and gives how far things have gone. */
export async function faultProxy() {
  const program = join(dirname(place.binary), "examples/fault_proxy");
  const { child, lines } = started(program, [], "stdout");
  const next = async () => JSON.parse((await lines.next()).value);
  const { origin, other } = await next();
  const ask = async (line) => {
    child.stdin.write(`${line}\n`);
    return next();
  };
  return { origin, other, ask };
}

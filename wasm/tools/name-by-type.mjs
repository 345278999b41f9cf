// Names the functions of a module by their type and then their size: node name-by-type.mjs IN.wasm OUT.wasm
//
// wasm-opt can put functions in the order of their names, and in this one the packed module is a hundredth smaller.
import { readFileSync, writeFileSync } from "node:fs";

const [from, to] = process.argv.slice(2);
const module = readFileSync(from);
let at = 8;

const IMPORTS = 2;
const FUNCTIONS = 3;
const CODE = 10;
const CUSTOM = 0;

/** The next number, in seven bits a byte. */
function number() {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = module[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}

function skipText() {
  const length = number();
  at += length;
}

/** How many functions the import section brings; ours brings nothing else. */
function importedFunctions() {
  const count = number();
  for (let left = count; left > 0; left--) {
    skipText();
    skipText();
    if (module[at++] !== 0) throw new Error("an import that is no function");
    number();
  }
  return count;
}

let imported = 0;
let types = [];
let sizes = [];
const kept = [module.subarray(0, at)];
while (at < module.length) {
  const start = at;
  const section = module[at++];
  const length = number();
  const end = at + length;
  if (section === IMPORTS) imported = importedFunctions();
  if (section === FUNCTIONS) types = Array.from({ length: number() }, number);
  if (section === CODE) {
    sizes = Array.from({ length: number() }, () => {
      const size = number();
      at += size;
      return size;
    });
  }
  let isNames = false;
  if (section === CUSTOM) {
    const nameLength = number();
    isNames = module.toString("latin1", at, at + nameLength) === "name";
  }
  if (!isNames) kept.push(module.subarray(start, end));
  at = end;
}

function bytesOf(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

const withLength = (bytes) => Buffer.concat([bytesOf(bytes.length), bytes]);
const digits = (value) => String(value).padStart(8, "0");
const names = types.map((type, index) => {
  const name = Buffer.from(`${digits(type)} ${digits(sizes[index])} ${digits(index)}`);
  return Buffer.concat([bytesOf(imported + index), withLength(name)]);
});
const functionNames = Buffer.concat([Buffer.from([1]), withLength(Buffer.concat([bytesOf(names.length), ...names]))]);
const section = Buffer.concat([withLength(Buffer.from("name")), functionNames]);
writeFileSync(to, Buffer.concat([...kept, Buffer.from([CUSTOM]), withLength(section)]));

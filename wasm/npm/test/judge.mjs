// The engine's cases through the package, in whatever place it runs: what comes out has to be what the core answers.

const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Bytes as text of which each character is one byte. */
export function textOf(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Pushes an input through a plan in chunks of a size; files by name, and the report. */
export function pushed(api, plan, input, size, name = "case") {
  const run = new api.Export(plan);
  const files = {};
  const take = (chunks) => {
    for (const { file, bytes } of chunks) files[file] = (files[file] ?? "") + textOf(bytes);
  };
  try {
    take(run.beginInput(name));
    for (let at = 0; at < input.length; at += size) take(run.push(input.subarray(at, at + size)));
    const { chunks, report } = run.finish();
    take(chunks);
    return { files, report };
  } finally {
    run.free();
  }
}

/** What the package answers to a case, in the form of the core's answer. */
function answer(api, { request, input }, size) {
  let plan;
  try {
    plan = api.compile(request);
    const { files, report } = pushed(api, plan, bytesOf(input), size);
    return { files, bad: report.bad.places.map(({ line, code }) => [line, code]), kept: report.kept, lines: report.lines };
  } catch (error) {
    if (!(error instanceof api.FhirehoseError)) throw error;
    if (error.code === "request") return { problems: error.problems.map(({ text, start, end, message }) => [text.slice(start, end), message]) };
    return { stops: error.message };
  } finally {
    plan?.free();
  }
}

const sorted = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
    : value;

/** The names of cases in which the package and the core differ, with both answers. */
export function differing(api, cases, sizes) {
  const wrong = [];
  for (const one of cases) {
    for (const size of sizes) {
      const [got, expected] = [answer(api, one, size), one.answer].map((value) => JSON.stringify(sorted(value)));
      if (got !== expected) wrong.push(`${one.name}, chunks of ${size}\n  got      ${got}\n  expected ${expected}`);
    }
  }
  return wrong;
}

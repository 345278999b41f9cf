// What is in a ZIP file, read by somebody else's program.

import { run } from "./place.mjs";

const SCRIPT = `import sys,io,zipfile,json
z=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert z.testzip() is None
print(json.dumps({n:z.read(n).decode('latin1') for n in z.namelist()}))`;

/** Its files by their names, as texts of bytes. */
export const unzipped = (bytes) => JSON.parse(run("python3", ["-c", SCRIPT], { input: bytes }));

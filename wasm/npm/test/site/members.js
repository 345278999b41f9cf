// Gzip files in a browser, whose own streams take one member.

import { gunzipped } from "/package/dist/gunzip.js";
import { files, lie, unlike } from "/test/members.mjs";

try {
  const all = [...(await files()), lie()];
  const wrong = await unlike(gunzipped, all);
  window.done = wrong.length > 0 ? { error: wrong.slice(0, 5).join("\n") } : { count: all.length };
} catch (error) {
  window.done = { error: error.stack };
}

// Laboratory results since 2015 (T3 of benches/compare) in plain JavaScript, as fast as it could be made: bytes in, bytes of
// the kept lines out. Two ways; the second looks at the text before it parses.

const START = Date.parse("2015-01-01T00:00:00Z");

/** The end of what a date or instant may mean; enough for dates as Synthea writes them. */
function reaches(text) {
  if (typeof text !== "string") return false;
  if (text.length >= 20) return Date.parse(text) >= START;
  return text.slice(0, 4) >= "2015";
}

function wanted(resource) {
  if (resource.resourceType !== "Observation") return false;
  const is = ({ coding }) => coding?.some(({ code }) => code === "laboratory");
  if (!resource.category?.some(is)) return false;
  const { effectiveDateTime, effectiveInstant, effectivePeriod } = resource;
  if (effectivePeriod) return effectivePeriod.end === undefined || reaches(effectivePeriod.end);
  return reaches(effectiveDateTime ?? effectiveInstant);
}

/** A filter of chunks. `looks`: lines without the code in quotes are not parsed. */
export function plain(looks) {
  // Latin 1 is the quickest to decode, and each character is a byte: the kept lines are sent on as bytes of the chunk.
  const decoder = new TextDecoder("latin1");
  const utf8 = new TextDecoder();
  const isAscii = (text) => !/[\x80-\xff]/.test(text);
  let rest = new Uint8Array();
  let kept = 0;
  const line = (bytes, text, from, to, out) => {
    if (to === from) return;
    const piece = text.slice(from, to);
    if (looks && !piece.includes('"laboratory"')) return;
    const resource = JSON.parse(isAscii(piece) ? piece : utf8.decode(bytes.subarray(from, to)));
    if (!wanted(resource)) return;
    kept += 1;
    out.push(bytes.slice(from, to + 1));
  };
  return {
    push(chunk) {
      let bytes = chunk;
      if (rest.length > 0) {
        bytes = new Uint8Array(rest.length + chunk.length);
        bytes.set(rest);
        bytes.set(chunk, rest.length);
      }
      const out = [];
      const text = decoder.decode(bytes);
      let from = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        line(bytes, text, from, end, out);
        from = end + 1;
      }
      rest = bytes.slice(from);
      return out;
    },
    finish() {
      const out = [];
      line(rest, decoder.decode(rest), 0, rest.length, out);
      return { kept, out };
    },
  };
}


// Resources as parsed objects.

import type { Exportable } from "./save.js";
import { each } from "./stream.js";

/**
 * The kept resources of an export, parsed, one after the other. For small results: large ones are better saved, or sent on as
 * bytes.
 */
export async function* resources(chunks: Exportable): AsyncGenerator<Record<string, unknown>> {
  if (!("files" in chunks)) {
    const decoder = new TextDecoder();
    for await (const { kind, bytes } of each(chunks)) if (kind === "output") yield* parsed(decoder.decode(bytes));
    return;
  }
  for (const { kind, blob } of chunks.files) {
    if (kind !== "output") continue;
    let rest = "";
    for await (const text of each(blob.stream().pipeThrough(new TextDecoderStream()))) {
      const end = text.lastIndexOf("\n") + 1;
      if (end > 0) yield* parsed(rest + text.slice(0, end));
      rest = end > 0 ? text.slice(end) : rest + text;
    }
  }
}

function* parsed(lines: string): Generator<Record<string, unknown>> {
  for (const line of lines.split("\n")) if (line !== "") yield JSON.parse(line) as Record<string, unknown>;
}

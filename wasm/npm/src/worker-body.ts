// What a worker does, on any platform.

import { FhirehoseError, type Code, type Problem } from "./errors.js";
import type { TypeCount } from "./export.js";
import { perform, type Input, type Outcome, type TOGETHER } from "./job.js";
import { initSync, takeTables, type FhirVersion } from "./module.js";
import { compileText, type Plan } from "./plan.js";

export type ToWorker =
  | { kind: "begin"; module: WebAssembly.Module; tables: [FhirVersion, Uint8Array][]; request: string }
  | { kind: "job"; inputs: Input[]; isWhole: boolean };

export type FromWorker =
  | { kind: "progress"; bytes: number; types: readonly TypeCount[] | undefined }
  | { kind: "done"; outcome: Outcome | typeof TOGETHER }
  | { kind: "failed"; code: Code | undefined; message: string; problems: readonly Problem[] };

/** Takes one message after the other; the first one begins. */
export function worker(post: (message: FromWorker) => void): (message: ToWorker) => Promise<void> {
  let plan: Plan | undefined;
  return async (message) => {
    try {
      if (message.kind === "begin") {
        initSync(message.module);
        for (const [version, bytes] of message.tables) takeTables(version, bytes);
        plan = compileText(message.request);
        return;
      }
      const progress = (bytes: number, types?: readonly TypeCount[]): void => post({ kind: "progress", bytes, types });
      const outcome = await perform(plan as Plan, message.inputs, { isWhole: message.isWhole, progress, check: () => {} });
      post({ kind: "done", outcome });
    } catch (error) {
      const ours = error instanceof FhirehoseError ? error : undefined;
      const text = error instanceof Error ? error.message : String(error);
      post({ kind: "failed", code: ours?.code, message: text, problems: ours?.problems ?? [] });
    }
  };
}

// The manifest of an export, in the form of the Bulk Data guide; written by the module, as the binary writes it.

import { fromModule } from "./errors.js";
import type { Report } from "./export.js";
import { loaded } from "./module.js";
import { compiledOf, type Plan } from "./plan.js";

/** What writes manifests for a plan, and lives on when the plan is freed. */
export interface Writer {
  text(report: Report): string;
  free(): void;
}

export function manifestOf(plan: Plan): Writer {
  const { Manifest } = loaded();
  const writer = new Manifest(compiledOf(plan));
  let isFree = false;
  return {
    text(report) {
      try {
        return writer.text(JSON.stringify(report));
      } catch (thrown) {
        throw fromModule(thrown);
      }
    },
    free() {
      if (!isFree) writer.free();
      isFree = true;
    },
  };
}


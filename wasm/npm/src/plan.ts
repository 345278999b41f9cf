/// <reference lib="esnext.disposable" preserve="true" />
// Requests and plans.

import type { Plan as Compiled } from "./glue.js";
import { FhirehoseError, fromModule, wrongArgument } from "./errors.js";
import { loaded, type FhirVersion } from "./module.js";

/** A FHIR resource, or a text that holds some: one resource, a Bundle, an array or NDJSON. */
export type Definitions = string | object;

/** What is wanted. The names are those of the Bulk Data guide, without underscores. An unknown option is an error. */
export interface ExportRequest {
  /** Resource types, one by one or as comma lists. Without it: every type. */
  type?: string | readonly string[];
  /** Search queries, `Observation?category=laboratory&date=ge2020`. Of a type that has some, a resource has to match one. */
  typeFilter?: string | readonly string[];
  /** Only what was changed after this instant. */
  since?: string | Date;
  /** Only what was changed before this instant. */
  until?: string | Date;
  /** The instant of the snapshot: nothing changed after it is exported. Without it: now, and no bound. */
  transactionTime?: string | Date;
  /** Root elements to keep, `id`, `Patient.name`; mandatory ones always stay. */
  elements?: string | readonly string[];
  /** Ids of the patients whose records are exported. */
  patients?: string | Iterable<string>;
  /** Id of a Group in the files: its members' records are exported; with `patients`: those of them, who have to be members. For `filterFiles`. */
  group?: string;
  /** With `patients` or `group`: leave out what belongs to somebody else too. */
  exclusive?: boolean;
  /** `LatestProvenanceResources`, `RelevantProvenanceResources`. */
  includeAssociatedData?: string | readonly string[];
  /** The FHIR base of the data's own server, for absolute references. */
  fhirBase?: string;
  /** Version of FHIR; `4.3` and `5.0` want `await loadTables(…)` before. Default: `4.0`, with US Core's parameters. */
  fhirVersion?: FhirVersion;
  /** SearchParameter resources of your own. */
  searchParameters?: Definitions | readonly Definitions[];
  /** ValueSet resources for `:in` and `:not-in`. */
  valueSets?: Definitions | readonly Definitions[];
  /** Do not check the rest of a line once it is known that it is kept. */
  trust?: boolean;
  /** Longest line in bytes. Default: 64 MiB. */
  maxLine?: number;
  /** What to do at a bad line: leave it out and tell (default), or end the export. */
  onBad?: "skip" | "stop";
  /** Most resources of a file. */
  maxResources?: number;
  /** Most bytes of a file. */
  maxBytes?: number;
}

const symbolDispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
export { symbolDispose as dispose };

/** The module's own plan. @internal */
export let compiledOf: (plan: Plan) => Compiled;
/** The request as it was compiled, for a worker. @internal */
export let requestOf: (plan: Plan) => string;
let made: (compiled: Compiled, request: string) => Plan;

/** A compiled request, for any number of exports. */
export class Plan {
  #compiled: Compiled | undefined;
  #request: string;
  /** Passes over the input, the first one `main`, or `cohort`, which finds the members of a group; a stream can give one. */
  readonly passes: readonly string[];
  /** Whether files have a limit, so that there may be several of a type. */
  readonly rollsOver: boolean;

  private constructor(compiled: Compiled, request: string) {
    const facts = JSON.parse(compiled.facts()) as { passes: string[]; rollsOver: boolean };
    this.#compiled = compiled;
    this.#request = request;
    this.passes = facts.passes;
    this.rollsOver = facts.rollsOver;
  }

  /** What the plan reads and tests, for people; with `"json"` as an object, for programs. */
  explain(): string;
  explain(form: "text"): string;
  explain(form: "json"): unknown;
  explain(form: "text" | "json" = "text"): unknown {
    const compiled = compiledOf(this);
    return form === "json" ? JSON.parse(compiled.explainJson()) : compiled.explain();
  }

  /** Gives back the memory. Exports that run already are not disturbed. */
  free(): void {
    this.#compiled?.free();
    this.#compiled = undefined;
  }

  [symbolDispose](): void {
    this.free();
  }

  static {
    made = (compiled, request) => new Plan(compiled, request);
    compiledOf = (plan) => {
      if (plan.#compiled === undefined) throw new FhirehoseError("freed", "the plan has been freed");
      return plan.#compiled;
    };
    requestOf = (plan) => (compiledOf(plan), plan.#request);
  }
}

/** Compiles a request. Everything that is wrong with it is told at once, in `problems` of the error. */
export function compile(request: ExportRequest = {}): Plan {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    throw wrongArgument("compile takes an object");
  }
  return compileText(JSON.stringify({ now: new Date(), ...request, ...spelled(request) }));
}

/** Compiles a request that is JSON already. @internal */
export function compileText(text: string): Plan {
  const { Plan: Module } = loaded();
  try {
    return made(Module.compile(text), text);
  } catch (thrown) {
    throw fromModule(thrown);
  }
}

/** What JSON would not spell as the module wants it. Dates spell themselves. @internal */
export function spelled(request: ExportRequest): Record<string, unknown> {
  const texts = (given: unknown): unknown => {
    if (given === undefined || typeof given === "string") return given;
    const many = Array.isArray(given) ? given : [given];
    return many.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  };
  const { patients, searchParameters, valueSets } = request;
  const isMany = typeof patients === "object" && patients !== null && Symbol.iterator in patients;
  return {
    patients: isMany ? [...patients] : patients,
    searchParameters: texts(searchParameters),
    valueSets: texts(valueSets),
  };
}

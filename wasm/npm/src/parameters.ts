// What can be asked of a type: for forms that complete what somebody writes.

import { fromModule } from "./errors.js";
import { loaded, type FhirVersion } from "./module.js";

/** A search parameter of a type, as filters take it. */
export interface SearchParameter {
  /** Its name in a filter. */
  readonly code: string;
  readonly type: "number" | "date" | "string" | "token" | "reference" | "composite" | "quantity" | "uri" | "special";
  /** The modifiers that it takes, without colons; `[Type]` stands for the names of `targets`. */
  readonly modifiers: readonly string[];
  /** Whether values take the prefixes of {@link PREFIXES}. */
  readonly prefixes: boolean;
  /** The paths that are read. */
  readonly paths: readonly string[];
  /** The types that a reference may point to; empty: any. */
  readonly targets: readonly string[];
  /** Why no filter can use it; null: filters can. */
  readonly refused: string | null;
}

/** What may stand before a number, a date or a quantity. */
export const PREFIXES: readonly string[] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/** The names of all types of a version of FHIR. */
export function resourceTypes(version: FhirVersion = "4.0"): string[] {
  const { resourceTypes: types } = loaded();
  try {
    return JSON.parse(types(version)) as string[];
  } catch (thrown) {
    throw fromModule(thrown);
  }
}

/** The search parameters of a type, sorted by name; none for a type that there is not. */
export function searchParameters(type: string, version: FhirVersion = "4.0"): SearchParameter[] {
  const { searchParameters: parameters } = loaded();
  try {
    return (JSON.parse(parameters(version, String(type))) as { params: SearchParameter[] }).params;
  } catch (thrown) {
    throw fromModule(thrown);
  }
}

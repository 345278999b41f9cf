// What the engine knows of types and parameters, for completions: asked once a type.

import { loadTables, PREFIXES, resourceTypes, searchParameters } from "./fhirehose/index.js";

/** The tables of a version of FHIR. */
class Tables {
  #version = "4.0";
  #types;
  #parameters = new Map();
  prefixes = PREFIXES;

  /** Changes the version; waits for its tables. */
  async use(version) {
    await loadTables(version);
    this.#version = version;
    this.#types = undefined;
    this.#parameters.clear();
  }

  get version() {
    return this.#version;
  }

  types() {
    return (this.#types ??= resourceTypes(this.#version));
  }

  parameters(type) {
    if (!this.#parameters.has(type)) this.#parameters.set(type, searchParameters(type, this.#version));
    return this.#parameters.get(type);
  }
}

export const tables = new Tables();

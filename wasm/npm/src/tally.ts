// Counts per type of several jobs, added up as they stand.

import type { TypeCount } from "./export.js";

/** Time between two looks at the counts of one job, in milliseconds. */
const COUNTED_EVERY = 200;

/** Says when it is time to look at the counts of a job again: the first time at once. */
export function isDue(): () => boolean {
  let last = -Infinity;
  return () => {
    const now = performance.now();
    if (now - last < COUNTED_EVERY) return false;
    last = now;
    return true;
  };
}

/** The newest counts of each job, and their sum. */
export class Tally {
  #jobs = new Map<number, readonly TypeCount[]>();
  #sums = new Map<string, TypeCount>();

  /** What a job has counted by now, in place of what it had before. */
  set(job: number, types: readonly TypeCount[]): void {
    this.#add(this.#jobs.get(job) ?? [], -1);
    this.#add(types, 1);
    this.#jobs.set(job, types);
  }

  /** The job begins anew. */
  remove(job: number): void {
    this.set(job, []);
  }

  /** All types that were met, by name. */
  types(): TypeCount[] {
    const met = [...this.#sums.values()].filter(({ read, kept }) => read > 0 || kept > 0);
    return met.sort((one, other) => (one.type < other.type ? -1 : 1));
  }

  #add(types: readonly TypeCount[], sign: 1 | -1): void {
    for (const { type, read, kept, keptBytes } of types) {
      const sum = this.#sums.get(type) ?? { type, read: 0, kept: 0, keptBytes: 0 };
      // What was given out stays as it was.
      this.#sums.set(type, { type, read: sum.read + sign * read, kept: sum.kept + sign * kept, keptBytes: sum.keptBytes + sign * keptBytes });
    }
  }
}

// Reports of several inputs, put together.

import type { Report } from "./export.js";

/** Most places of bad lines in a report. */
const MOST_PLACES = 20;
/** Kinds of bad lines, in the order of reports. */
const BAD = ["syntax", "utf8", "trailing", "not-an-object", "no-resource-type", "unknown-type", "duplicate-name", "too-long", "deletions"];
const KINDS = ["output", "deleted", "error"];

/** Reports of some inputs each, as one. */
export function merged(reports: readonly Report[]): Report {
  const sum = (of: (report: Report) => number): number => reports.reduce((all, report) => all + of(report), 0);
  return {
    inputs: sum((report) => report.inputs),
    bytes: sum((report) => report.bytes),
    lines: sum((report) => report.lines),
    read: sum((report) => report.read),
    kept: sum((report) => report.kept),
    keptBytes: sum((report) => report.keptBytes),
    types: summed(reports.flatMap(({ types }) => types), ({ type }) => type, ["read", "kept", "keptBytes"]).sort(by(({ type }) => type)),
    files: summed(reports.flatMap(({ files }) => files), ({ path }) => path, ["count", "bytes"]).sort(
      (one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind) || by<typeof one>(({ type }) => type)(one, other),
    ),
    bad: {
      total: sum(({ bad }) => bad.total),
      kinds: summed(reports.flatMap(({ bad }) => bad.kinds), ({ code }) => code, ["count"]).sort((one, other) => BAD.indexOf(one.code) - BAD.indexOf(other.code)),
      places: reports.flatMap(({ bad }) => bad.places).slice(0, MOST_PLACES),
    },
    unknownPatients: 0,
    deletions: { listed: 0, withheld: 0 },
  };
}

function by<T>(key: (item: T) => string): (one: T, other: T) => number {
  return (one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0);
}

/** Items of one key as one, these numbers added up. */
function summed<T extends object>(items: readonly T[], key: (item: T) => string, numbers: readonly (keyof T)[]): T[] {
  const found = new Map<string, T>();
  for (const item of items) {
    const known = found.get(key(item));
    if (known === undefined) found.set(key(item), { ...item });
    else for (const name of numbers) (known[name] as number) += item[name] as number;
  }
  return [...found.values()];
}

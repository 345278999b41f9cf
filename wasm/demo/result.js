// What came of it: counts, kinds, bad lines by their places, files. Nothing of a record comes into the page.

import { byId, h, write } from "./dom.js";
import { bytes, count, things, took } from "./format.js";
import { fileName, saving } from "./save.js";

/** Addresses of Blobs live until the next result. */
let addresses = [];

export function clearResult() {
  for (const address of addresses) URL.revokeObjectURL(address);
  addresses = [];
  byId("results").replaceChildren();
  byId("results").hidden = true;
  byId("no-result").hidden = false;
  write(byId("result-hint"), "");
}

export function showResult(exported, milliseconds) {
  clearResult();
  const { report, warnings = [], transactionTime } = exported;
  byId("no-result").hidden = true;
  byId("results").hidden = false;
  // Of a server's export most of the time is the server's.
  const more = transactionTime ? `as of ${transactionTime}` : `${bytes(report.bytes / (milliseconds / 1000))}/s of lines`;
  write(byId("result-hint"), `${took(milliseconds)}, ${more}`);
  byId("results").replaceChildren(...[facts(report), saving(exported), notes(warnings), types(report.types), badLines(report.bad), files(exported)].filter(Boolean));
}

function facts({ kept, read, keptBytes, bad }) {
  const fact = (name, value, isBad = false) => h("div", {}, h("dt", { text: name }), h("dd", { text: value, class: isBad ? "bad" : "" }));
  return h("dl", { class: "facts" }, fact("kept", count(kept)), fact("read", count(read)), fact("in files", bytes(keptBytes)), fact("bad lines", count(bad.total), bad.total > 0));
}

/** What the client has to say of the server. */
function notes(warnings) {
  return warnings.length === 0 ? null : h("ul", { class: "card notes", "aria-label": "Warnings" }, ...warnings.map((text) => h("li", { text })));
}

/** Tables whose bars are the same numbers again; what nothing was kept of stands folded. */
function types(list) {
  if (list.length === 0) return h("p", { class: "empty", text: "No line was a resource." });
  const most = Math.max(...list.map(({ read }) => read), 1);
  const sorted = [...list].sort((one, other) => other.kept - one.kept || other.read - one.read || (one.type < other.type ? -1 : 1));
  const some = sorted.filter(({ kept }) => kept > 0);
  const none = sorted.filter(({ kept }) => kept === 0);
  const title = h("h3", { id: "types-title", text: "Types" });
  const folded = none.length === 0 ? null
    : h("details", { open: some.length === 0 }, h("summary", { id: "none-title", text: `${things(none.length, "type")} of which nothing is kept` }), typeTable(none, most, "none-title"));
  return h("div", { class: "card chart" }, title, some.length > 0 ? typeTable(some, most, "types-title") : null, folded);
}

function typeTable(list, most, title) {
  const row = ({ type, read, kept }) => {
    const bar = h("span", { class: kept > 0 ? "bar" : "bar none" });
    const whole = h("span", { class: "track-bar" }, bar);
    whole.style.setProperty("--whole", read / most);
    bar.style.setProperty("--part", read > 0 ? kept / read : 0);
    return h("tr", {},
      h("th", { scope: "row", class: "type", text: type }), h("td", { class: "bars", "aria-hidden": "true" }, whole),
      h("td", { class: "kept number", text: count(kept) }), h("td", { class: "read number soft", text: count(read) }));
  };
  const head = h("tr", {}, h("th", { scope: "col", text: "Type" }), h("td", { class: "bars" }), ...["kept", "read"].map((name) => h("th", { scope: "col", class: `${name} number`, text: name })));
  return h("table", { "aria-labelledby": title }, h("thead", {}, head), h("tbody", {}, ...list.map(row)));
}

function badLines({ total, kinds, places }) {
  if (total === 0) return null;
  const told = kinds.map(({ code, count: number }) => `${code} ${count(number)}`).join(", ");
  const row = ({ input, line, column, code }) =>
    h("tr", {}, h("th", { scope: "row", class: "mono", text: input }), h("td", { class: "number", text: count(line) }), h("td", { class: "number", text: count(column) }), h("td", { text: code }));
  const head = h("tr", {}, h("th", { scope: "col", text: "File" }), ...["Line", "Column"].map((text) => h("th", { scope: "col", class: "number", text })), h("th", { scope: "col", text: "What" }));
  const most = total > places.length ? h("p", { class: "slot", text: `The first ${places.length} of ${count(total)}.` }) : null;
  return h("div", { class: "card bad-lines" }, h("div", { class: "bar-head" }, h("h3", { id: "bad-title", text: things(total, "bad line") }), h("span", { class: "soft", text: told })),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "bad-title" }, h("table", { "aria-labelledby": "bad-title" }, h("thead", {}, head), h("tbody", {}, ...places.map(row)))), most);
}

function files({ files: all, report, manifest }) {
  const counts = new Map(report.files.map(({ path, count: number }) => [path, number]));
  const link = (blob, name, text) => {
    const address = URL.createObjectURL(blob);
    addresses.push(address);
    return h("a", { href: address, download: name, text });
  };
  const row = (name, blob, number) => h("tr", {}, h("th", { scope: "row" }, link(blob, fileName(name), name)), h("td", { class: "number", text: number }), h("td", { class: "number", text: bytes(blob.size) }));
  const rows = all.map(({ file, blob }) => row(file, blob, counts.has(file) ? count(counts.get(file)) : ""));
  const last = row("manifest.json", new Blob([manifest], { type: "application/json" }), "");
  const head = h("tr", {}, h("th", { scope: "col", text: "File" }), h("th", { scope: "col", class: "number", text: "lines" }), h("th", { scope: "col", class: "number", text: "size" }));
  return h("div", { class: "card files" }, h("h3", { id: "files-title", text: "Files" }), h("table", { "aria-labelledby": "files-title" }, h("thead", {}, head), h("tbody", {}, ...rows, last)));
}

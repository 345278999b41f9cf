// What came of it: counts, kinds, bad lines by their places, files. Nothing of a record comes into the page.

import { typeChart } from "./chart.js";
import { byId, h, write } from "./dom.js";
import { bytes, count, things, took } from "./format.js";
import { fileName, saving } from "./save.js";

/** Addresses of Blobs live until the next result. */
let addresses = [];
/** The chart of a run that goes on. */
let growing;

export function clearResult() {
  for (const address of addresses) URL.revokeObjectURL(address);
  addresses = [];
  growing = undefined;
  byId("results").replaceChildren();
  byId("results").hidden = true;
  byId("no-result").hidden = false;
  write(byId("result-hint"), "");
}

/** Shows what has been counted so far. */
export function showCounts(types) {
  if (types.length === 0) return;
  if (!growing) {
    growing = typeChart();
    byId("no-result").hidden = true;
    byId("results").hidden = false;
    byId("results").replaceChildren(growing.element);
    write(byId("result-hint"), "So far");
  }
  growing.show(types, false);
}

export function showResult(exported, milliseconds) {
  // The chart stays, as somebody may look at it.
  const chart = growing ?? typeChart();
  clearResult();
  const { report, warnings = [], transactionTime } = exported;
  byId("no-result").hidden = true;
  byId("results").hidden = false;
  // Of a server's export most of the time is the server's.
  const more = transactionTime ? `as of ${transactionTime}` : `${bytes(report.bytes / (milliseconds / 1000))}/s of lines`;
  write(byId("result-hint"), `${took(milliseconds)}, ${more}`);
  byId("results").replaceChildren(...[facts(report), saving(exported), notes(warnings), types(chart, report.types), badLines(report.bad), files(exported)].filter(Boolean));
}

function facts({ kept, read, keptBytes, bad }) {
  const fact = (name, value, isBad = false) => h("div", {}, h("dt", { text: name }), h("dd", { text: value, class: isBad ? "bad" : "" }));
  return h("dl", { class: "facts" }, fact("kept", count(kept)), fact("read", count(read)), fact("in files", bytes(keptBytes)), fact("bad lines", count(bad.total), bad.total > 0));
}

/** What the client has to say of the server. */
function notes(warnings) {
  return warnings.length === 0 ? null : h("ul", { class: "card notes", "aria-label": "Warnings" }, ...warnings.map((text) => h("li", { text })));
}

function types(chart, list) {
  if (list.length === 0) return h("p", { class: "empty", text: "No line was a resource." });
  chart.show(list, true);
  return chart.element;
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

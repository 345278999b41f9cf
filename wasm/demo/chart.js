// Counts per type as tables whose bars are the same numbers again. They can grow while a run goes on.

import { h, write } from "./dom.js";
import { count, things } from "./format.js";

const NONE = "none-title";
const SOME = "types-title";

/** A chart: its `element`, and `show` for new counts. What nothing was kept of stands folded. */
export function typeChart() {
  const rows = new Map();
  const some = typeTable(SOME);
  const none = typeTable(NONE);
  const summary = h("summary", { id: NONE });
  const folded = h("details", {}, summary, none);
  const element = h("div", { class: "card chart" }, h("h3", { id: SOME, text: "Types" }), some, folded);
  const show = (list, isOver) => {
    const most = Math.max(...list.map(({ read }) => read), 1);
    const sorted = [...list].sort((one, other) => other.kept - one.kept || other.read - one.read || (one.type < other.type ? -1 : 1));
    for (const { type } of sorted) if (!rows.has(type)) rows.set(type, typeRow(type));
    const shown = sorted.map((counts) => [counts.kept > 0, rows.get(counts.type).show(counts, most)]);
    const kept = shown.filter(([isKept]) => isKept).map(([, row]) => row);
    const others = shown.filter(([isKept]) => !isKept).map(([, row]) => row);
    fill(some, kept);
    fill(none, others);
    some.hidden = kept.length === 0;
    folded.hidden = others.length === 0;
    write(summary, `${things(others.length, "type")} of which nothing is kept`);
    if (isOver && kept.length === 0) folded.open = true;
  };
  return { element, show };
}

function typeTable(title) {
  const head = h("tr", {}, h("th", { scope: "col", text: "Type" }), h("td", { class: "bars" }), ...["kept", "read"].map((name) => h("th", { scope: "col", class: `${name} number`, text: name })));
  return h("table", { "aria-labelledby": title }, h("thead", {}, head), h("tbody"));
}

/** Rows are moved only where their order is another one: what somebody has marked stays marked. */
function fill(table, rows) {
  const [body] = table.tBodies;
  if (rows.length !== body.rows.length || rows.some((row, index) => row !== body.rows[index])) body.replaceChildren(...rows);
}

function typeRow(type) {
  const bar = h("span", { class: "bar" });
  const whole = h("span", { class: "track-bar" }, bar);
  const [kept, read] = ["kept number", "read number soft"].map((name) => h("td", { class: name }));
  const row = h("tr", {}, h("th", { scope: "row", class: "type", text: type }), h("td", { class: "bars", "aria-hidden": "true" }, whole), kept, read);
  const show = (counts, most) => {
    whole.style.setProperty("--whole", counts.read / most);
    bar.style.setProperty("--part", counts.read > 0 ? counts.kept / counts.read : 0);
    bar.classList.toggle("none", counts.kept === 0);
    write(kept, count(counts.kept));
    write(read, count(counts.read));
    return row;
  };
  return { show };
}

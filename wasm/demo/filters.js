// The rows of filters; there is always one.

import { filterCompletions } from "./completion.js";
import { byId, h } from "./dom.js";
import { Field } from "./field.js";

const rows = [];
let settings;
let made = 0;

/** `tables` for completions; `onChange` when something was written or removed. */
export function setUpFilters(tables, onChange) {
  settings = { tables, onChange };
  byId("add-filter").addEventListener("click", () => add().field.area.focus());
  add();
}

export const filters = () => rows.map(({ field }) => field.value).filter(Boolean);

export const filterFields = () => rows.map(({ field }) => field);

function add() {
  made += 1;
  const { tables, onChange } = settings;
  const field = new Field({
    name: `Filter ${made}`, placeholder: made === 1 ? "Observation?date=ge2026" : "Type?parameter=value", onChange,
    completions: (text, caret) => filterCompletions(tables, text, caret),
    onEnter: () => field.value && add().field.area.focus(),
  });
  const row = { field };
  const remove = h("button", { type: "button", class: "quiet remove", "aria-label": `Remove filter ${made}`, text: "×", onclick: () => drop(row) });
  row.element = h("div", { class: "filter" }, field.edit, remove, field.slot);
  rows.push(row);
  byId("filters").append(row.element);
  return row;
}

function drop(row) {
  const index = rows.indexOf(row);
  rows.splice(index, 1);
  row.element.remove();
  if (rows.length === 0) add();
  rows[Math.min(index, rows.length - 1)].field.area.focus();
  settings.onChange();
}

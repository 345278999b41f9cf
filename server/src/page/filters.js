// The rows of filters: completion of types and search parameters, and what is wrong underlined in its place.

import { byId, h, write } from "./dom.js";

const MOST_OPTIONS = 60;
/** Search parameters by type, of the CapabilityStatement: Map of type → [{name, type, documentation}]. */
let known = new Map();
let onChange = () => {};
let made = 0;
const rows = [];

export function setUpFilters(changed) {
  onChange = changed;
  byId("add-filter").addEventListener("click", () => add().area.focus());
  add();
}

export function setKnown(resources) {
  known = new Map(resources.map((resource) => [resource.type, resource.searchParam ?? []]));
}

export const filters = () => rows.map((row) => row.area.value.trim()).filter(Boolean);

/** Shows problems at the rows they are about; gives back those that are about none. */
export function showFilterProblems(issues) {
  const left = new Set(issues);
  for (const row of rows) {
    const text = row.area.value;
    const own = text.trim() ? issues.filter((issue) => issue.value === text.trim()) : [];
    own.forEach((issue) => left.delete(issue));
    mark(row, own);
  }
  return [...left];
}

/** Underlines spans in the copy of the text that lies under the field, and says what they are about. */
function mark(row, all = row.issues) {
  row.issues = all;
  const text = row.area.value;
  const shift = text.length - text.trimStart().length;
  // A word that is still being written, with its completions beside it, is not wrong yet.
  const issues = all.filter((issue) => row.list.hidden || issue.end + shift !== row.area.selectionStart);
  const parts = [];
  let end = 0;
  for (const issue of issues.filter((issue) => issue.start != null).sort((a, b) => a.start - b.start)) {
    const from = Math.max(end, issue.start + shift);
    const to = Math.max(issue.end + shift, from);
    parts.push(text.slice(end, from), h("mark", { text: text.slice(from, to) || " " }));
    end = to;
  }
  // The blank at the end keeps the last line's height.
  row.mirror.replaceChildren(...parts, `${text.slice(end)} `);
  row.area.setAttribute("aria-invalid", String(issues.length > 0));
  row.slot.classList.toggle("bad", issues.length > 0);
  write(row.slot, issues.map((issue) => issue.text).join("\n") || "\u00a0");
}

function add() {
  const id = `filter-${(made += 1)}`;
  const row = { id, options: [], chosen: -1, issues: [] };
  row.mirror = h("div", { class: "mirror mono", "aria-hidden": "true", text: " " });
  row.area = h("textarea", {
    id, class: "mono", rows: 1, spellcheck: "false", autocapitalize: "off", "aria-label": `Filter ${made}`, "aria-describedby": `${id}-slot`,
    "aria-autocomplete": "list", "aria-controls": `${id}-list`, "aria-haspopup": "listbox",
    placeholder: made === 1 ? "Observation?date=ge2026" : "Type?parameter=value",
    oninput: () => changed(row), onkeydown: (event) => key(row, event), onblur: () => close(row),
  });
  row.list = h("ul", { id: `${id}-list`, role: "listbox", class: "options", "aria-label": "Completions", hidden: true });
  row.slot = h("p", { id: `${id}-slot`, class: "slot", text: "\u00a0" });
  const remove = h("button", { type: "button", class: "quiet remove", "aria-label": `Remove filter ${made}`, text: "×", onclick: () => drop(row) });
  row.element = h("div", { class: "filter" }, h("div", { class: "edit" }, row.mirror, row.area, row.list), remove, row.slot);
  rows.push(row);
  byId("filters").append(row.element);
  return row;
}

function drop(row) {
  const index = rows.indexOf(row);
  rows.splice(index, 1);
  row.element.remove();
  if (rows.length === 0) add();
  rows[Math.min(index, rows.length - 1)].area.focus();
  onChange();
}

function changed(row) {
  if (/[\r\n]/.test(row.area.value)) row.area.value = row.area.value.replace(/[\r\n]+/g, "");
  mark(row, []);
  open(row);
  onChange();
}

/** What could stand where the caret is: from where, and the words. */
function completions(text, caret) {
  const before = text.slice(0, caret);
  const mark = before.indexOf("?");
  const fits = (name, written) => name.toLowerCase().startsWith(written.toLowerCase()) && name !== written;
  if (mark < 0) {
    const from = before.length - before.trimStart().length;
    const names = [...known.keys()].filter((name) => fits(name, before.slice(from)));
    return { from, words: names.map((name) => ({ word: name, insert: text[caret] === "?" ? name : `${name}?`, told: "" })) };
  }
  const from = Math.max(mark, before.lastIndexOf("&")) + 1;
  const written = before.slice(from);
  if (/[=:]/.test(written)) return { from, words: [] };
  const parameters = (known.get(before.slice(0, mark).trim()) ?? []).filter(({ name }) => fits(name, written));
  return { from, words: parameters.map(({ name, type }) => ({ word: name, insert: text[caret] === "=" ? name : `${name}=`, told: type })) };
}

function open(row) {
  const { from, words } = completions(row.area.value, row.area.selectionStart);
  row.options = words.slice(0, MOST_OPTIONS).map((word, index) => ({
    ...word, from,
    element: h("li", { id: `${row.id}-option-${index}`, role: "option", "aria-selected": "false", onpointerdown: (event) => {
      event.preventDefault();
      accept(row, index);
    } }, h("span", { text: word.word }), h("span", { class: "soft", text: word.told })),
  }));
  row.list.replaceChildren(...row.options.map((option) => option.element));
  row.list.hidden = row.options.length === 0;
  choose(row, -1);
}

function close(row) {
  if (row.list.hidden) return;
  row.list.hidden = true;
  choose(row, -1);
  mark(row);
}

function choose(row, index) {
  row.options[row.chosen]?.element.setAttribute("aria-selected", "false");
  row.chosen = index;
  const option = row.options[index]?.element;
  if (!option) return row.area.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  row.area.setAttribute("aria-activedescendant", option.id);
}

function accept(row, index) {
  const { from, insert } = row.options[index];
  row.area.setRangeText(insert, from, row.area.selectionStart, "end");
  changed(row);
}

function key(row, event) {
  const isOpen = !row.list.hidden;
  const size = row.options.length;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!isOpen && event.key === "ArrowUp") return;
    event.preventDefault();
    if (!isOpen) open(row);
    else choose(row, (row.chosen + (event.key === "ArrowDown" ? 1 : row.chosen < 0 ? size : size - 1)) % size);
  } else if (event.key === "Escape" && isOpen) {
    close(row);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (isOpen && row.chosen >= 0) accept(row, row.chosen);
    else if (row.area.value.trim()) add().area.focus();
  } else if (event.key === "Tab" && isOpen && row.chosen >= 0) {
    event.preventDefault();
    accept(row, row.chosen);
  }
}

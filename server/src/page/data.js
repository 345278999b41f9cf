// What data is here: figures, the chart of types, the groups.

import { byId, h, write } from "./dom.js";
import { ago, bytes, count, short, things } from "./format.js";

const FIRST = 12;
const METRICS = {
  resources: { title: "Resources", value: (type) => type.resources, tick: short, floor: 1 },
  bytes: { title: "Size", value: (type) => type.bytes, tick: bytes, floor: 1000 },
};
const COLUMNS = [
  { key: "type", title: "Type", compare: (a, b) => a.type.localeCompare(b.type) },
  { key: "bar" },
  { key: "resources", title: "Resources", compare: (a, b) => b.resources - a.resources },
  { key: "bytes", title: "Size", compare: (a, b) => b.bytes - a.bytes },
  { key: "newest", title: "Newest", compare: (a, b) => (b.newest ?? "").localeCompare(a.newest ?? "") },
];

let types = [];
let sort = "resources";
let metric = "resources";
let isAll = false;

export function showData(data, onGroup) {
  types = data.types;
  write(byId("scanned"), `Scanned ${ago(data.scanned)}`);
  const newest = types.map((type) => type.newest ?? "").reduce((a, b) => (a > b ? a : b), "");
  const total = types.reduce((sum, type) => sum + type.resources, 0);
  const facts = [
    ["Resources", count(total)],
    ["Patients", count(data.patients)],
    ["Stored", bytes(data.bytes)],
    ["Files", count(data.files)],
    ["Newest", newest.slice(0, 10) || "–"],
  ];
  byId("facts").replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value }))));
  draw();
  showGroups(data, onGroup);
}

/** The heads of the chart, which sort it, and what else it has to press. */
export function setUpChart() {
  const cells = COLUMNS.map(({ key, title }) => {
    if (key === "bar") return h("td", { class: "axis", id: "axis", "aria-hidden": "true" });
    const order = () => {
      sort = key;
      if (METRICS[key]) metric = key;
      draw();
    };
    return h("th", { scope: "col", class: key, id: `sort-${key}` }, h("button", { type: "button", text: title, onclick: order }));
  });
  byId("type-heads").replaceChildren(...cells);
  for (const input of document.querySelectorAll("input[name=scale]")) input.addEventListener("change", draw);
  byId("more-types").addEventListener("click", () => {
    isAll = !isAll;
    draw();
  });
}

/** A round step of which about four make up `most`. */
function roundStep(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4 || 1));
  const factor = [1, 2, 5, 10].find((factor) => factor * power * 4.01 >= most) ?? 10;
  return Math.max(1, factor * power);
}

/** Where values lie between 0 and 1, and the ticks. */
function axis(values, { floor }, isLog) {
  const most = Math.max(...values, 1);
  if (isLog) {
    const least = Math.max(floor, Math.min(...values.filter((value) => value > 0), most));
    const low = floor === 1 ? 0 : Math.floor(Math.log10(least));
    const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
    const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
    return { at: (value) => (value > 0 ? Math.max(0, (Math.log10(value) - low) / (high - low)) : 0), ticks };
  }
  const step = roundStep(most);
  const steps = Math.ceil(most / step);
  return { at: (value) => value / (step * steps), ticks: Array.from({ length: steps + 1 }, (_, index) => index * step) };
}

function draw() {
  const isLog = document.querySelector("input[name=scale]:checked").value === "log";
  const { value, tick, title } = METRICS[metric];
  const { at, ticks } = axis(types.map(value), METRICS[metric], isLog);
  const table = byId("type-rows");
  table.parentElement.dataset.metric = metric;
  table.style.setProperty("--step", `${100 / (ticks.length - 1)}%`);
  byId("axis").replaceChildren(...ticks.map((number, index) => {
    const label = h("span", { text: tick(number) });
    label.style.setProperty("--at", index / (ticks.length - 1));
    return label;
  }));
  byId("axis").classList.toggle("dense", ticks.length > 6);
  for (const { key, title } of COLUMNS.filter((column) => column.title)) {
    const isSorted = key === sort;
    const direction = key === "type" ? "ascending" : "descending";
    byId(`sort-${key}`).toggleAttribute("data-sorted", isSorted);
    if (isSorted) byId(`sort-${key}`).setAttribute("aria-sort", direction);
    else byId(`sort-${key}`).removeAttribute("aria-sort");
    byId(`sort-${key}`).firstChild.title = `Sort by ${title.toLowerCase()}`;
  }
  const { compare } = COLUMNS.find((column) => column.key === sort);
  const sorted = types.toSorted((a, b) => compare(a, b) || value(b) - value(a) || a.type.localeCompare(b.type));
  const shown = isAll ? sorted : sorted.slice(0, FIRST);
  table.replaceChildren(...shown.map((type) => {
    const bar = h("span", { class: "bar" });
    bar.style.setProperty("--part", at(value(type)));
    return h("tr", { title: `${type.type}: ${title.toLowerCase()} ${tick(value(type))}` },
      h("th", { scope: "row", class: "type", text: type.type }),
      h("td", { class: "bars", "aria-hidden": "true" }, bar),
      h("td", { class: "resources", text: count(type.resources) }),
      h("td", { class: "bytes", text: bytes(type.bytes) }),
      h("td", { class: "newest", text: (type.newest ?? "–").slice(0, 10) }));
  }));
  const more = byId("more-types");
  more.hidden = types.length <= FIRST;
  more.setAttribute("aria-expanded", String(isAll));
  write(more, isAll ? `Show the first ${FIRST}` : `Show all ${types.length} types`);
}

function showGroups({ groups, groupsInAll }, onGroup) {
  write(byId("group-count"), groups.length < groupsInAll ? `first ${count(groups.length)} of ${count(groupsInAll)}` : count(groups.length));
  const rows = groups.map(({ id, name, members }) =>
    h("li", {},
      h("span", { text: name || id }),
      h("span", { class: "soft small" }, h("span", { text: things(members, "member") }), name ? h("code", { text: id }) : null),
      onGroup ? h("button", { type: "button", class: "quiet", text: "Export", "aria-label": `Export group ${name || id}`, onclick: () => onGroup(id) }) : null));
  byId("groups").replaceChildren(...(rows.length ? rows : [h("li", { class: "soft", text: "No Group resources in the data." })]));
}

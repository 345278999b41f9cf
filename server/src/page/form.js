// The form: what is wished for, what it would be on the wire, what the server says of it, and its start.

import { ask, askJson, fhirBase, local, Refused } from "./api.js";
import { byId, copy, h, write } from "./dom.js";
import { filters, setKnown, setUpFilters, showFilterProblems } from "./filters.js";
import { count, things } from "./format.js";
import { compose, curl, patientIds } from "./kickoff.js";

const PAUSE = 250;
const LEVELS = { system: "Everything", patient: "Patients", group: "A group" };
const hints = new Map();
let overview;
let timer;
let asked;
let onStarted;

export function setUpForm(facts, started) {
  overview = facts;
  onStarted = started;
  for (const slot of document.querySelectorAll("#form .slot")) hints.set(slot, [...slot.childNodes]);
  levels();
  showTypes(facts.data);
  byId("clear-types").addEventListener("click", () => {
    for (const box of picked()) box.checked = false;
    changed();
    document.querySelector("input[name=type]").focus();
  });
  setUpFilters(changed);
  const offered = new Set(facts.parameters);
  for (const field of document.querySelectorAll("[data-parameter]")) field.hidden = !offered.has(field.dataset.parameter);
  byId("group-ids").append(...facts.data.groups.map(({ id, name }) => h("option", { value: id, text: name ?? "" })));
  byId("group").value = facts.data.groups[0]?.id ?? "";
  byId("form").addEventListener("input", changed);
  byId("form").addEventListener("submit", start);
  byId("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
    // Enter in a line is no start: an export is too much for a slip.
    else if (event.key === "Enter" && event.target.matches("input:not([type=checkbox]):not([type=radio])")) event.preventDefault();
  });
  for (const id of ["since", "until"]) byId(id).addEventListener("change", () => complete(byId(id)));
  byId("copy-curl").addEventListener("click", (event) => copy(command(true), event.target));
  changed();
  askJson(`${fhirBase()}/metadata`).then((statement) => setKnown(statement.rest?.[0]?.resource ?? []), () => {});
}

/** Chooses a group, as the list of groups does. */
export function chooseGroup(id) {
  const radio = document.querySelector("input[name=level][value=group]");
  radio.checked = true;
  byId("group").value = id;
  changed();
  byId("export").scrollIntoView();
  byId("group").focus({ preventScroll: true });
}

function levels() {
  const all = overview.doors.map(({ level }, index) =>
    h("label", {}, h("input", { type: "radio", name: "level", value: level, checked: index === 0 }), h("span", { text: LEVELS[level] })));
  byId("levels").append(...all);
}

/** The types that can be chosen; those that are chosen stay. */
export function showTypes(data) {
  overview.data = data;
  const chosen = new Set(picked().map((box) => box.value));
  const all = data.types.toSorted((a, b) => a.type.localeCompare(b.type)).map(({ type, resources }) =>
    h("label", { class: "check" },
      h("input", { type: "checkbox", name: "type", value: type, checked: chosen.has(type) }),
      h("span", { text: type }), h("span", { class: "soft number", text: count(resources) })));
  byId("types").replaceChildren(...all);
}

const picked = () => [...document.querySelectorAll("input[name=type]:checked")];
const level = () => document.querySelector("input[name=level]:checked").value;
const door = () => overview.doors.find((door) => door.level === level());

/** A day becomes its beginning: an instant is what the guide wants. */
function complete(input) {
  if (/^\d{4}-\d\d-\d\d$/.test(input.value.trim())) input.value = `${input.value.trim()}T00:00:00Z`;
  changed();
}

function wish() {
  const value = (id) => (byId(id).closest("[hidden]") ? "" : byId(id).value.trim());
  return {
    level: level(), group: value("group"), patients: patientIds(value("patient")), types: picked().map((box) => box.value),
    since: value("since"), until: value("until"), filters: filters(), elements: value("elements"),
    associated: value("associated"), organize: value("organize"), lenient: byId("lenient").checked,
  };
}

const command = (isWhole) => curl(compose(wish(), door()), fhirBase(), !overview.open, isWhole);

function changed() {
  const canList = overview.parameters.includes("patient") && level() !== "system" && door().methods.includes("POST");
  byId("group-field").hidden = level() !== "group";
  byId("patient-field").hidden = !canList;
  const types = picked().length;
  write(byId("picked"), types ? `${types} of ${overview.data.types.length}` : "all");
  byId("clear-types").hidden = types === 0;
  write(byId("curl"), command(false));
  clearTimeout(timer);
  timer = setTimeout(explain, PAUSE);
}

/** Asks what the server would do, or what it would not. */
async function explain() {
  asked?.abort();
  asked = new AbortController();
  const now = wish();
  const request = compose(now, door());
  const where = new URLSearchParams({ level: now.level, ...(now.level === "group" && { group: now.group }), ...(now.lenient && { lenient: "true" }) });
  const query = request.query ? `&${request.query}` : "";
  const { method, headers, body } = request;
  try {
    const response = await ask(`/page/explain?${where}${query}`, { method, headers, body, signal: asked.signal });
    const told = await response.json();
    show(told.ok ? [] : told.issues);
    if (told.ok) write(byId("plan"), told.text);
  } catch (error) {
    if (error.name !== "AbortError") show([{ text: error.message }]);
  }
}

/** Puts every issue beside its field, and those that have none beside the start. */
function show(issues) {
  let left = showFilterProblems(issues);
  for (const slot of document.querySelectorAll("#form .slot[data-for]")) {
    const own = left.filter((issue) => issue.parameter === slot.dataset.for);
    const field = slot.parentElement.querySelector("input:not([type=checkbox]):not([type=radio]), textarea, select");
    // A list that has not been written yet is no mistake: what is needed is told as a hint.
    const isBad = own.length > 0 && !(slot.dataset.for === "patient" && !field.value.trim());
    if (!slot.closest("[hidden]")) left = left.filter((issue) => !own.includes(issue));
    const said = own.map((issue) => issue.text).join("\n");
    slot.classList.toggle("bad", isBad);
    field?.setAttribute("aria-invalid", String(isBad));
    if (said) write(slot, said);
    else if (slot.textContent !== hints.get(slot).map((node) => node.textContent).join("")) slot.replaceChildren(...hints.get(slot));
  }
  byId("problems").replaceChildren(...left.map((issue) => h("li", { text: issue.text })));
  write(byId("verdict"), issues.length ? things(issues.length, "problem") : "as the server reads it");
  byId("verdict").classList.toggle("bad", issues.length > 0);
  byId("plan").classList.toggle("stale", issues.length > 0);
}

/** An issue of an OperationOutcome as one of ours: which parameter it is about. */
function ofOutcome({ diagnostics, location, expression }, request) {
  const index = /parameter\[(\d+)\]/.exec(expression?.[0] ?? "")?.[1];
  const [, name, rest] = /^([\w-]+): ([^]*)$/.exec(diagnostics) ?? [];
  const parameter = index ? request.nameAt(Number(index)) : location?.[0]?.replace(/^http\./, "") ?? (name === "Group" ? "group" : name);
  // Under the message stand the text and carets; the text is in the form already.
  const [first, shown, , help] = (rest ?? diagnostics).split("\n  ");
  return { text: help ? `${first}; ${help}` : first, parameter, value: parameter === "_typeFilter" ? shown : undefined };
}

async function start(event) {
  event.preventDefault();
  const button = byId("start");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  clearTimeout(timer);
  const said = byId("started");
  const request = compose(wish(), door());
  write(said, "Starting…");
  try {
    const { method, headers, body } = request;
    const response = await ask(`${fhirBase()}/${request.target}`, { method, headers, body });
    const url = response.headers.get("Content-Location") ?? "";
    const id = local(url).split("/").pop();
    said.replaceChildren("Started. ", h("a", { href: `#job-${id}`, text: "See the job" }));
    onStarted(id);
    explain();
  } catch (error) {
    write(said, "Not started.");
    const issues = error instanceof Refused ? error.issues : [{ diagnostics: String(error) }];
    show(issues.map((issue) => ofOutcome(issue, request)));
    const wrong = document.querySelector("#form [aria-invalid=true]");
    if (error.status === 401 && !byId("token-row").hidden) byId("token").focus();
    else wrong?.focus();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

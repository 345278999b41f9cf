// The form of the request: read as what the engine takes, held against it as somebody writes, and shown as others would ask.

import { compile } from "./fhirehose/index.js";
import { commandLine, kickOff } from "./command.js";
import { typeCompletions } from "./completion.js";
import { byId, copy, h, write } from "./dom.js";
import { Field } from "./field.js";
import { filterFields, filters, setUpFilters } from "./filters.js";
import { source } from "./source.js";
import { tables } from "./tables.js";

const PAUSE = 150;
const fields = {};
let timer;
let isGood = true;

export function setUpRequest() {
  const onChange = () => later();
  const field = (id, wishes) => {
    fields[id] = new Field({ onChange, ...wishes });
    byId(id).replaceWith(fields[id].element);
  };
  field("type", {
    label: "Types", placeholder: "Patient,Condition", hint: "Names with commas between them.",
    completions: (text, caret) => typeCompletions(tables, text, caret),
  });
  field("since", { label: "Changed since", placeholder: "2026-01-01T00:00:00Z", hint: "An instant with its time zone." });
  field("until", { label: "and until", placeholder: "2026-07-01T00:00:00Z" });
  field("elements", { label: "Elements", placeholder: "id,Patient.name,Observation.code", hint: "Other elements are left out; mandatory ones stay." });
  field("patients", { label: "Only these patients", lines: true, hint: "Ids with blanks, commas or new lines between them." });
  setUpFilters(tables, onChange);
  byId("associated").addEventListener("change", onChange);
  byId("version").addEventListener("change", changeVersion);
  byId("explain").addEventListener("toggle", check);
  for (const id of ["command", "kickoff"]) byId(`copy-${id}`).addEventListener("click", ({ target }) => copy(byId(id).textContent, target));
  check();
}

/** Ids as they are written in a text: with blanks, commas or new lines between, with or without `Patient/`. */
function patientIds(text) {
  const ids = text.split(/[\s,;]+/).filter(Boolean);
  return [...new Set(ids.map((id) => id.replace(/^Patient\//, "")))];
}

/** The request as it is written; what is empty is not asked for. */
export function request() {
  const patients = patientIds(fields.patients.value);
  const typeFilter = filters();
  const text = (name) => (fields[name].value ? { [name]: fields[name].value } : {});
  const associated = byId("associated").value;
  return {
    ...text("type"), ...(typeFilter.length > 0 && { typeFilter }), ...text("since"), ...text("until"), ...text("elements"),
    ...(patients.length > 0 && { patients }), ...(associated && { includeAssociatedData: associated }),
    ...(tables.version !== "4.0" && { fhirVersion: tables.version }),
  };
}

/** Looks at the request after a pause in writing. */
export function later() {
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE);
}

/** Looks at the request now; whether it is right. */
export function check() {
  clearTimeout(timer);
  const wanted = request();
  const from = source();
  write(byId("command"), commandLine(wanted, from));
  write(byId("kickoff"), kickOff(wanted, from));
  let problems = [];
  try {
    const plan = compile(wanted);
    if (byId("explain").open) write(byId("plan"), plan.explain());
    plan.free();
  } catch (error) {
    problems = error.code === "request" ? error.problems : [{ option: "request", text: "", start: 0, end: 0, message: error.message, help: null }];
  }
  isGood = problems.length === 0;
  byId("plan").classList.toggle("stale", !isGood);
  write(byId("verdict"), isGood ? "" : "the request is not right yet");
  show(problems);
  return isGood;
}

/** Shows problems at the fields that they are about; the others in a list. */
function show(problems) {
  const left = new Set(problems);
  const take = (field, own) => {
    own.forEach((problem) => left.delete(problem));
    field.show(own);
  };
  for (const field of filterFields()) take(field, problems.filter((problem) => problem.option === "typeFilter" && field.value === problem.text));
  for (const [name, field] of Object.entries(fields)) take(field, problems.filter((problem) => problem.option === name && field.holds(problem)));
  const list = [...left].map(({ message, help }) => h("li", { text: help ? `${message}; ${help}` : message }));
  byId("problems").replaceChildren(...list);
}

/** The first field with a problem, for the focus. */
export function firstProblem() {
  return byId("form").querySelector('[aria-invalid="true"]');
}

async function changeVersion() {
  const select = byId("version");
  try {
    await tables.use(select.value);
    write(byId("version-slot"), "");
  } catch (error) {
    select.value = tables.version;
    write(byId("version-slot"), error.message);
  }
  check();
}

// The form of a server: its base, whose data, and with what access. Tokens and keys live in its fields alone.

import { byId, write } from "./dom.js";
import { readKey } from "./key.js";

const value = (name) => document.querySelector(`[name="${name}"]:checked`).value;
const text = (id) => byId(id).value.trim();

/** The scopes, with one blank between them. */
const scope = () => text("scope").replace(/\s+/g, " ");
/** As OAuth spells scopes. */
const SCOPE = /^[!#-[\]-~ ]*$/;

/** What is written, for the command line; secrets are not in it. */
export function serverSource() {
  return { base: text("base").replace(/\/+$/, ""), level: value("level"), group: text("group"), access: value("access"), client: text("client"), scope: scope() };
}

/** Everything that a client of the server needs; or undefined, and the fields say what is missing. */
export function serverOptions() {
  const told = serverSource();
  const faults = [
    ["base", !/^https?:\/\/[^/?#]+(\/[^?#]*)?$/.test(told.base) && "The FHIR base of a server: http or https, without a query."],
    ["group", told.level === "group" && !told.group && "The id of a Group."],
    ["token", told.access === "bearer" && !text("token") && "A token is needed."],
    ["client", told.access === "smart" && !told.client && "The id of the client is needed."],
    ["scope", told.access === "smart" && !SCOPE.test(told.scope) && "Scopes with blanks between them, such as system/Patient.rs."],
  ];
  let key;
  if (told.access === "smart") {
    const read = readKey(text("key"));
    key = read.key;
    faults.push(["key", read.fault]);
  }
  const wrong = faults.filter(([id, fault]) => say(id, fault || ""));
  if (wrong.length > 0) {
    byId(wrong[0][0]).focus();
    return undefined;
  }
  return {
    base: told.base, level: told.level === "group" ? { group: told.group } : told.level, filter: byId("filter-here").checked,
    access: told.access, clientId: told.client, scope: told.scope || undefined, key, token: text("token"), keeps: byId("keep").checked,
  };
}

/** Writes a fault at a field, or the hint again. */
function say(id, fault) {
  const slot = byId(`${id}-slot`);
  slot.dataset.hint ??= slot.textContent;
  write(slot, fault || slot.dataset.hint);
  slot.classList.toggle("bad", fault !== "");
  byId(id).setAttribute("aria-invalid", String(fault !== ""));
  return fault !== "";
}

export function setUpServer(onChange) {
  const turn = () => {
    byId("group-field").hidden = value("level") !== "group";
    for (const part of document.querySelectorAll("[data-access]")) part.hidden = part.dataset.access !== value("access");
    onChange();
  };
  const form = byId("from-server");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (byId(`${target.id}-slot`)) say(target.id, "");
    onChange();
  });
  form.addEventListener("change", turn);
  const key = byId("key");
  const take = async (file) => {
    key.value = file ? (await file.text()).replace(/\s+/g, " ") : "";
    say("key", readKey(key.value).fault ?? "");
  };
  byId("key-file").addEventListener("change", ({ target }) => {
    take(target.files[0]);
    target.value = "";
  });
  key.addEventListener("dragover", (event) => event.preventDefault());
  key.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  // Where the page itself comes from a server, that one is likely to be meant.
  if (/\/browser\/$/.test(new URL(".", location.href).pathname)) byId("base").value = new URL("../fhir", document.baseURI).href;
  turn();
}

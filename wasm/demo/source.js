// Where the data come from: files that are dropped or chosen, or a server.

import { byId, h, write } from "./dom.js";
import { dropped } from "./drop.js";
import { bytes, things } from "./format.js";
import { serverSource } from "./server.js";

const HINTS = {
  files: "Files stay on this machine: they are read and filtered here.",
  server: "The export is fetched from the server to this machine, and to nowhere else.",
};
/** More are counted. */
const MOST_LISTED = 200;
let chosen = [];
let changed = () => {};

export function setUpSource(onChange) {
  changed = onChange;
  for (const radio of document.querySelectorAll('[name="from"]')) radio.addEventListener("change", turn);
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", ({ target }) => {
      add([...target.files].filter(({ name }) => id === "files" || looksRight(name)));
      target.value = "";
    });
  }
  byId("clear-files").addEventListener("click", () => {
    chosen = [];
    list();
    byId("files").focus();
  });
  const zone = byId("from-files");
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    add(await dropped(event.dataTransfer, looksRight));
  });
  // A file that misses the zone would replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  // Browsers keep the choice over a reload.
  turn();
}

const from = () => document.querySelector('[name="from"]:checked').value;

/** What is chosen: `files` with their `names`, or what a server is to be asked with. */
export function source() {
  return from() === "files" ? { from: "files", files: chosen, names: chosen.map(nameOf) } : { from: "server", ...serverSource() };
}

function turn() {
  const which = from();
  byId("from-files").hidden = which !== "files";
  byId("from-server").hidden = which !== "server";
  write(byId("source-hint"), HINTS[which]);
  changed();
}

const looksRight = (name) => /\.(ndjson|jsonl)(\.gz)?$/i.test(name);
const nameOf = (file) => file.webkitRelativePath || file.name;

/** Adds files; one that is there already is not read twice. */
function add(files) {
  const key = (file) => `${nameOf(file)} ${file.size} ${file.lastModified}`;
  const known = new Set(chosen.map(key));
  const fresh = files.filter((file) => !known.has(key(file)) && known.add(key(file)));
  // As the command line reads a folder: by name.
  chosen = [...chosen, ...fresh].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  list();
}

function list() {
  byId("chosen").hidden = chosen.length === 0;
  const total = chosen.reduce((sum, { size }) => sum + size, 0);
  write(byId("chosen-count"), `${things(chosen.length, "file")}, ${bytes(total)}`);
  const item = (file) => h("li", {}, h("span", { text: nameOf(file) }), h("span", { class: "number", text: bytes(file.size) }));
  const hidden = chosen.length - MOST_LISTED;
  const rest = hidden > 0 ? [h("li", { class: "soft", text: `and ${things(hidden, "more file")}` })] : [];
  byId("chosen-list").replaceChildren(...chosen.slice(0, MOST_LISTED).map(item), ...rest);
  changed();
}

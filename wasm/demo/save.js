// Where the files go: a folder, or a ZIP file. Single files are links.

import { toFiles, toZip } from "./fhirehose/index.js";
import { h, write } from "./dom.js";
import { bytes, things } from "./format.js";

/** A name without folders, for a download. */
export const fileName = (path) => path.replaceAll("/", "-");

/** The buttons for a result. */
export function saving(exported) {
  const said = h("span", { role: "status", class: "soft" });
  const doing = async (button, work) => {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    said.classList.remove("bad");
    write(said, "Saving");
    try {
      write(said, await work());
    } catch (error) {
      const isCancelled = error.name === "AbortError";
      said.classList.toggle("bad", !isCancelled);
      write(said, isCancelled ? "" : error.message);
    } finally {
      button.ariaDisabled = "false";
    }
  };
  const folder = h("button", { type: "button", class: "primary", id: "save-folder", text: "Save in a folder", onclick: ({ target }) => doing(target, () => inFolder(exported)) });
  const zip = h("button", { type: "button", id: "save-zip", class: canChoose() ? "quiet" : "primary", text: "Save as ZIP", onclick: ({ target }) => doing(target, () => asZip(exported)) });
  return h("p", { class: "save" }, canChoose() ? folder : null, zip, said);
}

const canChoose = () => typeof showDirectoryPicker === "function";

async function inFolder(exported) {
  const directory = await showDirectoryPicker({ mode: "readwrite", id: "fhirehose" });
  await toFiles(exported, directory);
  return `${things(exported.files.length + 1, "file")} saved.`;
}

async function asZip(exported) {
  const zip = await toZip(exported);
  const address = URL.createObjectURL(zip);
  h("a", { href: address, download: "fhirehose.zip" }).click();
  // The download holds the bytes by itself once it has begun.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return `${bytes(zip.size)}.`;
}

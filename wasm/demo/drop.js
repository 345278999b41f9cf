// What has been dropped, folders with all that is in them.

/** The files of a drop; of folders those whose name is `wanted`. */
export async function dropped(transfer, wanted) {
  // The items are gone after the first wait.
  const entries = [...transfer.items].map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const files = await Promise.all(entries.map(({ entry, file }) => (entry?.isDirectory ? inFolder(entry, wanted) : file)));
  return files.flat().filter(Boolean);
}

async function inFolder(folder, wanted) {
  const files = [];
  for (const entry of await children(folder)) {
    if (entry.isDirectory) files.push(...(await inFolder(entry, wanted)));
    else if (wanted(entry.name)) files.push(named(await new Promise((resolve, reject) => entry.file(resolve, reject)), entry.fullPath));
  }
  return files;
}

/** Browsers give a hundred at a time. */
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** With its place in the folder, as a file input tells it: two files may have one name. */
function named(file, path) {
  Object.defineProperty(file, "webkitRelativePath", { value: path.replace(/^\//, "") });
  return file;
}

// A run: started, told of as it goes, cancelled.

import { filterFiles } from "./fhirehose/index.js";
import { byId, write } from "./dom.js";
import { fetchExport } from "./fetching.js";
import { bytes, took } from "./format.js";
import { check, firstProblem, request } from "./request.js";
import { clearResult, showCounts, showResult } from "./result.js";
import { serverOptions } from "./server.js";
import { source } from "./source.js";

/** How often a screen reader is told. */
const SAID_EVERY = 2000;
/** How often the chart is drawn. */
const DRAWN_EVERY = 150;
let running;

export function setUpRun() {
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running) start();
  });
  byId("cancel").addEventListener("click", () => running?.abort());
  // Whoever leaves in the middle is asked.
  addEventListener("beforeunload", (event) => running && event.preventDefault());
}

/** What the button says. */
export function nameStart() {
  write(byId("start"), source().from === "files" ? "Filter the files" : "Fetch the export");
}

async function start() {
  const from = source();
  if (!check()) return stopped("The request is not right yet.", firstProblem());
  if (from.from === "files" && from.files.length === 0) return stopped("Choose files first.", byId("files"));
  const options = from.from === "server" ? serverOptions() : undefined;
  if (from.from === "server" && !options) return stopped("The server is not described yet.");
  running = new AbortController();
  turn(true);
  clearResult();
  const begun = performance.now();
  const told = teller(begun);
  try {
    const wanted = request();
    const { signal } = running;
    const exported = options
      ? await fetchExport(options, wanted, signal, told)
      : await filterFiles(from.files, wanted, { signal, onProgress: ({ bytes, total, types }) => told({ done: bytes, total, types }) });
    const milliseconds = performance.now() - begun;
    showResult(exported, milliseconds);
    write(byId("said"), `Done in ${took(milliseconds)}.`);
    byId("result").focus();
  } catch (error) {
    const isCancelled = running.signal.aborted;
    clearResult();
    write(byId("said"), isCancelled ? "Cancelled; nothing is kept." : error.message);
    byId("said").classList.toggle("bad", !isCancelled);
  } finally {
    running = undefined;
    turn(false);
  }
}

function stopped(text, place) {
  write(byId("said"), text);
  byId("said").classList.add("bad");
  place?.focus();
}

function turn(isRunning) {
  const hasFocus = document.activeElement === byId(isRunning ? "start" : "cancel");
  byId("going").hidden = !isRunning;
  byId("cancel").hidden = !isRunning;
  byId("start").setAttribute("aria-disabled", String(isRunning));
  if (isRunning) {
    byId("said").classList.remove("bad");
    write(byId("said"), "");
  }
  if (hasFocus) byId(isRunning ? "cancel" : "start").focus();
}

/** Shows progress: at most once a frame, and in words every now and then. */
function teller(begun) {
  let frame = 0;
  let last = 0;
  let said = begun;
  let drawn = -Infinity;
  const show = ({ done, total, text }) => {
    frame = 0;
    const seconds = (performance.now() - begun) / 1000;
    const bar = byId("bar");
    if (total) bar.value = done / total;
    else bar.removeAttribute("value");
    // The first moments tell nothing of the rate.
    const rate = done && seconds > 0.2 ? `${bytes(done / seconds)}/s` : "";
    const part = total ? `${Math.floor((100 * done) / total)}\u00a0%` : "";
    const words = [text, part, total ? `${bytes(done)} of ${bytes(total)}` : done ? bytes(done) : "", rate].filter(Boolean).join(" · ");
    write(byId("rate"), words);
    if (performance.now() - said < SAID_EVERY) return;
    said = performance.now();
    write(byId("said"), text ?? `${part} done`);
  };
  byId("bar").value = 0;
  write(byId("rate"), "Beginning");
  return (progress) => {
    last = progress;
    if (running && progress.types?.length > 0 && performance.now() - drawn > DRAWN_EVERY) {
      drawn = performance.now();
      showCounts(progress.types);
    }
    frame ||= requestAnimationFrame(() => running && show(last));
  };
}

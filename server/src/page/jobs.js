// Jobs as they go: what the server's stream of events tells, and what can be done with each.

import { ask, hasToken, local, save } from "./api.js";
import { byId, h, write } from "./dom.js";
import { ago, bytes, count, moment, span, things, took } from "./format.js";

const FIRST = 10;
const SURE = 4000;
const MEASURED = 100;
const STATES = { accepted: "Waiting", running: "Running", complete: "Complete", failed: "Failed", cancelled: "Cancelled", expired: "Expired" };
const cards = new Map();
const own = new Set();
let latest = [];
let source;
let retry;
let noteScan;
let isAll = false;

/** Shows jobs; tells when the server has read the data anew. */
export function watchJobs(scanned, onScanned) {
  noteScan = (time) => {
    if (time !== scanned) onScanned();
    scanned = time;
  };
  byId("more-jobs").addEventListener("click", () => {
    isAll = !isAll;
    show();
  });
  setInterval(() => cards.forEach(times), 20_000);
  document.addEventListener("visibilitychange", listen);
  listen();
}

/** A job that was started here: its files are shown as soon as they are there. */
export const startedHere = (id) => own.add(id);

/** A browser holds few connections to a server: a tab that nobody sees gives its one back. */
function listen() {
  source?.close();
  clearTimeout(retry);
  if (document.hidden) return;
  source = new EventSource("/page/jobs");
  source.addEventListener("open", () => write(byId("live"), "live"));
  source.addEventListener("jobs", (event) => {
    const told = JSON.parse(event.data);
    latest = told.jobs;
    noteScan(told.scanned);
    show();
  });
  source.addEventListener("error", () => {
    write(byId("live"), "not connected, trying again");
    // A refusal ends the source for good; a lost connection does not.
    if (source.readyState !== EventSource.CLOSED) return;
    retry = setTimeout(listen, 5000);
  });
}

function show() {
  const active = latest.filter((job) => job.state === "running" || job.state === "accepted").length;
  byId("running").hidden = active === 0;
  write(byId("running"), `${active}`);
  byId("running").title = `${things(active, "job")} not finished`;
  byId("no-jobs").hidden = latest.length > 0;
  const shown = isAll ? latest : latest.slice(0, FIRST);
  for (const [id, card] of cards) {
    if (shown.some((job) => job.id === id)) continue;
    if (card.element.contains(document.activeElement)) byId("jobs").focus({ preventScroll: true });
    card.element.remove();
    cards.delete(id);
  }
  let before = null;
  for (const job of shown) {
    const card = cards.get(job.id) ?? make(job);
    update(card, job);
    const place = before ? before.nextSibling : byId("job-list").firstChild;
    if (place !== card.element) byId("job-list").insertBefore(card.element, place);
    before = card.element;
  }
  const more = byId("more-jobs");
  more.hidden = latest.length <= FIRST;
  write(more, isAll ? `Show the newest ${FIRST}` : `Show all ${latest.length} jobs`);
}

/** What a kick-off's URL tells: the level, and the types. */
function title(job) {
  const { pathname, searchParams } = new URL(job.request, location.href);
  const group = /\/Group\/([^/]+)\/\$export/.exec(pathname);
  const types = searchParams.getAll("_type").flatMap((list) => list.split(","));
  const what = types.length > 3 ? things(types.length, "type") : types.join(", ");
  const whose = group ? `Group ${group[1]}` : job.level === "patient" ? "Patients" : "Everything";
  return what ? `${whose} · ${what}` : whose;
}

/** The path and the query as they were asked for. */
function asked(job) {
  const { pathname, search } = new URL(job.request, location.href);
  return `${pathname}${search}`.slice(0, 600);
}

function make(job) {
  const card = { id: job.id, isSure: false };
  const part = (name, tag, props) => (card[name] = h(tag, props));
  card.name = title(job);
  card.element = h("article", { class: "card job", id: `job-${job.id}`, tabindex: -1, "aria-label": card.name },
    h("div", { class: "job-head" },
      part("state", "span", { class: "state" }), h("h3", { text: card.name }), part("time", "time", { class: "soft" }),
      h("span", { class: "actions" },
        part("toggle", "button", { type: "button", class: "quiet", text: "Files", "aria-expanded": "false", "aria-controls": `files-${job.id}`, onclick: () => toggle(card) }),
        part("remove", "button", { type: "button", class: "quiet", onclick: () => remove(card) }))),
    part("track", "div", { class: "track", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 }),
    part("figures", "p", { class: "figures" }),
    h("p", { class: "asked mono", text: asked(job) }),
    part("files", "div", { class: "files", id: `files-${job.id}`, hidden: true }));
  cards.set(job.id, card);
  return card;
}

function update(card, job) {
  const was = card.job?.state;
  card.job = job;
  card.element.dataset.state = job.state;
  write(card.state, STATES[job.state] ?? job.state);
  times(card);
  const percent = job.state === "complete" ? 100 : job.total ? Math.min(99, Math.floor((job.done / job.total) * 100)) : 0;
  card.track.setAttribute("aria-valuenow", percent);
  card.track.style.setProperty("--part", job.state === "complete" ? 1 : job.total ? job.done / job.total : 0);
  write(card.figures, figures(job, percent).filter(Boolean).join("\u2002·\u2002"));
  card.toggle.hidden = job.state !== "complete";
  const isOver = job.state === "cancelled" || job.state === "expired";
  card.remove.hidden = isOver;
  if (!card.isSure) write(card.remove, job.state === "running" || job.state === "accepted" ? "Cancel" : "Delete");
  if (isOver) card.files.hidden = true;
  if (was && was !== job.state) write(byId("said"), `${card.name}: ${STATES[job.state]}. ${card.figures.textContent}`);
  if (job.state === "complete" && own.delete(job.id)) toggle(card);
}

function figures(job, percent) {
  const kept = job.kept == null ? "" : `${count(job.kept)}\u00a0kept`;
  if (job.state === "accepted") return ["waits for its turn"];
  if (job.state === "running") {
    const seconds = (Date.now() - job.since) / 1000;
    const rate = job.rate ?? (seconds > 0.5 ? job.done / seconds : 0);
    const left = rate > 0 && job.done > 0 ? `${span(((job.total - job.done) / rate) * 1000)}\u00a0left` : "";
    return [`${percent}\u00a0%`, `${bytes(job.done)} of\u00a0${bytes(job.total)}`, rate > 0 ? `${bytes(rate)}/s` : "", left, kept];
  }
  const kinds = { complete: [kept, job.total ? `${bytes(job.total)}\u00a0read` : "", `in\u00a0${took(job.since - job.created)}`], failed: [job.failure ?? "no reason was given"], cancelled: ["its files are gone"], expired: ["its files are gone"] };
  return kinds[job.state] ?? [];
}

function times(card) {
  const { job } = card;
  const expires = job.expires && (job.state === "complete" || job.state === "failed") ? `, kept until ${moment(job.expires)}` : "";
  write(card.time, ago(job.created) + expires);
  card.time.dateTime = new Date(job.created).toISOString();
  card.time.title = moment(job.created);
}

/** Deleting needs a second press: there is no way back. */
async function remove(card) {
  const usual = card.remove.textContent;
  if (!card.isSure) {
    card.isSure = true;
    write(card.remove, usual === "Cancel" ? "Really cancel?" : "Really delete?");
    card.remove.classList.add("sure");
    card.timer = setTimeout(() => calm(card, usual), SURE);
    return;
  }
  clearTimeout(card.timer);
  try {
    await ask(card.job.url, { method: "DELETE" });
    write(byId("said"), `${card.name}: deleted`);
  } catch (error) {
    write(card.figures, error.message);
  }
  calm(card, usual.startsWith("Really c") ? "Cancel" : "Delete");
}

function calm(card, text) {
  card.isSure = false;
  card.remove.classList.remove("sure");
  write(card.remove, text);
}

async function toggle(card) {
  const isOpen = card.files.hidden;
  card.files.hidden = !isOpen;
  card.toggle.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen || card.files.childElementCount > 0) return;
  card.body = h("tbody");
  const heads = ["File", "Resources", "Size", ""].map((text, index) => (index < 3 ? h("th", { scope: "col", text }) : h("td")));
  card.files.append(h("table", { "aria-label": `Files of ${card.name}` }, h("thead", {}, h("tr", {}, ...heads)), card.body));
  await load(card, card.job.url);
}

/** Lists a page of the manifest, and offers the next. */
async function load(card, url) {
  try {
    const response = await ask(url);
    const manifest = await response.json();
    const lists = { output: manifest.output, deleted: manifest.deleted, error: manifest.error ?? manifest.outcome };
    const isFirst = card.body.childElementCount === 0;
    for (const [kind, files] of Object.entries(lists)) {
      // Errors are the same on every page.
      if (kind !== "error" || isFirst) for (const file of files ?? []) card.body.append(row(card, file, kind, manifest));
    }
    if (card.body.childElementCount === 0) card.files.replaceChildren(h("p", { class: "soft", text: "Nothing matched: there are no files." }));
    const next = manifest.link?.find((link) => link.relation === "next")?.url;
    if (next) {
      const more = h("button", { type: "button", class: "quiet", text: "More files", onclick: () => {
        more.remove();
        load(card, next);
      } });
      card.files.append(more);
    }
  } catch (error) {
    card.files.append(h("p", { class: "bad", text: error.message }));
  }
}

const LABELS = { deleted: "Deletions", error: "Messages" };

function row(card, file, kind, manifest) {
  const name = LABELS[kind] ?? file.type ?? manifest.outputOrganizedBy ?? "File";
  const number = String(card.body.childElementCount).padStart(3, "0");
  const link = h("a", { href: local(file.url), download: `${name}.${number}.ndjson`, text: "Download", "aria-label": `Download ${name}, file ${number}` });
  if (manifest.requiresAccessToken && hasToken()) {
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      write(link, "Fetching…");
      const failed = await save(file.url, `${name}.${number}.ndjson`).then(() => "", (error) => error.message);
      write(link, failed || "Download");
    });
  }
  const size = h("td", { class: "number", text: file.fileSize == null ? "–" : bytes(file.fileSize) });
  const label = h("th", { scope: "row" }, h("span", { text: name }));
  if (Number(number) < MEASURED) measure(file.url, label, size);
  const found = h("td", { class: "number", text: file.count == null ? "–" : count(file.count) });
  return h("tr", {}, label, found, size, h("td", {}, link));
}

/** The file's own headers tell its name, and its size, which manifests before the fourth generation do not. */
async function measure(url, label, size) {
  const response = await ask(url, { method: "HEAD", headers: { Accept: "application/fhir+ndjson" } }).catch(() => null);
  const length = response?.headers.get("Content-Length");
  const name = /filename="([^"]+)"/.exec(response?.headers.get("Content-Disposition") ?? "")?.[1];
  if (length) write(size, bytes(Number(length)));
  if (name) label.append(h("code", { text: name }));
}

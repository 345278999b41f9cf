// The page for people, in a real browser, on a real server over synthetic data. scripts/browser runs it.
//
// FHIREHOSE: the binary. MODULES: a folder with playwright-core. CHROMIUM: a browser. SHOTS: a folder for screenshots.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const { FHIREHOSE, MODULES, CHROMIUM, SHOTS } = process.env;
const { chromium } = createRequire(join(MODULES, "x"))("playwright-core");
const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
const WAIT = { timeout: 15_000 };
const PATIENTS = 60;
const ANSWERED = "#verdict:not(.bad)";

const folder = mkdtempSync(join(tmpdir(), "fhirehose-browser-"));
const data = join(folder, "data");
const servers = [];
let url;
let browser;
let page;
const complaints = [];
const foreign = [];

/** Starts the server, and waits for the line that says where it listens. */
function serve(state, ...others) {
  const places = ["--data", data, "--state", join(folder, state), "--listen", "127.0.0.1:0"];
  const server = spawn(FHIREHOSE, ["serve", ...places, ...others], { stdio: ["ignore", "ignore", "pipe"] });
  servers.push(server);
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr.on("data", (text) => {
      said += text;
      const found = /listening on (http:\S+)/.exec(said)?.[1];
      if (found) resolve(new URL("/", found).href);
    });
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
}

/** A page that must not complain, nor ask anybody else. */
async function open(options, at = url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const opened = await context.newPage();
  opened.setDefaultTimeout(WAIT.timeout);
  opened.on("console", (message) => {
    // That the browser tells of a refusal is no complaint of the page: there are tests that want one.
    if (["error", "warning"].includes(message.type()) && !/status of 40[01]/.test(message.text())) complaints.push(message.text());
  });
  opened.on("pageerror", (error) => complaints.push(error.message));
  opened.on("request", (request) => {
    if (!request.url().startsWith(at) && !request.url().startsWith("blob:")) foreign.push(request.url());
  });
  await opened.addInitScript(() => {
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  await opened.goto(at);
  await opened.waitForSelector('body[data-ready=""]');
  return opened;
}

const overview = async () => (await fetch(new URL("/page/overview", url))).json();

/** All of a page, from its top: the head of the page sticks to wherever one is. */
async function shot(opened, name) {
  await opened.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
  await opened.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** Waits until the server has answered what stands in the form now. */
async function asked(action, isGood) {
  const answer = page.waitForResponse((response) => response.url().includes("/page/explain"));
  await action();
  await answer;
  await page.waitForSelector(isGood ? ANSWERED : "#verdict.bad");
}

before(async () => {
  execFileSync(FHIREHOSE, ["synth", "--patients", String(PATIENTS), "--regular", "-o", data], { stdio: "ignore" });
  url = await serve("state", "--open");
  browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: QUIET });
  page = await open();
});

after(async () => {
  await browser?.close();
  for (const server of servers) {
    server.removeAllListeners("exit");
    server.kill("SIGKILL");
  }
  rmSync(folder, { recursive: true, force: true });
});

test("the chart shows every type, by its numbers", async () => {
  const { data } = await overview();
  assert.ok(data.types.length >= 20);
  assert.equal(await page.locator("#type-rows tr").count(), 12);
  await page.locator("#more-types").click();
  const rows = page.locator("#type-rows tr");
  assert.equal(await rows.count(), data.types.length);
  const widths = await page.locator(".bar").evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
  assert.deepEqual(widths, widths.toSorted((a, b) => b - a));
  assert.ok(widths[0] > 4 * widths.at(-1), `${widths[0]} ${widths.at(-1)}`);
  const most = data.types.toSorted((a, b) => b.resources - a.resources)[0];
  assert.match(await rows.first().innerText(), new RegExp(`^${most.type}\\s+${most.resources.toLocaleString("en")}\\s`));
  await page.getByText("Log", { exact: true }).click();
  const onLog = await page.locator(".bar").last().evaluate((bar) => Number(bar.style.getPropertyValue("--part")));
  assert.ok(onLog > widths.at(-1) / widths[0]);
  assert.match(await page.locator("#facts").innerText(), new RegExp(`${PATIENTS}\\s+Patients|Patients\\s+${PATIENTS}`));
});

test("a mistake in a filter is underlined in its place while it is written", async () => {
  await asked(() => page.locator("#filter-1").fill("Observation?status=final&cod=x"), false);
  assert.equal(await page.locator(".mirror mark").innerText(), "cod");
  assert.match(await page.locator("#filter-1-slot").innerText(), /did you mean `code`/);
  assert.equal(await page.locator("#filter-1").getAttribute("aria-invalid"), "true");
  // The copy that is underlined lies exactly under what is written.
  const boxes = await page.locator(".edit > .mirror, .edit > textarea").evaluateAll((both) =>
    both.map((one) => [one.getBoundingClientRect(), getComputedStyle(one)]).map(([box, style]) => [box.x, box.y, box.width, box.height, style.font, style.padding]));
  assert.deepEqual(boxes[0], boxes[1]);
  await asked(() => page.locator("#filter-1").fill("Observation?status=final"), true);
  assert.equal(await page.locator(".mirror mark").count(), 0);
  assert.match(await page.locator("#plan").innerText(), /status=final/);
});

test("a refused start tells why beside the field, and starts nothing", async () => {
  await page.locator("#filter-1").fill("Observation?statu=final");
  await page.locator("#start").click();
  await page.waitForFunction(() => document.querySelector("#started").textContent === "Not started.");
  assert.match(await page.locator("#filter-1-slot").innerText(), /statu/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "filter-1");
  assert.equal(await page.locator(".job").count(), 0);
  await asked(() => page.locator("#filter-1").fill(""), true);
});

test("the keyboard alone composes and starts an export, which runs to its end", async () => {
  await page.reload();
  await page.waitForSelector('body[data-ready=""]');
  const press = (key) => page.keyboard.press(key);
  const at = () => page.evaluate(() => document.activeElement.id || document.activeElement.value);
  const tabTo = async (target) => {
    for (let presses = 0; presses < 200; presses += 1) {
      await press("Tab");
      if ((await at()) === target) return;
    }
    assert.fail(`Tab does not reach ${target}`);
  };
  await press("Tab");
  await press("Enter");
  await tabTo("Patient");
  await press("Space");
  await tabTo("Observation");
  assert.ok(await page.evaluate(() => document.activeElement.matches(":focus-visible")));
  await press("Space");
  await tabTo("filter-1");
  await page.keyboard.type("obs");
  await page.waitForSelector("[role=option]");
  await press("ArrowDown");
  await press("Enter");
  await page.keyboard.type("stat");
  await press("ArrowDown");
  await press("Enter");
  await page.keyboard.type("final");
  assert.equal(await page.locator("#filter-1").inputValue(), "Observation?status=final");
  await tabTo("start");
  await press("Enter");
  const bar = page.locator('.job[data-state="complete"] [role=progressbar]');
  await bar.waitFor(WAIT);
  assert.equal(await bar.getAttribute("aria-valuenow"), "100");
  assert.match(await page.locator("#started").innerText(), /Started/);
  assert.match(await page.locator(".job h3").innerText(), /^Everything · /);
});

test("a file of a finished export can be fetched, and holds what the list says", async () => {
  const row = page.locator(".files tbody tr", { hasText: "Patient" });
  await row.waitFor(WAIT);
  assert.equal(await row.locator("td").first().innerText(), String(PATIENTS));
  const [download] = await Promise.all([page.waitForEvent("download"), row.getByRole("link").click()]);
  assert.match(download.suggestedFilename(), /^Patient\..*ndjson$/);
  const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
  assert.equal(lines.length, PATIENTS);
  assert.ok(lines.every((line) => JSON.parse(line).resourceType === "Patient"));
});

test("the command that is shown starts the same, with patients in the body of a POST", async (t) => {
  try {
    execFileSync("curl", ["--version"], { stdio: "ignore" });
  } catch {
    return t.skip("there is no curl");
  }
  const id = JSON.parse(readFileSync(join(folder, "data", "Patient.ndjson"), "utf8").split("\n")[0]).id;
  await page.locator("#levels").getByText("Patients").click();
  await asked(() => page.locator("#patient").fill(`Patient/${id}`), true);
  const command = await page.locator("#curl").innerText();
  assert.match(command, /valueReference/);
  const answer = execFileSync("bash", ["-c", command], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  assert.match(answer, /^HTTP\/1.1 202 /);
  await page.locator(".job h3", { hasText: /^Patients/ }).first().waitFor(WAIT);
  await asked(() => page.locator("#patient").fill("nobody"), false);
  assert.match(await page.locator("#patient-slot").innerText(), /no such patient/);
});

test("data that is read anew is shown without a reload, and the choice of types stays", async () => {
  const line = '{"resourceType":"Basic","id":"late","code":{"text":"a type that was not there"}}\n';
  await page.getByRole("checkbox", { name: /^Observation/ }).check();
  writeFileSync(join(data, "Basic.ndjson"), line);
  const reloaded = await fetch(new URL("/admin/reload", url), { method: "POST" });
  assert.equal(reloaded.status, 200);
  await page.getByRole("checkbox", { name: /^Basic/ }).waitFor(WAIT);
  assert.ok(await page.getByRole("checkbox", { name: /^Observation/ }).isChecked());
});

test("deleting needs two presses", async () => {
  const job = page.locator('.job[data-state="complete"]').last();
  const id = await job.getAttribute("id");
  await job.getByRole("button", { name: "Delete" }).click();
  await job.getByRole("button", { name: "Really delete?" }).click();
  await page.locator(`#${id}[data-state="cancelled"]`).waitFor(WAIT);
  const gone = await fetch(new URL(`fhir/bulk-export/jobs/${id.slice(4)}`, url));
  assert.equal(gone.status, 404);
});

const VIEWS = [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
  ["phone-dark", { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: "dark", reducedMotion: "reduce" }],
];

for (const [name, options] of VIEWS) {
  test(`it fits and stands still: ${name}`, async () => {
    const view = await open(options);
    await view.waitForSelector(".job");
    await view.waitForSelector(ANSWERED);
    const seen = await view.evaluate(() => ({
      over: document.documentElement.scrollWidth - innerWidth,
      shifted: window.shifted,
      paper: getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number),
    }));
    assert.ok(seen.over <= 0, `${seen.over} pixels too wide`);
    assert.ok(seen.shifted < 0.01, `shifted by ${seen.shifted}`);
    assert.equal(seen.paper[0] < 60, options.colorScheme === "dark");
    await shot(view, name);
    await view.context().close();
  });
}

test("where a token is needed it is asked for, used, and kept nowhere", async () => {
  const state = join(folder, "closed");
  const scope = "system/Patient.read system/Group.read";
  const added = execFileSync(FHIREHOSE, ["client", "add", "tester", "--id", "tester", "--secret", "--scope", scope, "--state", state], { encoding: "utf8" });
  const secret = /^secret +(\S+)/m.exec(added)[1];
  const closed = await serve("closed", "--profile", "oracle");
  const view = await open({}, closed);
  await view.getByText("Patient", { exact: true }).last().click();
  await view.locator("#start").click();
  await view.waitForFunction(() => document.activeElement.id === "token");
  assert.match(await view.locator("#problems").innerText(), /access token is needed/);
  const answer = await fetch(new URL("fhir/auth/token", closed), {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`tester:${secret}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
  });
  const { access_token: token } = await answer.json();
  await view.locator("#token").fill(token);
  assert.ok(!(await view.locator("#curl").innerText()).includes(token));
  await view.locator("#start").click();
  const link = view.locator(".files a").first();
  await link.waitFor(WAIT);
  const [download] = await Promise.all([view.waitForEvent("download"), link.click()]);
  const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
  assert.ok(lines.every((line) => JSON.parse(line).resourceType === "Patient"));
  await shot(view, "token");
  const kept = await view.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  assert.deepEqual(kept, [0, 0, ""]);
  await view.reload();
  await view.waitForSelector('body[data-ready=""]');
  assert.equal(await view.locator("#token").inputValue(), "");
  await view.context().close();
});

test("nothing was complained of, and nobody else was asked", () => {
  assert.deepEqual(complaints, []);
  assert.deepEqual(foreign, []);
});

test("a server with an open page ends when it is told to", async () => {
  const [server] = servers;
  const ended = new Promise((resolve) => {
    server.removeAllListeners("exit");
    server.on("exit", resolve);
  });
  const begun = Date.now();
  server.kill("SIGTERM");
  await ended;
  assert.ok(Date.now() - begun < 10_000, "the page's stream held the server up");
});

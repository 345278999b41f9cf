// The page for people: puts its parts together.

import { askJson, fhirBase, setBase, setToken } from "./api.js";
import { setUpChart, showData } from "./data.js";
import { byId, copy, h, write } from "./dom.js";
import { chooseGroup, setUpForm, showTypes } from "./form.js";
import { startedHere, watchJobs } from "./jobs.js";

function server(facts) {
  write(byId("version"), facts.version);
  write(byId("base"), fhirBase());
  const tags = [
    facts.profile === "oracle" ? "Oracle Bulk Export" : facts.profile === "ig4" ? "Bulk Data Access, version 4" : "Bulk Data Access",
    `FHIR ${facts.fhirVersion}`,
    facts.open ? "Open to this machine, no token needed" : "Access by token",
  ];
  byId("tags").replaceChildren(...tags.map((text) => h("span", { text })));
  byId("token-row").hidden = facts.open;
  byId("browser-page").hidden = !facts.hasBrowserPage;
}

async function open() {
  byId("copy-base").addEventListener("click", (event) => copy(fhirBase(), event.target));
  byId("token").addEventListener("input", (event) => setToken(event.target.value));
  try {
    const facts = await askJson("/page/overview");
    setBase(facts.base, facts.path ?? new URL(facts.base).pathname);
    server(facts);
    const hasGroups = facts.doors.some((door) => door.level === "group");
    setUpChart();
    showData(facts.data, hasGroups ? chooseGroup : null);
    setUpForm(facts, startedHere);
    watchJobs(facts.data.scanned, async () => {
      const { data } = await askJson("/page/overview");
      showData(data, hasGroups ? chooseGroup : null);
      showTypes(data);
    });
    document.body.dataset.ready = "";
  } catch (error) {
    const notice = byId("notice");
    notice.hidden = false;
    write(notice, error.message);
    document.body.dataset.ready = "refused";
  }
}

open();

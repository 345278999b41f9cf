// The demo page: puts its parts together once the engine is there.

import { init } from "./fhirehose/index.js";
import { byId, write } from "./dom.js";
import { setUpFetching } from "./fetching.js";
import { keepForOffline } from "./offline.js";
import { later, setUpRequest } from "./request.js";
import { nameStart, setUpRun } from "./run.js";
import { setUpServer } from "./server.js";
import { setUpSource } from "./source.js";

async function open() {
  let isReady = false;
  const changed = () => {
    if (!isReady) return;
    nameStart();
    later();
  };
  try {
    await init();
    setUpServer(changed);
    setUpSource(changed);
    setUpRequest();
    setUpRun();
    await setUpFetching();
    isReady = true;
    nameStart();
    document.body.dataset.ready = "";
  } catch (error) {
    byId("notice").hidden = false;
    write(byId("notice"), error.message);
    document.body.dataset.ready = "refused";
  }
  keepForOffline();
}

open();

// The page's own files are kept by the browser, so that it works without a network.

/** Browsers allow that on https and on this machine; elsewhere the page works as long as it is open. */
export async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
    document.body.dataset.offline = "";
  } catch {
    // Private windows and full disks refuse; nothing else depends on it.
  }
}

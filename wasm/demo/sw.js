// Keeps the page's own files, of one build at a time, and answers for nothing else: no data, no other server.

// Both are written by scripts/wasm-demo; a new build is another script, which browsers take once all tabs of the old are closed.
const BUILD = "@BUILD@";
const FILES = ["@FILES@"];

const PREFIX = "fhirehose-page-";
const CACHE = PREFIX + BUILD;
const own = new Map(FILES.map((name) => [new URL(name, registration.scope).href, name]));
own.set(registration.scope, "index.html");

addEventListener("install", (event) => {
  const requests = FILES.map((name) => new Request(new URL(name, registration.scope), { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(tidy());
});

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const [address] = url.split(/[?#]/);
  const name = method === "GET" ? own.get(address) : undefined;
  if (name === undefined) return;
  event.respondWith((async () => (await (await caches.open(CACHE)).match(new URL(name, registration.scope))) ?? fetch(event.request))());
});

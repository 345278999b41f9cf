// The bench in a browser: the rounds in a worker, then much data through a stream while the page is watched.

const ask = (message) =>
  new Promise((resolve, reject) => {
    const worker = new Worker("./worker.js", { type: "module" });
    worker.onmessage = ({ data }) => (worker.terminate(), data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message || "the worker does not load"));
    worker.postMessage(message);
  });

try {
  const count = Number(new URLSearchParams(location.search).get("rounds") ?? 5);
  const gigabytes = Number(new URLSearchParams(location.search).get("gigabytes") ?? 2);
  const best = count > 0 ? await ask({ kind: "rounds", count }) : {};
  let longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration)))).observe({ type: "longtask" });
  let frames = 0;
  let last = performance.now();
  let gap = 0;
  const frame = (now) => {
    gap = Math.max(gap, now - last);
    last = now;
    frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const large = await ask({ kind: "large", bytes: gigabytes * 1e9 });
  window.done = { best, large: { ...large, longestTask: longest, longestFrame: gap, frames } };
} catch (error) {
  window.done = { error: error.stack };
}

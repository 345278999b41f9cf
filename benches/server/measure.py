"""Times of kick-offs, downloads and status requests, held beside what the command line takes for the same."""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "compare")]

import inputs  # noqa: E402
from serving import Server  # noqa: E402

# The requests of benches/compare's T1 and T3, over its mixed stream.
ASKED = {
    "T1": ("_type=Observation,Condition", ["--type", "Observation,Condition"]),
    "T3m": (
        "_type=Observation&_typeFilter=Observation%3Fcategory%3Dlaboratory%26date%3Dge2015-01-01",
        ["--type", "Observation", "--type-filter", "Observation?category=laboratory&date=ge2015-01-01"],
    ),
}

POLLERS = 200
DOWNLOADS = 50
# Together they take what a network of 1 Gbit/s carries.
SLICE = 2_500_000


def middle(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def told(verdict: bool, text: str) -> None:
    print(f"{'holds ' if verdict else 'MISSES'}  {text}", flush=True)


def by_command_line(setting, out: Path, options: list[str], compress: str) -> float:
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    command = [setting.fhirehose, "export", setting.input, "-o", out, "--compress", compress]
    begun = time.perf_counter()
    subprocess.run([*command, "--threads", str(setting.threads), *options], check=True, capture_output=True)
    return time.perf_counter() - begun


def by_server(server: Server, query: str) -> tuple[float, str, dict]:
    os.sync()
    begun = time.perf_counter()
    status = server.kick_off(query)
    server.until_idle()
    manifest = server.json(status)
    return time.perf_counter() - begun, status, manifest


def same(server: Server, manifest: dict, out: Path) -> bool:
    """Whether both have the same files, byte for byte as they are stored."""
    written = json.loads((out / "manifest.json").read_text())["output"]
    if [(item["type"], item["count"]) for item in written] != [(item["type"], item["count"]) for item in manifest["output"]]:
        return False
    for own, other in zip(manifest["output"], written):
        if server.digest(own["url"]) != hashlib.sha256((out / other["url"]).read_bytes()).digest():
            return False
    return True


def kick_off(setting) -> None:
    """From the kick-off to the manifest, beside the command line's time for the same request and compression."""
    out = setting.work / "server" / "out"
    for compress in ["none", "gzip"]:
        server = Server(setting, "kick-off", ["--compress", compress])
        for name, (query, options) in ASKED.items():
            own, other, more = [], [], []
            for number in range(setting.runs + 1):
                seconds = by_command_line(setting, out, options, compress)
                took, status, manifest = by_server(server, query)
                # The first round warms.
                if number:
                    own.append(took)
                    other.append(seconds)
                    more.append(took - seconds)
                if number == setting.runs:
                    told(same(server, manifest, out), f"{name} {compress}: the same files, byte for byte")
                server.request("DELETE", status)
            told(
                statistics.median(more) <= 0.3,
                f"{name} {compress}: {middle(own)} s, command line {middle(other)} s, more: {middle(more)} s (bound 0.3)",
            )
        server.stop()
    shutil.rmtree(out, ignore_errors=True)


def wrk(setting, script: str, urls: list[str], connections: int, seconds: int, delay: int = 0) -> subprocess.Popen:
    """Starts wrk: every request takes one of the URLs, and each connection waits so many milliseconds before it,
    on average: clients that are asked for nothing else do not come all at once."""
    lua = setting.work / "server" / f"{script}.lua"
    paths = ", ".join(json.dumps(re.sub(r"^https?://[^/]+", "", url)) for url in urls)
    slice_of = f'wrk.headers["Range"] = "bytes=" .. at .. "-" .. (at + {SLICE} - 1)' if script == "slices" else ""
    lua.write_text(
        f"""local paths = {{ {paths} }}
local number = 0
function setup(thread) number = number + 1; thread:set("start", number * 7919) end
function init() math.randomseed(start) end
function delay() return math.random(0, {2 * delay}) end
function request()
  local at = math.random(0, 40) * 1000000
  wrk.headers["Accept-Encoding"] = "gzip"
  {slice_of}
  return wrk.format("GET", paths[math.random(#paths)])
end
"""
    )
    root = re.match(r"^https?://[^/]+", urls[0])[0]
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "20s", "--latency", "-s", str(lua), root]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_wrk(process: subprocess.Popen) -> dict:
    """Bytes a second, p99 in milliseconds, requests, and answers that were no success."""
    text, _ = process.communicate()
    units = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "us": 0.001, "ms": 1, "s": 1000, "m": 60_000}
    found = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", text)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: (.*)", text)
    return {
        "bytes": float(found[1]) * units[found[2]],
        "p99": float(late[1]) * units[late[2]] if late else 0.0,
        "requests": int(re.search(r"(\d+) requests in", text)[1]),
        "wrong": int(wrong[1]) if wrong else 0,
        "errors": errors[1] if errors else "none",
    }


def downloads(setting) -> None:
    """Eight clients that take whole files as fast as they can."""
    for compress in ["none", "gzip"]:
        server = Server(setting, "downloads", ["--compress", compress])
        _, _, manifest = by_server(server, ASKED["T1"][0])
        largest = max(manifest["output"], key=lambda item: item["count"])
        server.digest(largest["url"])
        found = read_wrk(wrk(setting, "files", [largest["url"]], 8, setting.seconds))
        rate = found["bytes"] / 1e9
        told(rate >= 1 and found["wrong"] == 0, f"8 downloads, stored {compress}: {rate:.2f} GB/s (bound 1), errors: {found['errors']}")
        server.stop()


def load(setting) -> None:
    """Pollers and downloads while a job runs."""
    server = Server(setting, "load", ["--compress", "none"])
    query = ASKED["T1"][0]
    states, manifest = [], {}
    for _ in range(3):
        _, status, manifest = by_server(server, query)
        states.append(status)
    for _ in range(60):
        states.append(server.kick_off("_type=Basic"))
        server.until_idle()
    largest = max(manifest["output"], key=lambda item: item["count"])
    alone = [by_server(server, query)[0] for _ in range(setting.runs)]
    for name, has_pollers, script, connections, delay in [
        ("200 pollers, once a second each", True, None, 0, 0),
        ("200 pollers and 50 downloads that take 1 Gbit/s together", True, "slices", DOWNLOADS, 1000),
        ("200 pollers and 50 downloads as fast as they can", True, "files", DOWNLOADS, 0),
    ]:
        seconds = max(setting.seconds, int(statistics.median(alone) * 6) + 2)
        status = server.kick_off(query)
        running = [wrk(setting, "pollers", [*states, status], POLLERS, seconds, 1000)]
        if script:
            running.append(wrk(setting, script, [largest["url"]], connections, seconds, delay))
        server.until_idle()
        # Each connection has been waiting its second by now.
        begun = time.perf_counter()
        jobs = []
        while time.perf_counter() - begun < seconds - 2 - 2 * max(alone):
            jobs.append(by_server(server, query)[0])
        found = [read_wrk(process) for process in running]
        pollers = found[0]
        slower = statistics.median(jobs) / statistics.median(alone) - 1 if jobs else float("nan")
        rate = found[1]["bytes"] / 1e6 if script else 0
        print(f"        {name}: {len(jobs)} jobs, {middle(jobs)} s each, alone {middle(alone)} s; {rate:.0f} MB/s of downloads")
        told(pollers["p99"] < 50, f"{name}: p99 of a status request {pollers['p99']:.1f} ms of {pollers['requests']} (bound 50), {pollers['wrong']} told to wait")
        told(slower < 0.2, f"{name}: the job is {slower:+.0%} slower (bound 20 %)")
    peak = server.peak()
    told(peak < 300, f"peak memory of the server {peak:.0f} MB (bound 300)")
    server.stop()
    idle(setting)


def idle(setting) -> None:
    """A thousand connections that say nothing."""
    server = Server(setting, "idle", [])
    silent = [socket.create_connection(server.address) for _ in range(1000)]
    times = [server.timed("GET", server.base + "/metadata") for _ in range(50)]
    told(max(times) < 0.5, f"1000 idle connections: /metadata within {max(times) * 1000:.1f} ms")
    for connection in silent:
        connection.close()
    server.stop()


def disk(folder: Path) -> str:
    """What the disk takes to keep a page: no kick-off is answered before that."""
    times = []
    with (folder / "page").open("wb") as file:
        for _ in range(300):
            file.write(b"x" * 8192)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    (folder / "page").unlink()
    times.sort()
    return f"{times[150]:.2f} ms, p99 {times[297]:.2f} ms"


def jobs(setting) -> None:
    """A store full of jobs, and a start over data that is known."""
    data = setting.work / "server" / "small"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    (data / "a.ndjson").write_text('{"resourceType":"Patient","id":"a"}\n')
    server = Server(setting, "jobs", ["--max-queued", "100000"], data)
    server.kick_off("_type=Patient")
    server.until_idle()
    server.stop()
    state = setting.work / "server" / "state-jobs"
    begun = time.perf_counter()
    subprocess.run([setting.many_jobs, state / "jobs.db", str(setting.jobs)], check=True, stdout=subprocess.DEVNULL)
    print(f"        {setting.jobs} jobs made in {time.perf_counter() - begun:.0f} s, the store has {(state / 'jobs.db').stat().st_size / 1e6:.0f} MB")
    server = Server(setting, "jobs", ["--max-queued", "100000"], data, fresh=False)
    ids = [f"{server.base}/bulk-export/jobs/made-{number}" for number in range(setting.jobs)]
    random.seed(1)
    status = [server.timed("GET", random.choice(ids)) for _ in range(1000)]
    kicked = []
    for _ in range(200):
        kicked.append(server.timed("GET", f"{server.base}/$export?_type=Patient", server.ASYNC, 202))
        server.until_idle()
    for name, times in [("status", status), ("kick-off", kicked)]:
        times.sort()
        p50, p99 = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
        told(p50 < 10 and p99 < 10, f"{setting.jobs} jobs in the store: {name} {p50:.2f} ms, p99 {p99:.2f} ms of {len(times)} (bound 10)")
    server.stop()
    print(f"        a page onto this disk alone (fsync): {disk(state)}")
    large = Path(setting.large or setting.input.parent)
    first = Server(setting, "jobs", [], large, fresh=False)
    print(f"        first start over {large.name}: {first.started:.2f} s")
    first.stop()
    starts = []
    for _ in range(setting.runs):
        again = Server(setting, "jobs", [], large, fresh=False)
        starts.append(again.started)
        again.stop()
    size = sum(path.stat().st_size for path in large.iterdir()) / 1e9
    told(max(starts) < 1, f"start over {size:.1f} GB that is known, {setting.jobs} jobs in the store: {middle(starts)} s (bound 1)")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ["data", "work", "fhirehose", "many-jobs"]:
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, default in [("copies", 6), ("runs", 5), ("threads", 2), ("seconds", 10), ("jobs", 10_000)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--large")
    parser.add_argument("--only", default="kick-off,downloads,load,jobs")
    setting = parser.parse_args()
    mixed = inputs.prepare(setting.data, setting.work, setting.copies).mixed
    folder = setting.work / "server" / f"data-{setting.copies}"
    folder.mkdir(parents=True, exist_ok=True)
    setting.input = folder / "mixed.ndjson"
    if not setting.input.exists():
        os.link(mixed, setting.input)
    print(f"        {setting.input.stat().st_size / 1e9:.2f} GB, load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors", flush=True)
    parts = {"kick-off": kick_off, "downloads": downloads, "load": load, "jobs": jobs}
    for part in setting.only.split(","):
        parts[part](setting)
    print(f"        load average {os.getloadavg()[0]:.1f}")


main()

"""Measures `fhirehose pull` against `fhirehose serve` over loopback; run by ./run."""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

T3 = ["--type", "Observation", "--type-filter", "Observation?category=laboratory&date=ge2015-01-01"]


class Server:
    """`fhirehose serve` over the data, on a port of its own."""

    def __init__(self, args, name, more):
        state = os.path.join(args.work, f"state-{name}")
        shutil.rmtree(state, ignore_errors=True)
        command = [args.fhirehose, "serve", "--data", args.data, "--open", "--listen", "127.0.0.1:0",
                   "--no-watch", "--state", state, *more]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.base = None
        for line in self.process.stderr:
            found = re.search(r"FHIR base ([^)]*)\)", line)
            if found:
                self.base = found[1]
                break
        if not self.base:
            sys.exit("the server does not start")

    def cpu(self):
        """Seconds of processor that the server has taken so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def pull(args, words, out):
    """One pull: its report, seconds, seconds of processor and peak memory in megabytes."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    begun = time.monotonic()
    process = subprocess.Popen(
        [args.fhirehose, "pull", *words, "-o", out, "--keep-job", "--parallel", str(args.parallel), "--report", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begun
    if status != 0:
        sys.exit(f"the pull fails: {words}")
    return json.loads(text), took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def verdict(holds):
    return "holds" if holds else "MISSES"


def downloads(args):
    """Unfiltered and filtered downloads of one job that is done, by turns."""
    out = os.path.join(args.work, "out")
    rates = {}
    for name, more in [("gzip", []), ("plain", ["--compress", "none"])]:
        server = Server(args, name, ["--max-bytes", "64MB", *more])
        first, *_ = pull(args, [server.base, "--system", "--type", "Observation", "--no-checksums"], out)
        job, size = first["statusUrl"], first["sent"]["bytes"]
        ways = {
            "unfiltered": [],
            "unfiltered, no SHA256SUMS": ["--no-checksums"],
            "T3's filter": T3,
        }
        kept = {way: set() for way in ways}
        times = {way: [] for way in ways}
        work = {way: [] for way in ways}
        peak = {way: 0 for way in ways}
        for _ in range(args.runs):
            for way, words in ways.items():
                before = server.cpu()
                report, took, cpu, memory = pull(args, [server.base, "--job", job, *words], out)
                if report["sent"]["bytes"] != size:
                    sys.exit(f"{way}: other bytes came than before")
                kept[way].add(report["kept"])
                times[way].append(took)
                work[way].append((cpu, server.cpu() - before))
                peak[way] = max(peak[way], memory)
        for way in ways:
            if len(kept[way]) != 1:
                sys.exit(f"{way}: other counts in other rounds")
            took = statistics.median(times[way])
            rates[name, way] = took
            client, served = (statistics.median(part) for part in zip(*work[way]))
            print(f"stored {name}, {way}: {size / took / 1e9:.2f} GB/s of NDJSON ({took:.2f} s, {first['sent']['files']} files, "
                  f"{kept[way].pop():,} kept; CPU {client:.2f} s client, {served:.2f} s server; {peak[way]:.0f} MB)")
        whole, some = rates[name, "unfiltered"], rates[name, "T3's filter"]
        print(f"{verdict(size / whole >= 1e9)}: stored {name}, unfiltered, 1 GB/s")
        print(f"{verdict(some <= 1.2 * whole)}: stored {name}, T3's filter takes {some / whole:.2f} of that (1.2)")
        print(f"{verdict(max(peak.values()) < 150)}: {max(peak.values()):.0f} MB of memory (150)")
        server.stop()


def many(args):
    """Twenty thousand small files."""
    server = Server(args, "many", ["--max-resources", str(args.lines)])
    out = os.path.join(args.work, "out")
    report, took, _, memory = pull(args, [server.base, "--system"], out)
    print(f"whole export as files of {args.lines} lines: {report['sent']['files']:,} files, {report['sent']['bytes'] / 1e9:.1f} GB, "
          f"job and all {took:.1f} s; {memory:.0f} MB")
    job = report["statusUrl"]
    times = []
    for _ in range(min(args.runs, 3)):
        report, took, _, memory = pull(args, [server.base, "--job", job], out)
        times.append(took)
    took = statistics.median(times)
    print(f"{verdict(took < 60)}: {report['sent']['files']:,} files of a job that is done in {took:.1f} s (60)")
    print(f"{verdict(memory < 150)}: {memory:.0f} MB of memory (150)")
    server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--fhirehose", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--only", default="downloads,many")
    args = parser.parse_args()
    version = subprocess.run([args.fhirehose, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    print(f"{version}, {os.cpu_count()} processors, {model[1] if model else platform.machine()}, {platform.system()} {platform.release()}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for part in args.only.split(","):
        {"downloads": downloads, "many": many}[part](args)


if __name__ == "__main__":
    main()

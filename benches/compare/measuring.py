"""One run of one tool, what it wrote, and on what machine."""

import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tasks import Setting, Tool


def warm(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def measure(tool: Tool) -> dict:
    """One run: seconds, processor seconds, peak memory. A script of Python tells its own seconds."""
    for old in Path(".").iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    Path("out").mkdir()
    # A child has Python's memory before its exec, and would be told to have used it; GNU time is small.
    timer = ["time", "-q", "-f", "%M", "-o", "peak"] if shutil.which("time") else []
    # What the tool before has written shall not be stored on this one's time.
    os.sync()
    start = time.perf_counter()
    with open("said", "wb") as said, open("complaints", "wb") as complaints:
        environment = {**os.environ, **tool.environment}
        process = subprocess.Popen([*timer, *tool.command], stdout=said, stderr=complaints, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.stderr.write(f"{tool.name} failed: {Path('complaints').read_text(errors='replace')[-500:]}\n")
        return {"ok": False, "wall": wall, "seconds": wall, "cpu": 0.0, "peak_kib": 0}
    run = {
        "ok": True,
        "wall": wall,
        "seconds": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kib": int(Path("peak").read_text()) if timer else usage.ru_maxrss,
    }
    said_text = Path("said").read_bytes()
    if tool.tells_seconds:
        run.update(json.loads(said_text))
    elif report := reported(said_text):
        run["report"] = report
    return run


def reported(said: bytes) -> dict | None:
    """Of fhirehose's report as JSON: lines read and kept, and how often a cohort's export went over its input."""
    try:
        told = json.loads(said)
        return {"lines": told["read"], "kept": told["kept"], "passes": len(told.get("passes", [])) or 1}
    except (ValueError, KeyError, TypeError):
        return None


def check(raw: bool) -> dict:
    """Lines of the output by type and, of a tool that keeps them as they came, a hash of all lines in any order."""
    types: Counter[str] = Counter()
    hashes = []
    for path in sorted(Path("out").rglob("*")):
        if not re.search(r"\.(ndjson|ndjson\.gz|csv)$", path.name):
            continue
        named = re.search(r"type=(\w+)", str(path))
        type_name = named.group(1) if named else path.name.split(".")[0]
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line in file:
                types[type_name] += 1
                if raw:
                    hashes.append(hashlib.sha256(line).digest())
    found: dict = {"lines": types.total(), "types": dict(sorted(types.items()))}
    if raw:
        found["sha256"] = hashlib.sha256(b"".join(sorted(hashes))).hexdigest()
    return found


def machine() -> dict:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "cores": os.cpu_count(),
        "model": model,
        "memory_bytes": memory,
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions(setting: Setting) -> dict[str, str]:
    """Of every tool that is there."""
    found = {"fhirehose": first_line([setting.fhirehose, "--version"]), "cp": first_line(["cp", "--version"])}
    source = Path(__file__).resolve().parent
    found["commit"] = first_line(["git", "-C", str(source), "describe", "--always", "--dirty"])
    for name in ["jq", "jaq"]:
        if binary := getattr(setting, name):
            found[name] = first_line([binary, "--version"])
    if setting.python:
        found["python"] = first_line([setting.python, "--version"])
        script = "import importlib.metadata as m\nfor n in ['duckdb', 'chdb', 'chdb-core', 'polars', 'orjson']: print(n, m.version(n))"
        told = subprocess.run([setting.python, "-I", "-c", script], capture_output=True, text=True, check=False).stdout
        found.update(line.split(" ", 1) for line in told.splitlines())
    return found


def first_line(command: list[str]) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return told.splitlines()[0] if told else "unknown"

"""Runs the tools of each task in turns, checks that they agree, and prints what they took.

Only ratios of one round count: the tools of a round run one after the other on the same machine in the same state.
"""

import argparse
import datetime
import glob
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tasks import Setting, Task, Tool, tasks  # noqa: E402

# A tool that has taken this long on a task is left out of the rounds that follow.
PATIENCE_SECONDS = 60.0


def main() -> None:
    options = arguments()
    work = Path(options.work).resolve()
    setting = Setting(
        fhirehose=str(Path(options.fhirehose).resolve()),
        python=str(Path(options.python).absolute()),
        here=Path(__file__).resolve().parent,
        plain=work / "plain",
        packed=work / "packed",
        threads=options.threads,
        jaq=shutil.which("jaq"),
    )
    prepare(Path(options.data), setting)
    for name, there in [("jq", shutil.which("jq")), ("jaq", setting.jaq)]:
        if not there:
            print(f"{name} is not installed: skipped")
    print("ClickHouse-local is in no package registry: skipped")
    (work / "run").mkdir(exist_ok=True)
    os.chdir(work / "run")
    facts = machine()
    print(f"{facts['cores']} cores of {facts['model']}, {facts['kernel']}; {options.threads} threads each")
    wanted = [task for task in tasks(setting) if task.key in options.tasks.split(",")]
    results = [run_task(task, options, setting) for task in wanted]
    if options.record:
        record(Path(options.root), options.record, facts, options, results, setting)
    if not all(result["agree"] for result in results):
        sys.exit("the tools do not agree")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ["data", "work", "fhirehose", "python", "root"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tasks", default="a,b,c,d")
    parser.add_argument("--tools", default="")
    parser.add_argument("--record", default="")
    return parser.parse_args()


def prepare(data: Path, setting: Setting) -> None:
    """Plain files of all types, and the Observations as gzip. Done once for a work folder."""
    setting.plain.mkdir(exist_ok=True)
    setting.packed.mkdir(exist_ok=True)
    for source in sorted(data.glob("*.ndjson")) + sorted(data.glob("*.ndjson.gz")):
        target = setting.plain / source.name.removesuffix(".gz")
        if not target.exists():
            opened = gzip.open(source) if source.suffix == ".gz" else source.open("rb")
            with opened as read, target.open("wb") as write:
                shutil.copyfileobj(read, write, 1 << 18)
    packed = setting.packed / "Observation.ndjson.gz"
    if not packed.exists():
        observation = setting.plain / "Observation.ndjson"
        subprocess.run(["bash", "-c", f"gzip -6 <'{observation}' >'{packed}'"], check=True)


def run_task(task: Task, options: argparse.Namespace, setting: Setting) -> dict:
    """All rounds of a task."""
    only = {name.strip().lower() for name in options.tools.split(",") if name.strip()}
    chosen = [tool for tool in task.tools if not only or tool.name == "fhirehose" or named(tool, only)]
    size = sum(path.stat().st_size for path in task.inputs)
    print(f"\n({task.key}) {task.title}: {size / 1e6:.0f} MB")
    for path in task.inputs:
        warm(path)
    runs: dict[str, list[dict]] = {tool.name: [] for tool in chosen}
    checks: dict[str, dict] = {}
    for number in range(options.runs):
        # Another tool begins each round, so that none always runs behind the same one.
        turn = number % len(chosen)
        for tool in chosen[turn:] + chosen[:turn]:
            if sum(run["wall"] for run in runs[tool.name]) > PATIENCE_SECONDS:
                continue
            run = measure(tool)
            run["round"] = number
            runs[tool.name].append(run)
            if tool.name not in checks and not tool.floor and run["ok"]:
                checks[tool.name] = check(tool)
    # More than the threads given: others were at work on the machine, and only ratios can be read.
    load = os.getloadavg()[0]
    agree = agreement(chosen, checks, runs)
    table(chosen, runs, checks, size)
    return {
        "task": task.key,
        "title": task.title,
        "bytes": size,
        "agree": agree,
        "load_average": load,
        "tools": {tool.name: {"check": checks.get(tool.name), "runs": runs[tool.name]} for tool in chosen},
    }


def named(tool: Tool, only: set[str]) -> bool:
    return tool.name.lower() in only or tool.name.lower().split(",")[0] in only or tool.floor


def warm(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def measure(tool: Tool) -> dict:
    """One run: seconds, processor seconds, peak memory. A query tells its own seconds."""
    for old in Path(".").iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    if tool.needs_folder:
        Path("out").mkdir()
    # A child has Python's memory before its exec, and would be told to have used it; GNU time is small.
    timer = ["time", "-q", "-f", "%M", "-o", "peak"] if shutil.which("time") else []
    # What the tool before has written shall not be stored on this one's time.
    os.sync()
    start = time.perf_counter()
    with open("said", "wb") as said, open("complaints", "wb") as complaints:
        process = subprocess.Popen([*timer, *tool.command], stdout=said, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.stderr.write(f"{tool.name} failed: {Path('complaints').read_text(errors='replace')[-500:]}\n")
    run = {
        "ok": process.returncode == 0,
        "wall": wall,
        "seconds": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kib": int(Path("peak").read_text()) if timer else usage.ru_maxrss,
    }
    if tool.tells_seconds and run["ok"]:
        run.update(json.loads(Path("said").read_text()))
    return run


def check(tool: Tool) -> dict:
    """Lines of the output and, of a tool that keeps them as they came, the hash of the sorted lines."""
    files = " ".join(f"'{path}'" for path in sorted(glob.glob(tool.output)))
    read = f"{'gzip -dc' if '.gz' in files else 'cat'} {files}"
    found: dict = {"lines": int(told(f"{read} | wc -l"))}
    if tool.raw:
        found["sha256"] = told(f"{read} | LC_ALL=C sort | sha256sum").split()[0]
    return found


def told(line: str) -> str:
    return subprocess.check_output(["bash", "-o", "pipefail", "-c", line], text=True)


def agreement(tools: list[Tool], checks: dict[str, dict], runs: dict[str, list[dict]]) -> bool:
    wanted = checks.get("fhirehose")
    agree = wanted is not None and all(run["ok"] for run in runs["fhirehose"])
    for tool in tools:
        if tool.floor or wanted is None:
            continue
        found = checks.get(tool.name)
        if found is None or found["lines"] != wanted["lines"] or (tool.raw and found["sha256"] != wanted["sha256"]):
            print(f"{tool.name} disagrees: {found} and not {wanted}")
            agree = False
    return agree


def ratios(other: list[dict], own: list[dict]) -> list[float]:
    """Pair by pair, of the rounds that both ran in."""
    by_round = {run["round"]: run["seconds"] for run in own}
    return [run["seconds"] / by_round[run["round"]] for run in other if run["round"] in by_round]


def table(tools: list[Tool], runs: dict[str, list[dict]], checks: dict[str, dict], size: int) -> None:
    head = f"{'tool':24}{'lines':>9}{'median s':>10}{'min s':>8}{'MB/s':>7}{'cpu s':>8}{'peak MB':>9}"
    print(f"{head}  × fhirehose (min…max)")
    best: tuple[float, str] | None = None
    for tool in tools:
        done = [run for run in runs[tool.name] if run["ok"]]
        if not done:
            print(f"{tool.name:24}{'failed':>9}")
            continue
        seconds = [run["seconds"] for run in done]
        median = statistics.median(seconds)
        pairs = ratios(done, runs["fhirehose"])
        if tool.family == "DuckDB" and (best is None or median < best[0]):
            best = (median, tool.name)
        print(
            f"{tool.name:24}{checks.get(tool.name, {}).get('lines', '-'):>9}{median:>10.3f}{min(seconds):>8.3f}"
            f"{size / 1e6 / median:>7.0f}{statistics.median(run['cpu'] for run in done):>8.2f}"
            f"{max(run['peak_kib'] for run in done) * 1024 / 1e6:>9.0f}"
            f"  {statistics.median(pairs):.2f} ({min(pairs):.2f}…{max(pairs):.2f})"
        )
    if best:
        print(f"DuckDB's best way: {best[1]}")


def machine() -> dict:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {"cores": os.cpu_count(), "model": model, "kernel": f"{platform.system()} {platform.release()}"}


def record(
    root: Path, name: str, facts: dict, options: argparse.Namespace, results: list[dict], setting: Setting
) -> None:
    """The raw numbers of every run, under benches/runs."""
    folder = root / "benches" / "runs" / f"{datetime.date.today().isoformat()}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(path.stat().st_size for path in setting.plain.glob("*.ndjson"))
    commit = subprocess.check_output(["git", "-C", str(root), "rev-parse", "HEAD"], text=True).strip()
    facts = {**facts, "threads": options.threads, "rounds": options.runs, "data_bytes": size, "commit": commit}
    target = folder / f"compare-{round(size / 1e6)}MB.json"
    target.write_text(json.dumps({"machine": facts, "tasks": results}, indent=1) + "\n")
    print(f"\nrecorded in {target.relative_to(root)}")


if __name__ == "__main__":
    main()

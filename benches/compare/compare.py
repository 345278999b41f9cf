"""Runs the tools of each task in turns, checks that they agree, and prints what they took.

Only ratios of one round count: the tools of a round run one after the other on the same machine in the same state.
"""

import argparse
import datetime
import json
import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import inputs  # noqa: E402
import table  # noqa: E402
from measuring import check, machine, measure, versions, warm  # noqa: E402
from tasks import KEYS, SLICE_JUDGE, Setting, Task, Tool, tasks  # noqa: E402

# A way that was this much slower than its family's best in two rounds is left out of the others.
HOPELESS = 1.25


def main() -> None:
    options = arguments()
    work = Path(options.work).resolve()
    there = shutil.which
    setting = Setting(
        fhirehose=str(Path(options.fhirehose).resolve()),
        inputs=inputs.prepare(Path(options.data), work, options.copies),
        threads=options.threads,
        all_ways=options.all_ways == "yes",
        python=str(Path(options.python).absolute()) if options.python else None,
        floor=str(Path(options.floor).resolve()) if options.floor else None,
        jq=there("jq"),
        jaq=there("jaq", path=f"{work}/jaq/bin:{os.environ.get('PATH', '')}"),
    )
    for name in ["python", "floor", "jq", "jaq"]:
        if getattr(setting, name) is None:
            print(f"{name} is not there: skipped")
    (work / "run").mkdir(exist_ok=True)
    os.chdir(work / "run")
    facts = {**machine(), "versions": versions(setting)}
    print(f"{facts['cores']} cores of {facts['model']}, {facts['kernel']}; {options.threads} threads each")
    wanted = [task for task in tasks(setting) if task.key in options.tasks.split(",")]
    started = time.monotonic()
    results = [run_task(task, options) for task in wanted]
    shutil.rmtree(work / "run")
    found = {"machine": facts, "threads": options.threads, "rounds": options.runs, "tasks": results}
    table.verdicts(results)
    print(f"\n{time.monotonic() - started:.0f} s in all")
    if options.record:
        record(Path(options.root), options.record, found)
    if not all(result["agree"] for result in results):
        sys.exit("the tools do not agree")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ["data", "work", "fhirehose", "root"]:
        parser.add_argument(f"--{name}", required=True)
    for name in ["python", "floor", "tools", "record", "all-ways"]:
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--tasks", default=",".join(KEYS))
    for name, value in [("copies", 1), ("runs", 5), ("threads", 2)]:
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def run_task(task: Task, options: argparse.Namespace) -> dict:
    """All rounds of a task."""
    only = [name.strip().lower() for name in options.tools.split(",") if name.strip()]
    chosen = [tool for tool in task.tools if not only or any(named(tool, name) for name in ["fhirehose", *only])]
    size = sum(path.stat().st_size for path in task.inputs)
    print(f"\n({task.key}) {task.title}: {size / 1e6:.0f} MB", flush=True)
    for path in task.inputs:
        warm(path)
    runs: dict[str, list[dict]] = {tool.name: [] for tool in chosen}
    checks: dict[str, dict] = {}
    loads = [os.getloadavg()[0]]
    for number in range(options.runs):
        # Another tool begins each round, so that none always runs behind the same one.
        turn = number % len(chosen)
        for tool in chosen[turn:] + chosen[:turn]:
            own = runs[tool.name]
            if spent(tool, own) or hopeless(tool, chosen, runs):
                continue
            run = measure(tool)
            own.append({"round": number, "bytes": tool.slice.stat().st_size if tool.slice else size, **run})
            if tool.name not in checks and not tool.floor and run["ok"]:
                checks[tool.name] = check(tool.raw)
        loads.append(os.getloadavg()[0])
    result = {
        "task": task.key,
        "title": task.title,
        "bytes": size,
        "plain_bytes": task.plain_bytes or size,
        "agree": agreement(chosen, checks, runs),
        "load_average": loads,
        "tools": {
            tool.name: {
                "family": tool.family or tool.name,
                "floor": tool.floor,
                "slice": tool.slice is not None,
                "check": checks.get(tool.name),
                "runs": runs[tool.name],
            }
            for tool in chosen
        },
    }
    table.task(result)
    return result


def named(tool: Tool, name: str) -> bool:
    return tool.name.lower().startswith(name) or (name == "floors" and tool.floor)


def spent(tool: Tool, own: list[dict]) -> bool:
    """Whether a tool has had its rounds or its time, or has failed."""
    failed = any(not run["ok"] for run in own)
    return failed or len(own) >= tool.most_rounds or sum(run["wall"] for run in own) > tool.most_seconds


def hopeless(tool: Tool, chosen: list[Tool], runs: dict[str, list[dict]]) -> bool:
    """Whether another way of the same tool is clearly the better one."""
    if not tool.family or len(runs[tool.name]) < 2:
        return False
    best = [
        min(run["seconds"] for run in runs[other.name])
        for other in chosen
        if other.family == tool.family and runs[other.name] and all(run["ok"] for run in runs[other.name])
    ]
    return bool(best) and min(run["seconds"] for run in runs[tool.name]) > HOPELESS * min(best)


def agreement(tools: list[Tool], checks: dict[str, dict], runs: dict[str, list[dict]]) -> bool:
    """Equal counts of every type; equal bytes, in any order, of tools that keep the lines as they came."""
    agree = all(run["ok"] for own in runs.values() for run in own)
    for tool in tools:
        wanted = checks.get(SLICE_JUDGE if tool.slice else "fhirehose")
        if tool.floor or tool.name == SLICE_JUDGE:
            continue
        found = checks.get(tool.name)
        names = ["lines", "types", "sha256"] if tool.raw else ["lines"]
        if found is None or wanted is None or any(found[name] != wanted[name] for name in names):
            print(f"{tool.name} disagrees: {found} and not {wanted}")
            agree = False
    return agree


def record(root: Path, name: str, found: dict) -> None:
    """The raw numbers of every run: under benches/runs, or into a folder given by its path."""
    folder = Path(name)
    if "/" not in name:
        folder = root / "benches" / "runs" / f"{datetime.date.today().isoformat()}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    size = max(result["bytes"] for result in found["tasks"])
    target = folder / f"compare-{round(size / 1e6)}MB.json"
    # Tasks may be run in turn: those of an earlier run into the same file stay, with the time and the state they ran in.
    ran = {name: found["machine"][name] for name in ["date", "versions"]}
    own = {result["task"]: {**result, "ran": ran, "rounds": found["rounds"]} for result in found["tasks"]}
    if target.exists():
        own = {**{result["task"]: result for result in json.loads(target.read_text())["tasks"]}, **own}
    found = {**found, "tasks": [own[key] for key in KEYS if key in own]}
    target.write_text(json.dumps(found, indent=1) + "\n")
    print(f"recorded in {target}")


if __name__ == "__main__":
    main()

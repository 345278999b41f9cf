"""The tasks, and how each tool is told to do them."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Setting:
    """What every command line is made of."""

    fhirehose: str
    python: str
    here: Path
    plain: Path
    packed: Path
    threads: int
    jaq: str | None


@dataclass
class Tool:
    """A tool on a task. `raw`: it writes the lines as they came, so its output can be compared byte by byte."""

    name: str
    command: list[str]
    output: str = "out.ndjson"
    raw: bool = True
    # The floor moves bytes and keeps no count.
    floor: bool = False
    # Ways of one tool, of which the best counts.
    family: str = ""
    # It prints the seconds of its work proper, as JSON.
    tells_seconds: bool = False
    # It wants `out` to exist.
    needs_folder: bool = False


@dataclass
class Task:
    """One question to all tools."""

    key: str
    title: str
    tools: list[Tool]
    inputs: list[Path]


FILTER = "Observation?category=laboratory&date=ge2015"
# Without the zones of the border: a time of day cannot be compared with its zone in jq 1.6.
JQ = {
    "a": 'select(any(.category[]?.coding[]?; .code == "laboratory") and '
    '(.effectiveDateTime // .effectiveInstant // .effectivePeriod.end // "") >= "2015")',
    "b": 'select(.resourceType == "Observation" or .resourceType == "Condition")',
    "c": 'select(.meta.lastUpdated > "2021-01-01T00:00:00Z")',
}
JQ["d"] = JQ["a"]


def tasks(setting: Setting) -> list[Task]:
    """All tasks, over the folders of the setting."""
    observation = setting.plain / "Observation.ndjson"
    condition = setting.plain / "Condition.ndjson"
    packed = setting.packed / "Observation.ndjson.gz"
    everything = sorted(setting.plain.glob("*.ndjson"))
    copy_all = Tool("cp of the folder", ["cp", "-r", f"{setting.plain}/.", "out"], floor=True, needs_folder=True)
    both = [str(observation), str(condition)]
    copy_kept = Tool("cp of what is kept", ["cp", *both, "out"], floor=True, needs_folder=True)
    # fhirehose syncs before its files get their names; cp leaves that to the kernel.
    both_synced = shell(f"cp '{observation}' '{condition}' out && sync -f out")
    copy_synced = Tool("cp of that, synced", both_synced, floor=True, needs_folder=True)
    copy_file = Tool("cp of the input", ["cp", str(observation), "out"], floor=True)
    unpack = Tool("gzip -dc of the input", shell(f"gzip -dc '{packed}' >out.ndjson"), floor=True)
    return [
        Task(
            "a",
            f"--type-filter '{FILTER}', one file",
            [
                fhirehose(setting, [observation], ["--type-filter", FILTER]),
                copy_file,
                *duckdb(setting, "a", str(observation), ["objects", "lines", "typed"]),
                polars(setting, "a", str(observation)),
                *jq(setting, "a", [observation]),
            ],
            [observation],
        ),
        Task(
            "b",
            "--type Observation,Condition, the whole folder",
            [
                fhirehose(setting, [setting.plain], ["--type", "Observation,Condition"]),
                copy_all,
                copy_kept,
                copy_synced,
                *duckdb(setting, "b", f"{setting.plain}/*.ndjson", ["objects", "lines"]),
                polars(setting, "b", f"{setting.plain}/*.ndjson"),
                *jq(setting, "b", everything),
            ],
            everything,
        ),
        Task(
            "c",
            "--since 2021-01-01T00:00:00Z, the whole folder",
            [
                fhirehose(setting, [setting.plain], ["--since", "2021-01-01T00:00:00Z"]),
                copy_all,
                *duckdb(setting, "c", f"{setting.plain}/*.ndjson", ["objects", "lines"]),
                polars(setting, "c", f"{setting.plain}/*.ndjson"),
                *jq(setting, "c", everything),
            ],
            everything,
        ),
        Task(
            "d",
            f"--type-filter '{FILTER}', one file, gzip in and gzip out",
            [
                fhirehose(setting, [packed], ["--type-filter", FILTER, "--compress", "gzip"]),
                unpack,
                *duckdb(setting, "d", str(packed), ["objects", "lines", "typed"]),
                *jq(setting, "d", [packed]),
            ],
            [packed],
        ),
    ]


def fhirehose(setting: Setting, inputs: list[Path], options: list[str]) -> Tool:
    """fhirehose into a folder."""
    places = [str(place) for place in inputs]
    command = [setting.fhirehose, "export", *places, "-o", "out", "--threads", str(setting.threads), *options]
    return Tool("fhirehose", command, "out/*.ndjson*")


def duckdb(setting: Setting, task: str, source: str, ways: list[str]) -> list[Tool]:
    """DuckDB in each of its ways; the best one is its number."""
    return [
        Tool(
            f"DuckDB, {way}",
            query(setting, "duckdb", way, task, source),
            packed_name(task),
            raw=way != "typed",
            family="DuckDB",
            tells_seconds=True,
        )
        for way in ways
    ]


def polars(setting: Setting, task: str, source: str) -> Tool:
    """Polars, streaming, over lines as text."""
    return Tool("Polars", query(setting, "polars", "lines", task, source), tells_seconds=True)


def query(setting: Setting, tool: str, way: str, task: str, source: str) -> list[str]:
    script = str(setting.here / "query.py")
    return [setting.python, "-I", script, tool, way, task, source, packed_name(task), str(setting.threads)]


def packed_name(task: str) -> str:
    return "out.ndjson.gz" if task == "d" else "out.ndjson"


def jq(setting: Setting, task: str, inputs: list[Path]) -> list[Tool]:
    """jq and jaq; they write lines anew and use one thread."""
    found = [("jq", shutil.which("jq")), ("jaq", setting.jaq)]
    files = " ".join(f"'{path}'" for path in inputs)
    tools = []
    for name, binary in found:
        if binary is None:
            continue
        if task == "d":
            line = f"gzip -dc {files} | '{binary}' -c '{JQ[task]}' | gzip >out.ndjson.gz"
        else:
            line = f"'{binary}' -c '{JQ[task]}' {files} >out.ndjson"
        tools.append(Tool(name, shell(line), packed_name(task), raw=False))
    return tools


def shell(line: str) -> list[str]:
    return ["bash", "-o", "pipefail", "-c", line]

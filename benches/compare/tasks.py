"""The tasks, and how each tool is told to do them."""

from dataclasses import dataclass, field
from pathlib import Path

import questions
from inputs import Inputs


@dataclass
class Setting:
    """What every command line is made of. A tool that is absent is None."""

    fhirehose: str
    inputs: Inputs
    threads: int
    all_ways: bool
    python: str | None
    floor: str | None
    jq: str | None
    jaq: str | None


@dataclass
class Tool:
    """A tool on a task. `raw`: it writes the lines as they came, so its output can be compared byte by byte."""

    name: str
    command: list[str]
    raw: bool = True
    # It moves bytes and keeps no count.
    floor: bool = False
    # Ways of one tool, of which the best counts.
    family: str = ""
    # Another file than the task's own, and whose answer over it is the right one.
    slice: Path | None = None
    # It prints its own seconds, as JSON.
    tells_seconds: bool = False
    # A slow tool is left out of further rounds when it has had these.
    most_rounds: int = 1000
    most_seconds: float = 1e9
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Task:
    """One question to all tools."""

    key: str
    title: str
    inputs: list[Path]
    tools: list[Tool]
    # What the inputs are unpacked.
    plain_bytes: int | None = None


# What is about a patient, and whose reference to the patient is its subject or patient: membership alone decides.
MEMBERS = (
    "Patient,AllergyIntolerance,CarePlan,CareTeam,Claim,Condition,DiagnosticReport,DocumentReference,Encounter,"
    "ExplanationOfBenefit,ImagingStudy,Immunization,MedicationAdministration,MedicationRequest,Observation,Procedure"
)

# A way with a minus was tried, and is far enough behind the best of its tool to be run with --all-ways only.
DUCKDB = {
    "T1": ["-objects paths", "lines paths", "lines paths first", "-lines struct first"],
    "T2": ["objects paths", "lines paths", "-lines struct"],
    "T3": ["-objects paths", "lines paths", "lines struct", "lines struct first"],
    "T3m": ["-lines paths first", "-lines struct", "lines struct first"],
    "T4": ["lines paths", "lines struct", "-objects struct"],
    "T5m": ["-objects paths", "lines paths"],
    "T6": ["-objects struct", "lines struct", "-lines paths"],
}
CLICKHOUSE = {
    "T1": ["simple", "-fields", "tuple first"],
    "T2": ["simple", "fields", "-tuple"],
    "T3": ["tuple", "tuple first"],
    "T3m": ["-tuple", "tuple first"],
    "T4": ["tuple", "-tuple first"],
    "T6": ["tuple eager", "-tuple"],
}
ORJSON = {
    "T1": ["-all", "first"],
    "T2": ["all"],
    "T3": ["-all", "first"],
    "T3m": ["first"],
    "T4": ["first"],
    "T6": ["all"],
}
POLARS = {"T1": ["lines"], "T2": ["lines"], "T3": ["lines"], "T4": ["lines"]}

KEYS = ["T1", "T2", "T3", "T3m", "T4", "T5", "T5f", "T5m", "T6"]


def tasks(setting: Setting) -> list[Task]:
    """All tasks, over the inputs of the setting."""
    of = setting.inputs
    fifty = questions.question(questions.FIFTY)
    filters = [part for each in questions.FIFTY for part in ("--type-filter", each)]
    laboratory = ["--type", "Observation", "--type-filter", questions.LABORATORY]
    cohort = ["--group", "compare-ten", "--report", "json"]
    everything = sorted(of.folder.glob("*.ndjson"))
    return [
        compared(setting, "T1", "--type Observation,Condition; mixed stream, split by type",
                 of.mixed, of.mixed_slice, ["--type", "Observation,Condition"]),
        compared(setting, "T2", "--since 2015-01-01T00:00:00Z, all types; mixed stream, split by type",
                 of.mixed, of.mixed_slice, ["--since", "2015-01-01T00:00:00Z"]),
        compared(setting, "T3", f"{questions.LABORATORY}; a file of Observations",
                 of.observation, of.observation_slice, laboratory),
        compared(setting, "T3m", f"{questions.LABORATORY}; mixed stream", of.mixed, of.mixed_slice, laboratory),
        compared(setting, "T4", f"{questions.LABORATORY}; gzip in, gzip out",
                 of.packed, of.packed_slice, [*laboratory, "--compress", "gzip"]),
        Task("T5", "group of ten with all that it refers to; mixed stream, each pass reads all of it", [of.mixed],
             [*fhirehose(setting, [of.mixed, of.cohort], cohort), *floors(setting, [of.mixed])]),
        Task("T5f", "the same; a file for each type, later passes read what they need", everything,
             [*fhirehose(setting, [of.folder, of.cohort], cohort), *floors(setting, everything)]),
        Task("T5m", "members of that group of sixteen types, split by type; mixed stream", [of.mixed],
             [*fhirehose(setting, [of.mixed, of.cohort], [*cohort, "--type", MEMBERS]), *floors(setting, [of.mixed]),
              *ways(setting, "DuckDB", "T5m", DUCKDB, of.mixed)]),
        compared(setting, "T6", "50 type filters over 12 types; mixed stream, split by type",
                 of.mixed, of.mixed_slice, ["--type", ",".join(fifty.types), *filters]),
    ]  # fmt: skip


def compared(setting: Setting, key: str, title: str, source: Path, piece: Path, options: list[str]) -> Task:
    """A task that every tool does."""
    own = fhirehose(setting, [source], options)
    tools = [
        *own,
        *floors(setting, [source]),
        *ways(setting, "DuckDB", key, DUCKDB, source),
        *ways(setting, "ClickHouse-local", key, CLICKHOUSE, source),
        *ways(setting, "orjson", key, ORJSON, source),
        *ways(setting, "Polars", key, POLARS, source),
    ]
    slow = [each for each in [("jaq", setting.jaq), ("jq", setting.jq)] if each[1]]
    if slow:
        judge = fhirehose(setting, [piece], options)[0]
        judge.name, judge.slice, judge.most_rounds = SLICE_JUDGE, piece, 3
        tools += [judge, *[filtered(name, str(binary), key, piece) for name, binary in slow]]
    packed = source == setting.inputs.packed
    return Task(key, title, [source], tools, setting.inputs.observation.stat().st_size if packed else None)


SLICE_JUDGE = "fhirehose, slice"
UNSYNCED = "fhirehose, no sync"


def fhirehose(setting: Setting, inputs: list[Path], options: list[str]) -> list[Tool]:
    """With all threads, with one, and without waiting for the disk, as the peers do it."""
    places = [str(place) for place in inputs]
    command = [setting.fhirehose, "export", *places, "-o", "out", *options, "--threads"]
    tools = [Tool("fhirehose", [*command, str(setting.threads)]), Tool(UNSYNCED, [*command, str(setting.threads), "--no-sync"])]
    if setting.threads > 1:
        tools.append(Tool("fhirehose, 1 thread", [*command, "1"]))
    return tools


def floors(setting: Setting, inputs: list[Path]) -> list[Tool]:
    """What nothing that reads, or copies, these bytes can beat. fhirehose syncs what it writes, cp does not."""
    paths = [str(path) for path in inputs]
    quoted = " ".join(f"'{path}'" for path in paths)
    found = [
        Tool("cp", ["cp", *paths, "out"], floor=True),
        Tool("cp, synced", shell(f"cp {quoted} out && sync -f out"), floor=True),
    ]
    for floor in ["memchr", "memcpy"] if setting.floor else []:
        found.append(Tool(f"read, {floor}", [str(setting.floor), floor, str(setting.threads), *paths], floor=True))
    if all(path.suffix == ".gz" for path in inputs):
        found.append(Tool("gzip -dc", shell(f"gzip -dc {quoted} >out/plain"), floor=True))
    return found


def ways(setting: Setting, family: str, key: str, of_task: dict[str, list[str]], source: Path) -> list[Tool]:
    """A tool of Python in each of its ways; the best one is its number."""
    if setting.python is None:
        return []
    script = str(Path(__file__).resolve().parent / "peers.py")
    name = "clickhouse" if family.startswith("Click") else family.lower()
    task = "T5" if key == "T5m" else key
    environment = {"COHORT": str(setting.inputs.cohort), "COHORT_TYPES": MEMBERS} if task == "T5" else {}
    return [
        Tool(
            f"{family}, {way}",
            [setting.python, "-I", script, name, way, task, str(source), str(setting.threads)],
            family=family,
            most_seconds=15 if family == "Polars" else 1e9,
            tells_seconds=True,
            environment=environment,
        )
        for way in (each.removeprefix("-") for each in of_task.get(key, []) if setting.all_ways or each[0] != "-")
    ]


def filtered(name: str, binary: str, key: str, piece: Path) -> Tool:
    """jq or jaq over the slice: they write lines anew, into one file, and use one thread."""
    question = questions.jq(questions.questions()[key])
    if key == "T4":
        line = f"gzip -dc '{piece}' | '{binary}' -c '{question}' | gzip >out/all.ndjson.gz"
    else:
        line = f"'{binary}' -c '{question}' '{piece}' >out/all.ndjson"
    return Tool(name, shell(line), raw=False, slice=piece, most_rounds=3)


def shell(line: str) -> list[str]:
    return ["bash", "-o", "pipefail", "-c", line]

"""Rows of cases that differ in one thing, each beside the floor for the same bytes; see `scaling`."""

import argparse
import datetime
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import generate  # noqa: E402
import inputs  # noqa: E402
import questions  # noqa: E402
from measuring import machine, measure, versions, warm  # noqa: E402
from tasks import Setting, Tool, fhirehose, floors  # noqa: E402

ROWS = ["bytes", "threads", "selectivity", "filters", "width", "keys"]
T1 = ["--type", "Observation,Condition"]
T2 = ["--since", "2015-01-01T00:00:00Z"]
T3 = ["--type", "Observation", "--type-filter", questions.LABORATORY]


@dataclass
class Case:
    """One measurement: a file, a request, a number of threads."""

    label: str
    source: Path
    options: list[str]
    threads: int = 2


@dataclass
class Making:
    """What cases are made from."""

    of: inputs.Inputs
    single: Path
    place: Path
    scale: float
    threads: int

    def file(self, name: str) -> Path:
        return self.place / name

    def copies(self, size: float, of: Path) -> int:
        return max(1, round(size * self.scale / of.stat().st_size))


def main() -> None:
    options = arguments()
    work = Path(options.work).resolve()
    of = inputs.prepare(Path(options.data), work, 1)
    setting = Setting(
        fhirehose=str(Path(options.fhirehose).resolve()),
        inputs=of,
        threads=options.threads,
        all_ways=False,
        python=None,
        floor=str(Path(options.floor).resolve()) if options.floor else None,
        jq=None,
        jaq=None,
    )
    place = work / "scaling"
    place.mkdir(exist_ok=True)
    (work / "run").mkdir(exist_ok=True)
    os.chdir(work / "run")
    facts = {**machine(), "versions": versions(setting)}
    print(f"{facts['cores']} cores of {facts['model']}, {facts['kernel']}; median of {options.runs}")
    making = Making(of, of.mixed, place, options.scale, options.threads)
    found = []
    for row in options.tasks.split(","):
        started = time.monotonic()
        found.append({"row": row, "cases": run_row(row, making, setting, options.runs)})
        print(f"{time.monotonic() - started:.0f} s", flush=True)
    shutil.rmtree(place)
    shutil.rmtree(work / "run")
    if options.record:
        folder = Path(options.record)
        if "/" not in options.record:
            name = f"{datetime.date.today().isoformat()}-{options.record}"
            folder = Path(options.root) / "benches" / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        everything = {"machine": facts, "threads": options.threads, "rounds": options.runs, "rows": found}
        (folder / "scaling.json").write_text(json.dumps(everything, indent=1) + "\n")
        print(f"recorded in {folder / 'scaling.json'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ["data", "work", "fhirehose", "root"]:
        parser.add_argument(f"--{name}", required=True)
    for name in ["python", "floor", "record"]:
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--tasks", default=",".join(ROWS))
    parser.add_argument("--scale", type=float, default=1.0)
    for name, value in [("runs", 5), ("threads", 2)]:
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def run_row(row: str, making: Making, setting: Setting, rounds: int) -> list[dict]:
    """All groups of a row; the files of a group live as long as it is measured."""
    head = f"{'GB':>7}{'thr.':>5}{'kept %':>8}{'median s':>10}{'GB/s':>7}{'× memchr':>9}{'× cp':>7}{'× first':>9}{'peak MB':>9}"
    print(f"\n{row:42}{head}")
    found: list[dict] = []
    for group in GROUPS[row](making):
        for source in {case.source for case in group}:
            warm(source)
        runs = [{"case": [], "memchr": [], "cp": []} for _ in group]
        for number in range(rounds):
            turn = number % len(group)
            for at in [*range(turn, len(group)), *range(turn)]:
                for name, tool in tools_of(group[at], setting):
                    runs[at][name].append(measure(tool))
        for case, own in zip(group, runs):
            found.append(summed(case, own, found))
            show(found[-1])
        for source in {case.source for case in group}:
            if source.is_relative_to(making.place):
                source.unlink()
    return found


def tools_of(case: Case, setting: Setting) -> list[tuple[str, Tool]]:
    """The case, and its floors: the same bytes searched for newlines by as many threads, and copied."""
    with_threads = Setting(**{**vars(setting), "threads": case.threads})
    tools = [("case", fhirehose(with_threads, [case.source], [*case.options, "--report", "json"])[0])]
    for floor in floors(with_threads, [case.source]):
        if floor.name in ("cp", "read, memchr"):
            tools.append((floor.name.removeprefix("read, "), floor))
    return tools


def summed(case: Case, runs: dict[str, list[dict]], before: list[dict]) -> dict:
    """The numbers of a case; `first` is the case of the same request in the row that came first."""
    size = case.source.stat().st_size
    seconds = [run["seconds"] for run in runs["case"]]
    request = case.label.split(",")[0]
    middle = statistics.median(seconds)
    first = next((other for other in before if other["request"] == request), None)
    told = runs["case"][-1].get("report", {})
    return {
        "label": case.label,
        "request": request,
        "bytes": size,
        "threads": case.threads,
        "lines": told.get("lines"),
        "kept": told.get("kept"),
        "ok": all(run["ok"] for run in runs["case"]),
        "median": middle,
        "per_byte_of_first": middle / size / (first["median"] / first["bytes"]) if first else 1.0,
        "peak_kib": max(run["peak_kib"] for run in runs["case"]),
        "runs": {name: [strip(run) for run in own] for name, own in runs.items()},
    }


def strip(run: dict) -> dict:
    return {name: value for name, value in run.items() if name != "report"}


def show(found: dict) -> None:
    against = []
    for floor in ["memchr", "cp"]:
        pairs = [a["seconds"] / b["seconds"] for a, b in zip(found["runs"]["case"], found["runs"][floor])]
        against.append(statistics.median(pairs) if pairs else float("nan"))
    share = 100 * found["kept"] / found["lines"] if found["lines"] else float("nan")
    print(
        f"{found['label']:42}{found['bytes'] / 1e9:>7.2f}{found['threads']:>5}{share:>8.2f}{found['median']:>10.3f}"
        f"{found['bytes'] / 1e9 / found['median']:>7.2f}{against[0]:>9.1f}{against[1]:>7.2f}"
        f"{found['per_byte_of_first']:>9.2f}{found['peak_kib'] * 1024 / 1e6:>9.0f}{'' if found['ok'] else '  failed'}",
        flush=True,
    )


def bytes_row(making: Making) -> Iterator[list[Case]]:
    """Time is to be linear and memory flat."""
    done = set()
    for size in [0.3e9, 0.6e9, 1.6e9, 3.2e9, 5e9]:
        copies = making.copies(size, making.single)
        if copies in done:
            continue
        done.add(copies)
        source = making.file(f"mixed-{copies}.ndjson")
        inputs.repeat(making.single, source, copies)
        tasks = [("T1", T1), ("T2", T2), ("T3m", T3)]
        yield [Case(f"{name}, {copies} × the data", source, options, making.threads) for name, options in tasks]


def threads_row(making: Making) -> Iterator[list[Case]]:
    """One thread, then two; where the floor does not get faster either, the memory bus is the limit."""
    mixed = making.file("mixed.ndjson")
    inputs.repeat(making.single, mixed, making.copies(1.6e9, making.single))
    fifty = questions.question(questions.FIFTY)
    filters = ["--type", ",".join(fifty.types)]
    filters += [part for each in questions.FIFTY for part in ("--type-filter", each)]
    nothing = ["--since", "2100-01-01T00:00:00Z"]
    wanted = [("T1", T1), ("T2", T2), ("T3m", T3), ("T6", filters), ("nothing kept", nothing)]
    pair = [1, making.threads]
    yield [Case(f"{name}, {threads} threads", mixed, options, threads) for name, options in wanted for threads in pair]
    observations = making.file("Observation.ndjson")
    inputs.repeat(making.of.observation, observations, making.copies(0.4e9, making.of.observation))
    yield [Case(f"T3, {threads} threads", observations, T3, threads) for threads in pair]
    packed = making.file("Observation.ndjson.gz")
    inputs.repeat(making.of.packed, packed, making.copies(24e6, making.of.packed))
    options = [*T3, "--compress", "gzip"]
    wanted = [("T4", making.of.packed), (f"T4 of {making.copies(24e6, making.of.packed)} members", packed)]
    yield [Case(f"{name}, {threads} threads", source, options, threads) for name, source in wanted for threads in pair]


def selectivity_row(making: Making) -> Iterator[list[Case]]:
    """The newest by effectiveDateTime, from one in ten thousand to all."""
    days = []
    with making.of.observation.open("rb") as file:
        for line in file:
            if at := line.find(b'"effectiveDateTime":"') + 1:
                days.append(line[at + 20 : at + 30].decode())
    days.sort(reverse=True)
    source = making.file("Observation.ndjson")
    inputs.repeat(making.of.observation, source, making.copies(0.4e9, making.of.observation))
    shares = [0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 1.0]
    chosen = [(share, days[min(int(share * len(days)), len(days) - 1)]) for share in shares]
    yield [
        Case(f"date=ge…, the newest {share:.2%}", source, only(f"Observation?date=ge{day}"), making.threads)
        for share, day in chosen
    ]


def filters_row(making: Making) -> Iterator[list[Case]]:
    """More and more filters: of one type, each with a code of its own; and those of T6."""
    codes: dict[str, int] = {}
    with making.of.observation.open("rb") as file:
        for line in file:
            coding = json.loads(line).get("code", {}).get("coding", [{}])[0].get("code", "")
            codes[coding] = codes.get(coding, 0) + 1
    rare = sorted(codes, key=lambda code: (codes[code], code))
    observations = making.file("Observation.ndjson")
    inputs.repeat(making.of.observation, observations, making.copies(0.4e9, making.of.observation))
    counts = [1, 5, 10, 25, 50]
    asked = {n: [f"Observation?code={code}&date=ge2015-01-01" for code in rare[:n]] for n in counts}
    yield [Case(f"codes, {n} filters", observations, only(*asked[n]), making.threads) for n in counts]
    mixed = making.file("mixed.ndjson")
    inputs.repeat(making.single, mixed, making.copies(0.6e9, making.single))
    # Of all types by turns; types without a filter would be kept whole, so only those that have one are asked for.
    spread = [questions.FIFTY[at * 37 % 50] for at in range(50)]
    yield [Case(f"T6, the first {n} of its filters", mixed, only(*spread[:n]), making.threads) for n in counts]


def only(*filters: str) -> list[str]:
    """These filters, and no types but theirs."""
    types = questions.question(list(filters)).types
    return ["--type", ",".join(types), *[part for each in filters for part in ("--type-filter", each)]]


def width_row(making: Making) -> Iterator[list[Case]]:
    """Half of the lines kept, the deciding members first, so that width is what is validated or skipped."""
    for width, name in [(300, "0.3 kB"), (1000, "1 kB"), (10_000, "10 kB"), (100_000, "100 kB"), (1_000_000, "1 MB")]:
        source = making.file(f"wide-{width}.ndjson")
        generate.wide(source, width, int(0.4e9 * making.scale))
        yield [Case(f"lines of {name}", source, T3, making.threads)]


def keys_row(making: Making) -> Iterator[list[Case]]:
    """More and more lines whose keys stand in an order of their own."""
    for share in [0.0, 0.01, 0.1, 0.5, 1.0]:
        source = making.file(f"keys-{share}.ndjson")
        generate.shuffled(making.of.observation, source, share, making.copies(0.4e9, making.of.observation))
        yield [
            Case(f"T3, {share:.0%} shuffled", source, T3, making.threads),
            Case(f"all kept, {share:.0%} shuffled", source, ["--type", "Observation"], making.threads),
        ]


GROUPS = {
    "bytes": bytes_row,
    "threads": threads_row,
    "selectivity": selectivity_row,
    "filters": filters_row,
    "width": width_row,
    "keys": keys_row,
}


if __name__ == "__main__":
    main()

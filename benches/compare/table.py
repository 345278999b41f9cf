"""What is printed of the numbers: a table for each task, and the claims that are made of them."""

import statistics

from tasks import UNSYNCED


def good(tool: dict) -> list[dict]:
    return [run for run in tool["runs"] if run["ok"]]


def median(tool: dict) -> float | None:
    """Seconds."""
    runs = good(tool)
    return statistics.median(run["seconds"] for run in runs) if runs else None


def ratios(other: list[dict], own: list[dict], of: str = "seconds") -> list[float]:
    """Seconds per byte, pair by pair, of the rounds that both ran in."""
    by_round = {run["round"]: run[of] / run["bytes"] for run in own if run[of]}
    return [run[of] / run["bytes"] / by_round[run["round"]] for run in other if run["round"] in by_round]


def best(result: dict, family: str) -> tuple[str, dict] | None:
    """The way of this tool with the least median."""
    found = [(median(tool), name) for name, tool in result["tools"].items() if tool["family"] == family]
    found = [each for each in found if each[0] is not None]
    return (min(found)[1], result["tools"][min(found)[1]]) if found else None


def families(result: dict) -> list[str]:
    """Peers only, in the order of their rows."""
    names = [tool["family"] for tool in result["tools"].values() if not tool["floor"]]
    return [name for name in dict.fromkeys(names) if not name.startswith("fhirehose")]


def task(result: dict) -> None:
    head = f"{'tool':30}{'lines':>9}{'median s':>10}{'min s':>8}{'MB/s':>7}{'cpu s':>8}{'peak MB':>9}{'rounds':>8}{'cpu ×':>8}"
    print(f"{head}  × fhirehose (min…max)")
    own = result["tools"]["fhirehose"]
    for name, tool in result["tools"].items():
        runs = good(tool)
        if not runs:
            print(f"{name:30}{'failed':>9}")
            continue
        seconds = [run["seconds"] for run in runs]
        middle = statistics.median(seconds)
        pairs = ratios(runs, good(own)) or [float("nan")]
        processor = ratios(runs, good(own), "cpu") or [float("nan")]
        marks = " *" if tool["slice"] else ""
        print(
            f"{name + marks:30}{(tool['check'] or {}).get('lines', '-'):>9}{middle:>10.3f}{min(seconds):>8.3f}"
            f"{runs[0]['bytes'] / 1e6 / middle:>7.0f}{statistics.median(run['cpu'] for run in runs):>8.2f}"
            f"{max(run['peak_kib'] for run in runs) * 1024 / 1e6:>9.0f}{len(runs):>8}"
            f"{statistics.median(processor):>8.2f}"
            f"  {statistics.median(pairs):.2f} ({min(pairs):.2f}…{max(pairs):.2f})"
        )
    if any(tool["slice"] for tool in result["tools"].values()):
        print("* over a slice of the input, compared by time per byte")
    passes = passes_of(own)
    if passes > 1 and (seconds := seconds_per_byte(result)):
        print(f"{passes} passes, {seconds * 1e9:.3f} s per pass and GB of the input")


def verdicts(results: list[dict]) -> None:
    """The claims, each with its figure: what the issue of this harness asks for."""
    by_key = {result["task"]: result for result in results}
    rows: list[tuple[str, float, str]] = []
    for key, result in by_key.items():
        rows += of_task(key, result)
    per_byte = {key: seconds_per_byte(result) for key, result in by_key.items()}
    for base in ["T3", "T3m"]:
        for key in ["T5", "T6"]:
            if per_byte.get(base) and per_byte.get(key):
                rows.append((f"{key} against {base}, time per pass and byte", per_byte[key] / per_byte[base], "≤ 1.5"))
    print(f"\n{'claim':58}{'measured':>10}   wanted")
    for claim, value, wanted in rows:
        number = float(wanted.split()[1]) if wanted else 0.0
        kept = not wanted or (value >= number if wanted[0] == "≥" else value <= number)
        print(f"{claim:58}{value:>10.2f}   {wanted}{'' if kept else '   not reached'}")


def of_task(key: str, result: dict) -> list[tuple[str, float, str]]:
    own = good(result["tools"]["fhirehose"])
    unsynced = good(result["tools"].get(UNSYNCED, {"runs": []}))
    wanted = {("T1", "DuckDB"): "≥ 8", ("T2", "DuckDB"): "≥ 8", ("T4", "DuckDB"): "≥ 5"}
    rows, fastest = [], []
    for family in families(result):
        if found := best(result, family):
            name, tool = found
            if pairs := ratios(good(tool), own):
                fastest.append((statistics.median(pairs), name))
                rows.append((f"{key}: {name}, × fhirehose", fastest[-1][0], wanted.get((key, family), "")))
            if family == "DuckDB" and (pairs := ratios(good(tool), unsynced)):
                rows.append((f"{key}: {name}, × fhirehose without a sync", statistics.median(pairs), ""))
    if fastest and key in ("T3", "T3m"):
        rows.append((f"{key}: the fastest peer ({min(fastest)[1]})", min(fastest)[0], "≥ 5"))
    for floor in ["cp", "cp, synced", "read, memchr", "read, memcpy", "gzip -dc"]:
        bound = "≤ 1" if floor == "cp" and key in ("T1", "T2") else ""
        if (tool := result["tools"].get(floor)) and (pairs := ratios(own, good(tool))):
            rows.append((f"{key}: fhirehose, × {floor}", statistics.median(pairs), bound))
        if floor == "cp" and (tool := result["tools"].get(floor)) and (pairs := ratios(unsynced, good(tool))):
            rows.append((f"{key}: fhirehose without a sync, × cp", statistics.median(pairs), bound))
    if (single := result["tools"].get("fhirehose, 1 thread")) and (pairs := ratios(good(single), own)):
        rows.append((f"{key}: one thread, × two", statistics.median(pairs), ""))
    peak = max((run["peak_kib"] for run in own), default=0) * 1024 / 1e6
    rows.append((f"{key}: peak memory, MB", peak, "≤ 67" if key in ("T1", "T2", "T3", "T3m") else ""))
    return rows


def seconds_per_byte(result: dict) -> float | None:
    """Of one pass."""
    own = result["tools"]["fhirehose"]
    middle = median(own)
    return middle / passes_of(own) / result["bytes"] if middle else None


def passes_of(tool: dict) -> int:
    """How often a cohort's export went over its input."""
    return max((run.get("report", {}).get("passes", 1) for run in good(tool)), default=1)

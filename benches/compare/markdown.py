"""The tables of README from the raw numbers: markdown.py benches/runs/…/compare-….json [benches/runs/…/scaling.json]."""

import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import table  # noqa: E402

PEERS = ["DuckDB", "ClickHouse-local", "orjson", "Polars", "jaq", "jq"]
FLOORS = ["cp", "cp, synced", "read, memcpy", "read, memchr"]


def main() -> None:
    found = json.loads(Path(sys.argv[1]).read_text())
    print(facts(found))
    print(f"\n| task | GB | fhirehose | 1 thread | peak MB | {' | '.join(PEERS + FLOORS)} |")
    print("|---" * (5 + len(PEERS) + len(FLOORS)) + "|")
    for result in found["tasks"]:
        print(row(result))
    print("\nPeers: × the time of fhirehose. Floors: time of fhirehose × theirs.")
    if len(sys.argv) > 2:
        scaling(json.loads(Path(sys.argv[2]).read_text()))


def facts(found: dict) -> str:
    machine, versions = found["machine"], found["machine"]["versions"]
    tools = {"DuckDB": "duckdb", "ClickHouse (chdb)": "chdb-core", "orjson": "orjson", "Polars": "polars", "jaq": "jaq", "jq": "jq"}
    named = [f"{name} {versions[key].split()[-1].removeprefix('jq-')}" for name, key in tools.items() if key in versions]
    return (
        f"{machine['cores']} cores of {machine['model']}, {machine['kernel']}, {found['threads']} threads, {machine['date']},"
        f" commit {versions['commit']}; medians of {found['rounds']} rounds, caches warm. {', '.join(named)}."
    )


def row(result: dict) -> str:
    own = result["tools"]["fhirehose"]
    cells = [result["task"], f"{result['bytes'] / 1e9:.2f}", seconds(own), seconds(result["tools"].get("fhirehose, 1 thread"))]
    cells.append(f"{max(run['peak_kib'] for run in table.good(own)) * 1024 / 1e6:.0f}")
    for family in PEERS:
        way = table.best(result, family)
        cells.append(times(table.ratios(table.good(way[1]), table.good(own))) if way else "")
    for floor in FLOORS:
        tool = result["tools"].get(floor)
        cells.append(times(table.ratios(table.good(own), table.good(tool))) if tool else "")
    return f"| {' | '.join(cells)} |"


def seconds(tool: dict | None) -> str:
    middle = table.median(tool) if tool else None
    return f"{middle:.3f} s" if middle else ""


def times(pairs: list[float]) -> str:
    if not pairs:
        return ""
    middle = statistics.median(pairs)
    return f"{middle:.{2 if middle < 3 else 1 if middle < 20 else 0}f}×"


def scaling(found: dict) -> None:
    for group in found["rows"]:
        print(f"\n| {group['row']} | GB | threads | kept % | s | GB/s | × memchr | time per byte | peak MB |")
        print("|---" * 9 + "|")
        for case in group["cases"]:
            pairs = [a["seconds"] / b["seconds"] for a, b in zip(case["runs"]["case"], case["runs"]["memchr"])]
            kept = f"{100 * case['kept'] / case['lines']:.2f}" if case["lines"] else ""
            size = case["bytes"] / 1e9
            print(
                f"| {case['label']} | {size:.2f} | {case['threads']} | {kept} | {case['median']:.3f} |"
                f" {size / case['median']:.2f} | {times(pairs)} | {case['per_byte_of_first']:.2f}× |"
                f" {case['peak_kib'] * 1024 / 1e6:.0f} |"
            )


if __name__ == "__main__":
    main()

"""Draws the raw numbers of a run as an SVG: chart.py benches/runs/…/compare-….json >docs/compare.svg

Bars of input per second, the best way of each tool; each panel has a scale of its own. `cp` is the floor, drawn hollow; of packed input `gzip -dc`.
"""

import json
import statistics
import sys
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parent))
import table  # noqa: E402

PANELS = {
    "T1": "T1  Observations and Conditions, split by type",
    "T2": "T2  all changed since 2015, split by type",
    "T3": "T3  laboratory results since 2015",
    "T4": "T4  the same, gzip in and gzip out",
    "T5m": "T5  what belongs to a group of ten patients",
    "T6": "T6  50 filters over 12 types",
}
WIDTH, PANEL_WIDTH, LEFT, BAR, ROW = 880, 420, 112, 150, 19
STYLE = """
  svg { color-scheme: light dark; }
  text { font: 12px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #24292f; }
  .head { font-weight: 600; font-size: 13px; }
  .soft { fill: #57606a; }
  .back { fill: #ffffff; stroke: #d0d7de; }
  .own { fill: #1f6feb; }
  .peer { fill: #8c959f; }
  .floor { fill: none; stroke: #57606a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #d8dce5; }
    .soft { fill: #9aa4b2; }
    .back { fill: #16181d; stroke: #30363d; }
    .own { fill: #7aa2f7; }
    .peer { fill: #6e7681; }
    .floor { stroke: #9aa4b2; }
  }
"""


def main() -> None:
    found = json.loads(Path(sys.argv[1]).read_text())
    by_key = {result["task"]: result for result in found["tasks"]}
    panels = [(title, bars(by_key[key])) for key, title in PANELS.items() if key in by_key]
    sys.stdout.write(drawn(found, panels))


def bars(result: dict) -> list[tuple[str, str, float, float]]:
    """Name, class, GB/s of input, and × the time of fhirehose, the fastest peer first."""
    own = result["tools"]["fhirehose"]
    chosen = [("fhirehose", "own", own)]
    if single := result["tools"].get("fhirehose, 1 thread"):
        chosen.append(("… 1 thread", "own", single))
    # A copy of packed bytes says nothing about unpacking them.
    floor = "cp" if result["plain_bytes"] == result["bytes"] else "gzip -dc"
    if copy := result["tools"].get(floor):
        chosen.append((floor, "floor", copy))
    unpacked = result["plain_bytes"] / result["bytes"]
    rows = [row for name, style, tool in chosen if (row := measured(name, style, tool, own, unpacked))]
    peers = [table.best(result, family) for family in table.families(result)]
    named = [(tool["family"], "peer", tool) for _, tool in filter(None, peers)]
    found = [row for name, style, tool in named if (row := measured(name, style, tool, own, unpacked))]
    return rows + sorted(found, key=lambda row: -row[2])


def measured(name: str, style: str, tool: dict, own: dict, unpacked: float) -> tuple[str, str, float, float] | None:
    runs = table.good(tool)
    pairs = table.ratios(runs, table.good(own))
    if not pairs:
        return None
    speed = runs[0]["bytes"] * unpacked / 1e9 / statistics.median(run["seconds"] for run in runs)
    return name, style, speed, statistics.median(pairs)


def drawn(found: dict, panels: list[tuple[str, list]]) -> str:
    machine = found["machine"]
    size = max(result["bytes"] for result in found["tasks"]) / 1e9
    rounds = found["rounds"]
    facts = f"{size:.1f} GB of FHIR, caches warm, {found['threads']} threads on {machine['cores']} cores of {machine['model']}"
    said = "; ".join(
        title + ": " + ", ".join(f"{name} {speed:.2f} GB/s ({times:.1f} times)" for name, _, speed, times in rows)
        for title, rows in panels
    )
    body, top, tallest = [], 76, 0
    for number, (title, rows) in enumerate(panels):
        left = 16 + (number % 2) * (PANEL_WIDTH + 8)
        if number % 2 == 0 and number:
            top += tallest
            tallest = 0
        body += panel(title, rows, left, top)
        tallest = max(tallest, 36 + len(rows) * ROW)
    height = top + tallest + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' role="img" aria-labelledby="title desc">',
        '<title id="title">Input per second of fhirehose, cp and other tools on six tasks</title>',
        f'<desc id="desc">{escape(facts)}. Times are those of the tool against fhirehose. {escape(said)}.</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        '<text class="head" x="16" y="26">GB of input per second (unpacked): longer is faster, each panel has its own scale</text>',
        f'<text class="soft" x="16" y="45">{escape(facts)}</text>',
        f'<text class="soft" x="16" y="61">medians of {rounds} rounds, the best way of each tool; '
        "× is its time against fhirehose in the same round</text>",
    ]
    return "\n".join([*parts, *body, "</svg>"]) + "\n"


def panel(title: str, rows: list, left: int, top: int) -> list[str]:
    most = max(speed for _, _, speed, _ in rows)
    parts = [f'<text class="head" x="{left}" y="{top + 18}">{escape(title)}</text>']
    for number, (name, style, speed, times) in enumerate(rows):
        y = top + 28 + number * ROW
        length = max(1.0, speed / most * BAR)
        parts += [
            f'<text x="{left + LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{style}" x="{left + LEFT}" y="{y + 2}" width="{length:.1f}" height="12" rx="2"/>',
            f'<text x="{left + LEFT + length + 7:.1f}" y="{y + 12}">{speed:.2f} GB/s'
            f'<tspan class="soft" dx="6">{times:.{1 if times < 10 else 0}f}×</tspan></text>',
        ]
    return parts


if __name__ == "__main__":
    main()

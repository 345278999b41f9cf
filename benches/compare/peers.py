"""One task by a peer, in a process of its own: peers.py TOOL WAY TASK INPUT THREADS. The output goes into `out`.

Prints a line of JSON with the version and the seconds of the work alone: neither the interpreter's start, nor the import
of the library, nor its first empty query counts against a tool.
"""

import gzip
import json
import multiprocessing
import os
import re
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import questions  # noqa: E402

RAW = r"format csv, header false, quote '', escape '', delimiter '\x01'"
# Tasks of one type write one file, the others one for each type.
ONE_TYPE = {"T3": "Observation", "T3m": "Observation", "T4": "Observation"}


# ---- DuckDB


def duckdb_sql(way: str, task: str, source: str) -> str:
    """Lines as JSON objects (`objects`) or as text of one column (`lines`); see questions.duckdb for the access."""
    reader, access, *first = way.split(" ")
    table = f"read_ndjson_objects('{source}')"
    if reader == "lines":
        table = (
            f"read_csv('{source}', columns={{json: 'VARCHAR'}}, header=false, delim='\\x01', quote='', escape='',"
            " auto_detect=false, max_line_size=67108864)"
        )
    if task == "T5":
        where = duckdb_cohort()
    else:
        asked = questions.questions()[task]
        where = questions.duckdb(asked, access)
        if access == "struct":
            structure = json.dumps(questions.duckdb_structure(questions.tree(asked.paths())))
            where = questions.once(where, "s", f"json_transform(json, '{structure}')")
        if first:
            text = " or ".join(f"contains(json, '{literal}')" for literal in asked.literals)
            where = f"({text}) and {where}"
    packed = ", compression gzip" if task == "T4" else ""
    if task in ONE_TYPE:
        suffix = ".gz" if packed else ""
        return f"copy (select json from {table} where {where}) to 'out/{ONE_TYPE[task]}.ndjson{suffix}' ({RAW}{packed})"
    kept = f"select json, json->>'$.resourceType' as type from {table} where {where}"
    return f"copy ({kept}) to 'out' ({RAW}, partition_by (type), overwrite_or_ignore true)"


def duckdb_cohort() -> str:
    """Membership by subject or patient, of the types that T5 asks DuckDB for."""
    ids = re.findall(r"Patient/([A-Za-z0-9.-]+)", Path(os.environ["COHORT"]).read_text())
    references = ", ".join(f"'Patient/{each}'" for each in ids)
    own = ", ".join(f"'{each}'" for each in ids)
    types = ", ".join(f"'{each}'" for each in os.environ["COHORT_TYPES"].split(","))
    x = "json_extract_string(json, ['$.subject.reference', '$.patient.reference', '$.resourceType', '$.id'])"
    member = f"coalesce(x[1], x[2]) in ({references}) or (x[3] = 'Patient' and x[4] in ({own}))"
    return questions.once(f"({member}) and x[3] in ({types})", "x", x)


def run_duckdb(way: str, task: str, source: str, threads: int) -> tuple[str, float]:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}; set timezone = 'UTC'; set preserve_insertion_order = false; select 1")
    sql = duckdb_sql(way, task, source)
    start = time.perf_counter()
    connection.execute(sql).fetchall()
    return duckdb.__version__, time.perf_counter() - start


# ---- ClickHouse-local, as chdb brings it


def clickhouse_sql(way: str, task: str, source: str, threads: int) -> str:
    access, *first = way.split(" ")
    asked = questions.questions()[task]
    where = questions.clickhouse(asked, access)
    head = ""
    if access == "tuple":
        structure = questions.clickhouse_structure(questions.tree(asked.paths()))
        head = f"with JSONExtract(line, '{structure}') as t "
    if "first" in first:
        text = " or ".join(f"position(line, '{literal}') > 0" for literal in asked.literals)
        where = f"({text}) and {where}"
    place = f"{os.getcwd()}/out"
    settings = f"settings max_threads = {threads}, max_insert_threads = {threads}"
    if "eager" in first:
        # Else the tuple is taken out again for each branch.
        settings += ", short_circuit_function_evaluation = 'disable'"
    compression = ", 'gzip'" if task == "T4" else ""
    into = f"'TSVRaw', 'line String'{compression}"
    kept = f"{head}select line from file('{source}', 'LineAsString', 'line String'{compression}) where {where} {settings}"
    if task in ONE_TYPE:
        suffix = ".gz" if compression else ""
        return f"insert into function file('{place}/{ONE_TYPE[task]}.ndjson{suffix}', {into}) {kept}"
    by_type = "simpleJSONExtractString(line, 'resourceType')" if access == "simple" else "JSONExtractString(line, 'resourceType')"
    return f"insert into function file('{place}/{{_partition_id}}.ndjson', {into}) partition by {by_type} {kept}"


def run_clickhouse(way: str, task: str, source: str, threads: int) -> tuple[str, float]:
    from chdb.session import Session

    session = Session()
    version = session.query("select version()", "TSVRaw").data().strip()
    sql = clickhouse_sql(way, task, source, threads)
    start = time.perf_counter()
    session.query(sql)
    return version, time.perf_counter() - start


# ---- Polars


def run_polars(way: str, task: str, source: str, threads: int) -> tuple[str, float]:
    """Streaming, over lines as text."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    line = pl.col("json")
    if task == "T1":
        wanted = line.str.json_path_match("$.resourceType").is_in(["Observation", "Condition"])
    elif task == "T2":
        wanted = line.str.json_path_match("$.meta.lastUpdated") > "2015-01-01T00:00:00Z"
    else:
        wanted = polars_laboratory(pl, line)
    if "first" in way:
        literals = questions.questions()[task].literals
        held = [line.str.contains(literal, literal=True) for literal in literals]
        wanted = pl.any_horizontal(held) & wanted
    start = time.perf_counter()
    lines = pl.scan_csv(source, separator="\x01", quote_char=None, has_header=False, schema={"json": pl.String})
    options = {"include_header": False, "quote_style": "never", "separator": "\x01", "maintain_order": False}
    if task in ONE_TYPE:
        lines.filter(wanted).sink_csv(f"out/{ONE_TYPE[task]}.ndjson", **options)
    else:
        kept = lines.filter(wanted).with_columns(line.str.json_path_match("$.resourceType").alias("type"))
        kept.sink_csv(pl.PartitionBy("out", key="type", include_key=False), mkdir=True, **options)
    return pl.__version__, time.perf_counter() - start


def polars_laboratory(pl, line):
    """T3; text compares rightly except near the border, where the zone decides, and Polars is not asked to look."""
    coding = pl.List(pl.Struct({"coding": pl.List(pl.Struct({"code": pl.String}))}))
    period = pl.Struct({"start": pl.String, "end": pl.String})
    members = {"resourceType": pl.String, "effectiveDateTime": pl.String, "effectivePeriod": period, "category": coding}
    read = line.str.json_decode(pl.Struct(members))
    is_laboratory = pl.element().struct.field("code") == "laboratory"
    of_category = pl.element().struct.field("coding").list.eval(is_laboratory).list.any()
    laboratory = read.struct.field("category").list.eval(of_category).list.any()
    stored = pl.coalesce(read.struct.field("effectiveDateTime"), read.struct.field("effectivePeriod").struct.field("end"))
    return laboratory & (stored >= "2015") & (read.struct.field("resourceType") == "Observation")


# ---- orjson: a script as one would write it for this task, in as many processes as threads


def keeper(way: str, task: str):
    """A function from a block of whole lines to lines kept, by type."""
    import orjson

    asked = questions.questions()[task]
    names = {"NONE": {}, "reaches": reaches, "loads": orjson.loads}
    test = ""
    if "first" in way:
        test = "if not (" + " or ".join(f"{literal.encode()!r} in line" for literal in asked.literals) + "): continue"
    source = f"""
def keep(lines, kept):
    for line in lines:
        {test}
        d = loads(line)
        t = d['resourceType']
        if {questions.python(asked)}:
            if t in kept:
                kept[t].append(line)
            else:
                kept[t] = [line]
"""
    exec(source, names)  # noqa: S102
    return names["keep"]


def reaches(moment: str | None, day: str, before: str, behind: str) -> bool:
    from datetime import datetime, timezone

    if not moment or moment < before:
        return False
    if moment >= behind:
        return True
    if len(moment) <= 10:
        return moment >= day[: len(moment)]
    return datetime.fromisoformat(moment) >= datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


BLOCK = 4 << 20


def lines_between(source: str, start: int, end: int):
    """Lines that begin in this range, in blocks."""
    with open(source, "rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()
        while file.tell() < end:
            # At most to the end of the range, so that no line is read by two.
            yield file.readlines(min(BLOCK, end - file.tell()))


def plain_worker(way: str, task: str, source: str, start: int, end: int, number: int) -> int:
    keep = keeper(way, task)
    files: dict = {}
    for lines in lines_between(source, start, end):
        kept: dict = {}
        keep(lines, kept)
        for name, found in kept.items():
            if name not in files:
                files[name] = open(f"out/{name}.{number}.ndjson", "wb")
            files[name].writelines(found)
    for file in files.values():
        file.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def packed_blocks(source: str):
    """Whole lines of a gzip file in blocks; it can be unpacked by one process only."""
    rest = b""
    with gzip.open(source) as file:
        while block := file.read(BLOCK):
            whole, newline, tail = (rest + block).rpartition(b"\n")
            yield whole + newline
            rest = tail
    if rest:
        yield rest


def packed_worker(way: str, task: str, block: bytes) -> tuple[bytes, int]:
    global KEEP
    if "KEEP" not in globals():
        KEEP = keeper(way, task)
    kept: dict = {}
    KEEP(block.splitlines(keepends=True), kept)
    found = b"".join(line for lines in kept.values() for line in lines)
    return gzip.compress(found, 6), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_orjson(way: str, task: str, source: str, threads: int) -> tuple[str, float, int]:
    import orjson

    context = multiprocessing.get_context("fork")
    start = time.perf_counter()
    with context.Pool(threads) as pool:
        if task == "T4":
            peaks: dict[int, int] = {0: 0}
            with open("out/Observation.ndjson.gz", "wb") as target:
                waiting = []
                for block in packed_blocks(source):
                    waiting.append(pool.apply_async(packed_worker, (way, task, block)))
                    if len(waiting) > 2 * threads:
                        found, peak = waiting.pop(0).get()
                        target.write(found)
                        peaks[0] = max(peaks[0], peak)
                for each in waiting:
                    target.write(each.get()[0])
            peak = peaks[0] * threads
        else:
            size = os.path.getsize(source)
            edges = [size * number // threads for number in range(threads + 1)]
            work = [(way, task, source, edges[number], edges[number + 1], number) for number in range(threads)]
            peak = sum(pool.starmap(plain_worker, work, chunksize=1))
    seconds = time.perf_counter() - start
    return orjson.__version__, seconds, peak + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    tool, way, task, source, threads = sys.argv[1:]
    runs = {"duckdb": run_duckdb, "clickhouse": run_clickhouse, "polars": run_polars, "orjson": run_orjson}
    version, seconds, *peak = runs[tool](way, task, source, int(threads))
    print(json.dumps({"version": version, "seconds": seconds, **({"peak_kib": peak[0]} if peak else {})}))


if __name__ == "__main__":
    main()

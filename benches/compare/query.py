"""One query of DuckDB or Polars, in a process of its own: query.py TOOL WAY TASK INPUT OUTPUT THREADS.

Prints a line of JSON with the version and the seconds of the query alone: neither the interpreter's start nor the import
of the library counts against the tool.
"""

import json
import os
import sys
import time

LABORATORY = "list_contains(json_extract_string(json, '$.category[*].coding[*].code'), 'laboratory')"
# The upper end of effective[x], as date=ge wants it; a period without end goes on for ever.
UPPER = (
    "coalesce(json->>'$.effectiveDateTime', json->>'$.effectiveInstant', json->>'$.effectivePeriod.end',"
    " if(json->>'$.effectivePeriod.start' is null, null, '9999'))"
)
# Text compares rightly except near the border, where the zone decides. The list of one item is read once for all four
# comparisons, and casts only what is near: as fast as comparing text alone, and exact.
SINCE_2015 = (
    "list_bool_and([case when moment >= '2015-01-02' then true when moment < '2014-12-30' then false"
    " when length(moment) > 10 then moment::timestamptz >= '2015-01-01 00:00:00Z'::timestamptz"
    f" else moment >= '2015' end for moment in [{UPPER}]])"
)
UPDATED = "(json->>'$.meta.lastUpdated')"
UPDATED_2021 = (
    "list_bool_and([case when moment >= '2021-01-03' then true when moment < '2020-12-30' then false"
    f" else moment::timestamptz > '2021-01-01 00:00:00Z'::timestamptz end for moment in [{UPDATED}]])"
)
TYPES = "json->>'$.resourceType' in ('Observation', 'Condition')"
# The selective condition stands first: DuckDB is faster that way round.
WHERE = {"a": f"{LABORATORY} and {SINCE_2015}", "b": TYPES, "c": UPDATED_2021, "d": f"{LABORATORY} and {SINCE_2015}"}
RAW = r"(format csv, header false, quote '', escape '', delimiter '\x01'{packed})"


def duckdb_sql(way: str, task: str, source: str, target: str) -> str:
    """The query of a task: lines as JSON objects, lines as text of one column, or typed columns."""
    packed = ", compression gzip" if task == "d" else ""
    raw = RAW.format(packed=packed)
    if way == "objects":
        return f"copy (select json from read_ndjson_objects('{source}') where {WHERE[task]}) to '{target}' {raw}"
    if way == "lines":
        reader = (
            f"read_csv('{source}', columns={{json: 'VARCHAR'}}, header=false, delim='\\x01', quote='', escape='',"
            " auto_detect=false, max_line_size=67108864)"
        )
        return f"copy (select json from {reader} where {WHERE[task]}) to '{target}' {raw}"
    if way == "typed":
        codes = "flatten(list_transform(category, lambda c: list_transform(c.coding, lambda d: d.code)))"
        return (
            f"copy (select * from read_ndjson_auto('{source}') where list_contains({codes}, 'laboratory')"
            f" and effectiveDateTime::timestamptz >= '2015-01-01 00:00:00Z'::timestamptz)"
            f" to '{target}' (format json{packed})"
        )
    raise ValueError(way)


def run_duckdb(way: str, task: str, source: str, target: str, threads: int) -> tuple[str, float]:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}; set timezone = 'UTC'")
    start = time.perf_counter()
    connection.execute(duckdb_sql(way, task, source, target)).fetchall()
    return duckdb.__version__, time.perf_counter() - start


def run_polars(task: str, source: str, target: str, threads: int) -> tuple[str, float]:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    line = pl.col("json")
    if task == "a":
        coding = pl.List(pl.Struct({"coding": pl.List(pl.Struct({"code": pl.String}))}))
        period = pl.Struct({"start": pl.String, "end": pl.String})
        read = line.str.json_decode(
            pl.Struct({"effectiveDateTime": pl.String, "effectivePeriod": period, "category": coding})
        )
        is_laboratory = pl.element().struct.field("code") == "laboratory"
        of_category = pl.element().struct.field("coding").list.eval(is_laboratory).list.any()
        laboratory = read.struct.field("category").list.eval(of_category).list.any()
        stored = pl.coalesce(
            read.struct.field("effectiveDateTime"), read.struct.field("effectivePeriod").struct.field("end")
        )
        wanted = laboratory & (stored >= "2015")
    elif task == "b":
        wanted = line.str.json_path_match("$.resourceType").is_in(["Observation", "Condition"])
    else:
        wanted = line.str.json_path_match("$.meta.lastUpdated") > "2021-01-01T00:00:00Z"
    start = time.perf_counter()
    lines = pl.scan_csv(source, separator="\x01", quote_char=None, has_header=False, schema={"json": pl.String})
    lines.filter(wanted).sink_csv(target, include_header=False, quote_style="never", separator="\x01")
    return pl.__version__, time.perf_counter() - start


def main() -> None:
    tool, way, task, source, target, threads = sys.argv[1:]
    if tool == "duckdb":
        version, seconds = run_duckdb(way, task, source, target, int(threads))
    else:
        version, seconds = run_polars(task, source, target, int(threads))
    print(json.dumps({"version": version, "seconds": seconds}))


if __name__ == "__main__":
    main()

"""The questions of the tasks, once, and their wording for each tool: conditions over members of a line."""

from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass(frozen=True)
class Code:
    """Some text at a path is this one; `*` stands for the items of an array."""

    path: str
    value: str


@dataclass(frozen=True)
class Reaches:
    """A moment ends on a day or later, by UTC; the first path that is there counts, a period without an end goes on."""

    paths: tuple[str, ...]
    start: str | None
    day: str

    def edges(self) -> tuple[str, str]:
        """Text before the first, or from the second on, is decided without its zone."""
        day = date.fromisoformat(self.day)
        return (day - timedelta(days=2)).isoformat(), (day + timedelta(days=1)).isoformat()


@dataclass(frozen=True)
class After:
    """`meta.lastUpdated` is after an instant."""

    instant: str


Condition = Code | Reaches | After


@dataclass
class Question:
    """Types, filters of them (each a list of conditions that all hold), and an instant for all."""

    types: list[str] = field(default_factory=list)
    filters: dict[str, list[list[Condition]]] = field(default_factory=dict)
    after: After | None = None
    # Text that every match holds: a tool may look for it before it reads the line.
    literals: tuple[str, ...] = ()

    def conditions(self) -> list[Condition]:
        found: list[Condition] = [each for ways in self.filters.values() for way in ways for each in way]
        return [*found, self.after] if self.after else found

    def paths(self) -> list[str]:
        """Everything that is read of a line."""
        paths = {"resourceType"} if self.types else set()
        for each in self.conditions():
            if isinstance(each, Code):
                paths.add(each.path)
            elif isinstance(each, Reaches):
                paths.update(each.paths)
                paths.update([each.start] if each.start else [])
            else:
                paths.add("meta.lastUpdated")
        return sorted(paths)


# Search parameters of the filters: the path of a code, or the paths of a moment.
CODES = {
    "category": "category.*.coding.*.code",
    "code": "code.coding.*.code",
    "clinical-status": "clinicalStatus.coding.*.code",
    "value-concept": "valueCodeableConcept.coding.*.code",
    "vaccine-code": "vaccineCode.coding.*.code",
    "medication": "medicationCodeableConcept.coding.*.code",
    "reason-code": "reasonCode.*.coding.*.code",
    "priority": "priority.coding.*.code",
    "type": "type.*.coding.*.code",
    "class": "class.code",
    "status": "status",
    "intent": "intent",
    "use": "use",
}
MOMENTS = {
    "date": (("effectiveDateTime", "effectiveInstant", "effectivePeriod.end"), "effectivePeriod.start"),
    "encounter-date": (("period.end",), "period.start"),
    "created": (("created",), None),
    "_lastUpdated": (("meta.lastUpdated",), None),
}

LABORATORY = "Observation?category=laboratory&date=ge2015-01-01"
FIFTY = """
Observation?code=8302-2&date=ge2015-01-01
Observation?code=29463-7&date=ge2016-01-01
Observation?code=85354-9&status=final
Observation?code=8867-4&date=ge2019-01-01
Observation?code=72514-3&date=ge2019-01-01
Observation?code=9279-1&status=final&date=ge2020-01-01
Observation?category=exam
Observation?category=social-history
Observation?category=procedure
Observation?value-concept=266919005
Observation?value-concept=260385009
Observation?category=laboratory&date=ge2020-06-01
Condition?code=444814009
Condition?code=195662009&clinical-status=resolved
Condition?code=10509002
Condition?code=840539006
Condition?code=15777000
Condition?clinical-status=active
Encounter?class=EMER
Encounter?class=IMP
Encounter?type=185347001
Encounter?type=162673000&date=ge2020-01-01
Encounter?reason-code=72892002
Encounter?reason-code=55822004
Procedure?code=430193006
Procedure?code=274804006
Procedure?code=225158009
Procedure?code=76601001
Procedure?code=180256009&status=completed
MedicationRequest?status=active
MedicationRequest?code=310798
MedicationRequest?code=895994
MedicationRequest?code=314076&status=stopped
MedicationRequest?code=2123111&intent=order
DiagnosticReport?code=57698-3
DiagnosticReport?code=51990-0
DiagnosticReport?code=58410-2&category=LAB
DiagnosticReport?code=24323-8&status=final
Immunization?vaccine-code=113
Immunization?vaccine-code=20
Immunization?vaccine-code=140&_lastUpdated=ge2020-01-01
Claim?use=claim&created=ge2020-01-01
Claim?priority=stat
ExplanationOfBenefit?created=ge2021-01-01
ExplanationOfBenefit?status=cancelled
CarePlan?category=736376001
CarePlan?status=active
DocumentReference?status=current
DocumentReference?category=clinical-note&_lastUpdated=ge2021-01-01
CareTeam?status=active
""".split()


def question(filters: list[str]) -> Question:
    """Of type filters as fhirehose takes them."""
    found = Question()
    for text in filters:
        type_name, query = text.split("?")
        if type_name not in found.types:
            found.types.append(type_name)
        way = [condition(type_name, *part.split("=", 1)) for part in query.split("&")]
        found.filters.setdefault(type_name, []).append(way)
    return found


def condition(type_name: str, name: str, value: str) -> Condition:
    if value.startswith("ge"):
        paths, start = MOMENTS["encounter-date" if (type_name, name) == ("Encounter", "date") else name]
        return Reaches(paths, start, value[2:])
    if (type_name, name) == ("MedicationRequest", "code"):
        name = "medication"
    return Code(CODES[name], value)


def questions() -> dict[str, Question]:
    """By task."""
    laboratory = question([LABORATORY])
    laboratory.literals = ('"laboratory"',)
    return {
        "T1": Question(types=["Observation", "Condition"], literals=('"Observation"', '"Condition"')),
        "T2": Question(after=After("2015-01-01T00:00:00Z")),
        "T3": laboratory,
        "T3m": laboratory,
        "T4": laboratory,
        "T6": question(FIFTY),
    }


def tree(paths: list[str]) -> dict:
    """The paths as nested members; the items of an array under `*`, text as an empty dict."""
    root: dict = {}
    for path in paths:
        node = root
        for step in path.split("."):
            node = node.setdefault(step, {})
    return root


# ---- jq and jaq


def jq(asked: Question) -> str:
    """As a filter of jq. Text compares rightly except near a border: jq does not know zones."""
    if asked.after:
        return f'select(.meta.lastUpdated > "{asked.after.instant}")'
    if not asked.filters:
        return "select(" + " or ".join(f'.resourceType == "{name}"' for name in asked.types) + ")"
    parts = []
    for type_name, ways in asked.filters.items():
        of_type = " or ".join("(" + " and ".join(jq_condition(each) for each in way) + ")" for way in ways)
        parts.append(f'if .resourceType == "{type_name}" then {of_type} el')
    return "select(" + "".join(parts) + "se false end)"


def jq_condition(each: Condition) -> str:
    if isinstance(each, Code):
        path = "".join("[]?" if step == "*" else f".{step}" for step in each.path.split("."))
        return f'any({path}; . == "{each.value}")' if "*" in each.path else f'{path} == "{each.value}"'
    assert isinstance(each, Reaches)
    ends = [f".{path}" for path in each.paths]
    ends += [f'(if .{each.start} then "9999" else null end)'] if each.start else []
    return f'({" // ".join(ends)} // "") >= "{each.day}"'


# ---- Python, for orjson


def python(asked: Question) -> str:
    """As an expression over the dict `d` of a line."""
    if asked.after:
        return f"d['meta']['lastUpdated'] > {asked.after.instant!r}"
    if not asked.filters:
        return f"d['resourceType'] in {tuple(asked.types)!r}"
    parts = []
    for type_name, ways in asked.filters.items():
        of_type = " or ".join("(" + " and ".join(python_condition(each) for each in way) + ")" for way in ways)
        parts.append(f"({of_type}) if t == {type_name!r} else ")
    return "".join(parts) + "False"


def python_condition(each: Condition) -> str:
    if isinstance(each, Code):
        *above, last = each.path.split(".")
        if "*" not in above:
            return f"{python_member('d', above)}.get({last!r}) == {each.value!r}"
        loops, value, members = [], "d", []
        for step in above:
            if step == "*":
                *outer, array = members
                item = "abc"[len(loops)]
                loops.append(f"for {item} in {python_member(value, outer)}.get({array!r}, ())")
                value, members = item, []
            else:
                members.append(step)
        return f"any({python_member(value, members)}.get({last!r}) == {each.value!r} {' '.join(loops)})"
    assert isinstance(each, Reaches)
    ends = []
    for path in each.paths:
        *above, last = path.split(".")
        ends.append(f"{python_member('d', above)}.get({last!r})")
    if each.start:
        *above, last = each.start.split(".")
        ends.append(f"({python_member('d', above)}.get({last!r}) and '9999')")
    before, behind = each.edges()
    return f"reaches({' or '.join(ends)}, {each.day!r}, {before!r}, {behind!r})"


def python_member(value: str, members: list[str]) -> str:
    return value + "".join(f".get({member!r}, NONE)" for member in members)


# ---- SQL, for DuckDB


def duckdb_structure(node: dict) -> object:
    """What json_transform takes a line apart into."""
    if not node:
        return "VARCHAR"
    if "*" in node:
        return [duckdb_structure(node["*"])]
    return {name: duckdb_structure(child) for name, child in node.items()}


def duckdb(asked: Question, access: str) -> str:
    """As a condition on the column `json`: each path looked up alone (`paths`), or all at once (`struct`)."""
    if asked.after:
        moment = duckdb_text("meta.lastUpdated", access)
        lower, upper = "2014-12-30", "2015-01-03"
        return once(
            f"case when m >= '{upper}' then true when m < '{lower}' then false"
            f" else m::timestamptz > '{asked.after.instant}'::timestamptz end",
            "m",
            moment,
        )
    name = duckdb_text("resourceType", access)
    if not asked.filters:
        return f"{name} in ({', '.join(quoted(each) for each in asked.types)})"
    cases = []
    for type_name, ways in asked.filters.items():
        of_type = " or ".join("(" + " and ".join(duckdb_condition(each, access) for each in way) + ")" for way in ways)
        if len(asked.filters) == 1:
            # The selective condition stands first: DuckDB is faster that way round.
            return f"{of_type} and {name} = '{type_name}'"
        cases.append(f"when '{type_name}' then {of_type}")
    return f"case {name} {' '.join(cases)} else false end"


def duckdb_condition(each: Condition, access: str) -> str:
    if isinstance(each, Code):
        if "*" not in each.path:
            return f"{duckdb_text(each.path, access)} = '{each.value}'"
        if access == "paths":
            path = each.path.replace(".*", "[*]")
            return f"list_contains(json_extract_string(json, '$.{path}'), '{each.value}')"
        before, *arrays = each.path.split(".*.")
        value = f"s.{before}"
        for number, behind in enumerate(arrays):
            value = f"[x{number}.{behind} for x{number} in {value}]"
            value = f"flatten({value})" if number + 1 < len(arrays) else value
        return f"list_contains({value}, '{each.value}')"
    assert isinstance(each, Reaches)
    ends = [duckdb_text(path, access) for path in each.paths]
    if each.start:
        ends.append(f"if({duckdb_text(each.start, access)} is null, null, '9999')")
    before, behind = each.edges()
    return once(
        f"case when m >= '{behind}' then true when m < '{before}' then false"
        f" when length(m) > 10 then m::timestamptz >= '{each.day} 00:00:00Z'::timestamptz"
        f" else m >= left('{each.day}', length(m)) end",
        "m",
        f"coalesce({', '.join(ends)})" if len(ends) > 1 else ends[0],
    )


def once(expression: str, name: str, value: str) -> str:
    """The value is worked out once, however often the expression names it."""
    return f"list_bool_and([{expression} for {name} in [{value}]])"


def duckdb_text(path: str, access: str) -> str:
    return f"s.{path}" if access == "struct" else f"(json->>'$.{path}')"


def quoted(text: str) -> str:
    return f"'{text}'"


# ---- SQL, for ClickHouse


def clickhouse_structure(node: dict) -> str:
    if not node:
        return "String"
    if "*" in node:
        return f"Array({clickhouse_structure(node['*'])})"
    return "Tuple(" + ", ".join(f"{name} {clickhouse_structure(child)}" for name, child in node.items()) + ")"


def clickhouse(asked: Question, access: str) -> str:
    """As a condition on the column `line`.

    Paths are taken out all at once (`tuple`), each alone (`fields`), or by the first member of the name, wherever it
    stands (`simple`; right on this data only).
    """
    if asked.after:
        moment = clickhouse_text("meta.lastUpdated", access)
        return (
            f"multiIf({moment} >= '2015-01-03', 1, {moment} < '2014-12-30', 0,"
            f" parseDateTime64BestEffortOrZero({moment}, 3, 'UTC') > toDateTime64('2015-01-01 00:00:00', 3, 'UTC'))"
        )
    name = clickhouse_text("resourceType", access)
    if not asked.filters:
        return f"{name} in ({', '.join(quoted(each) for each in asked.types)})"
    cases = []
    for type_name, ways in asked.filters.items():
        of_type = " or ".join("(" + " and ".join(clickhouse_condition(each) for each in way) + ")" for way in ways)
        cases.append(f"{name} = '{type_name}', {of_type}")
    return f"multiIf({', '.join(cases)}, 0)"


def clickhouse_condition(each: Condition) -> str:
    if isinstance(each, Code):
        if "*" not in each.path:
            return f"t.{each.path} = '{each.value}'"
        column = "t." + each.path.replace(".*", "")
        return f"has({'arrayFlatten(' if each.path.count('*') > 1 else '('}{column}), '{each.value}')"
    assert isinstance(each, Reaches)
    ends = [f"nullIf(t.{path}, '')" for path in each.paths]
    ends += [f"if(t.{each.start} = '', null, '9999')"] if each.start else []
    moment = f"coalesce({', '.join(ends)}, '')"
    before, behind = each.edges()
    return (
        f"multiIf({moment} >= '{behind}', 1, {moment} < '{before}', 0, length({moment}) > 10,"
        f" parseDateTimeBestEffortOrZero({moment}, 'UTC') >= toDateTime('{each.day} 00:00:00', 'UTC'),"
        f" {moment} >= substring('{each.day}', 1, length({moment})))"
    )


def clickhouse_text(path: str, access: str) -> str:
    if access == "tuple":
        return f"t.{path}"
    if access == "fields":
        return f"JSONExtractString(line, {', '.join(quoted(step) for step in path.split('.'))})"
    return f"simpleJSONExtractString(line, '{path.split('.')[-1]}')"

"""Lines for the scaling rows: of a given width, or with keys in another order in each."""

import json
import random
from pathlib import Path

# Many different lines, but not so many that they take long to make.
DIFFERENT = 16_000_000


def wide(target: Path, width: int, size: int) -> None:
    """Observations of about so many bytes each: components make up the width. Half of them are what T3 asks for."""
    shuffle = random.Random(width)
    lines, made = [], 0
    while made < min(size, DIFFERENT):
        line = observation(shuffle, len(lines), width)
        lines.append(line)
        made += len(line)
    block = b"".join(lines)
    with target.open("wb") as file:
        while file.tell() < size:
            file.write(block)


def observation(shuffle: random.Random, number: int, width: int) -> bytes:
    category = "laboratory" if number % 2 else "vital-signs"
    found = {
        "resourceType": "Observation",
        "id": f"{number:08x}",
        "status": "final",
        "category": [{"coding": [{"code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": f"Patient/{shuffle.randrange(1000)}"},
        "effectiveDateTime": f"{2016 + shuffle.randrange(8)}-0{shuffle.randrange(1, 10)}-11T08:30:00Z",
    }
    line = json.dumps(found, separators=(",", ":"))
    component = '{"code":{"coding":[{"system":"http://loinc.org","code":"%d-%d"}]},"valueQuantity":{"value":%d.%d,"unit":"mg"}}'
    missing = (width - len(line)) // 115
    if missing > 0:
        parts = [component % tuple(shuffle.randrange(10, 99) for _ in range(4)) for _ in range(missing)]
        line = line[:-1] + ',"component":[' + ",".join(parts) + "]}"
    return (line + "\n").encode()


def shuffled(source: Path, target: Path, share: float, copies: int) -> None:
    """The lines of the source, this share of them with the keys of every object in a random order."""
    order = random.Random(1)
    lines, made = [], 0
    with source.open("rb") as file:
        for line in file:
            if order.random() < share:
                read = json.loads(line, parse_float=Number, parse_int=Number)
                line = written(read, order).encode() + b"\n"
            lines.append(line)
            made += len(line)
            if made >= 4 * DIFFERENT:
                break
    with target.open("wb") as file:
        for _ in range(copies):
            file.writelines(lines)


class Number(str):
    """Digits as they stood."""


def written(value: object, order: random.Random) -> str:
    """As JSON with shuffled keys."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + written(value[name], order) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, order) for item in value) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)

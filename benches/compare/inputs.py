"""What the tools read: made once for a work folder, from a folder of <Type>.ndjson[.gz]."""

import gzip
import heapq
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# How much of the input the slow tools get.
SLICE_BYTES = 32_000_000


@dataclass
class Inputs:
    """Paths of all that is read."""

    # A file for each type.
    folder: Path
    # Lines of all types by turns, as a stream of many types brings them.
    mixed: Path
    observation: Path
    packed: Path
    # A Group of ten patients.
    cohort: Path
    # The heads of these, for the slow tools.
    mixed_slice: Path
    observation_slice: Path
    packed_slice: Path


def prepare(data: Path, work: Path, copies: int) -> Inputs:
    """Whatever is not there yet. With copies, all lines stand so many times one after the other."""
    place = work / f"inputs-{copies}"
    found = Inputs(
        folder=place / "folder",
        mixed=place / "mixed.ndjson",
        observation=place / "folder" / "Observation.ndjson",
        packed=place / "Observation.ndjson.gz",
        cohort=place / "cohort" / "Group.ndjson",
        mixed_slice=place / "slice-mixed.ndjson",
        observation_slice=place / "slice-Observation.ndjson",
        packed_slice=place / "slice-Observation.ndjson.gz",
    )
    done = place / "done"
    if done.exists():
        return found
    shutil.rmtree(place, ignore_errors=True)
    found.folder.mkdir(parents=True)
    found.cohort.parent.mkdir()
    single = work / "single"
    single.mkdir(exist_ok=True)
    files = unpack(data, single)
    mixed = single / "mixed"
    if not mixed.exists():
        interleave(files, mixed)
    for source in files:
        repeat(source, found.folder / source.name, copies)
    repeat(mixed, found.mixed, copies)
    ten_patients(found.folder / "Patient.ndjson", found.cohort)
    head(found.mixed, found.mixed_slice)
    head(found.observation, found.observation_slice)
    pack(found.observation, found.packed)
    pack(found.observation_slice, found.packed_slice)
    done.touch()
    return found


def unpack(data: Path, target: Path) -> list[Path]:
    """Plain files, each ending with a newline."""
    files = []
    for source in sorted(data.glob("*.ndjson")) + sorted(data.glob("*.ndjson.gz")):
        plain = target / source.name.removesuffix(".gz")
        files.append(plain)
        if plain.exists():
            continue
        opened = gzip.open(source) if source.suffix == ".gz" else source.open("rb")
        with opened as read, plain.open("w+b") as write:
            shutil.copyfileobj(read, write, 1 << 18)
            if write.tell():
                write.seek(-1, 2)
                if write.read(1) != b"\n":
                    write.write(b"\n")
    return files


def interleave(files: list[Path], target: Path) -> None:
    """Lines of all files by turns: each file is spread evenly over the whole, in its own order."""
    with target.open("wb") as write:
        heap = []
        for number, path in enumerate(files):
            if size := path.stat().st_size:
                heap.append((0.5 / size, number, 0, size, path.open("rb")))
        heapq.heapify(heap)
        while heap:
            _, number, read, size, file = heap[0]
            line = file.readline()
            write.write(line)
            read += len(line)
            if read < size:
                heapq.heapreplace(heap, (read / size, number, read, size, file))
            else:
                heapq.heappop(heap)
                file.close()


def repeat(source: Path, target: Path, copies: int) -> None:
    with target.open("wb") as write:
        for _ in range(copies):
            with source.open("rb") as read:
                shutil.copyfileobj(read, write, 1 << 18)


def ten_patients(patients: Path, target: Path) -> None:
    """Ten of the first three hundred, spread out."""
    ids = []
    with patients.open("rb") as file:
        for line, _ in zip(file, range(300)):
            ids.append(json.loads(line)["id"])
    ids = list(dict.fromkeys(ids))
    chosen = ids[:: max(1, len(ids) // 10)][:10]
    members = [{"entity": {"reference": f"Patient/{each}"}} for each in chosen]
    group = {"resourceType": "Group", "id": "compare-ten", "type": "person", "actual": True, "member": members}
    target.write_text(json.dumps(group, separators=(",", ":")) + "\n")


def head(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        while write.tell() < SLICE_BYTES and (line := read.readline()):
            write.write(line)


def pack(source: Path, target: Path) -> None:
    subprocess.run(["bash", "-c", f"gzip -6 <'{source}' >'{target}'"], check=True)

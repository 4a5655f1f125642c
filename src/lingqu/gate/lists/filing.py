# SPDX-License-Identifier: Apache-2.0
"""文件核验 file jobs: a table of subjects goes in, the same table with answers comes out, later.

A job asks in batches whose call ids follow from its own id, so that a job interrupted anywhere and
run again is answered from what is stored and not charged twice. What was handed in is deleted when
the job ends; the answers are kept for the holder for some days.
"""

from __future__ import annotations

import csv
import enum
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lingqu import rights, supply, trust
from lingqu.gate.decisions import OverQuota
from lingqu.gate.desk import Desk
from lingqu.gate.lanes import Asker
from lingqu.gate.predicates import Answer, Subject
from lingqu.gate.products import ProductId, get_product
from lingqu.gate.requests import SUBJECTS_MOST, CallAnswer, CallId, CallRequest
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.rights import quantities
from lingqu.runtime import Database, Tx, documents, new_id
from lingqu.runtime.blobs import replace_file
from lingqu.trust import holds

JOB = "gate.files.run"
"""The job that a submitted file becomes."""
ROWS_MOST = 1_000_000
BYTES_MOST = 64 * 1024 * 1024
KEPT_DAYS = 7
_WORDS = {Answer.YES: "是", Answer.NO: "否", Answer.ONCE: "曾经是", Answer.UNKNOWN: "未知"}


class FileJobId(Id):
    """The id of one file job."""

    prefix = "gfj"


class FileFormat(enum.Enum):
    """How the table comes in and goes out."""

    CSV = "csv"
    XLSX = "xlsx"


class FileState(enum.Enum):
    """How far a job is."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


class FileJobNotFound(errors.NotFound):
    """There is no such job, or the caller may not know of it."""

    code = "gate.file.not_found"


class FileJobEnded(errors.Conflict):
    """The job has ended."""

    code = "gate.file.ended"


class FileNotReady(errors.Conflict):
    """The answers are not there: the job waits, was refused, or they were deleted."""

    code = "gate.file.not_ready"


class BadFile(errors.Rejected):
    """The table cannot be read, lacks a named column, or is too large."""

    code = "gate.file.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """A table of subjects to ask about; `refusal` is the code of a job that was refused."""

    id: FileJobId
    grant_id: rights.GrantId
    product: ProductId
    holder: trust.PartyId
    account: trust.AccountId
    purpose: str
    predicate: str
    format: FileFormat
    key_column: str
    value_column: str
    digest: str
    state: FileState
    rows: int
    refusal: str | None
    submitted_at: Instant
    ended_at: Instant | None = None
    version: int = 1


JOBS = trust.Table("gate.file_job", FileJob, not_found=FileJobNotFound)
trust.declare(trust.AuditClass.OPERATIONAL, "gate.file_progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWasSubmitted(trust.Fact):
    """A table of subjects was handed in to be answered."""

    kind = "gate.file.submitted"
    job: FileJobId
    grant: rights.GrantId
    product: ProductId
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJobEndedFact(trust.Fact):
    """A file job ended: its rows were answered, or it was refused by a code."""

    kind = "gate.file.ended"
    job: FileJobId
    rows: int
    refusal: str | None


@trust.command("gate.file.submit")
def submit_file(
    tx: Tx,
    *,
    job: FileJobId,
    grant: rights.GrantId,
    product: ProductId,
    purpose: str,
    format: FileFormat,  # noqa: A002  # the word of the API
    key_column: str,
    value_column: str,
    digest: str,
    predicate: str = "",
) -> FileJob:
    """This will queue a table that was put in place to be answered under a grant.

    Raises GrantNotFound, ProductNotFound, IdTaken, and the refusal of a grant that is not alive.
    """
    held = rights.get_grant(tx, grant)
    holds.refuse_held(tx, subjects=held.subjects)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    rights.refuse_dead(held, rights.find_life(tx, held))
    get_product(tx, product)
    made = FileJob(
        id=job,
        grant_id=grant,
        product=product,
        holder=held.holder,
        account=trust.AccountId(str(tx.caller.account)),
        purpose=purpose[:60],
        predicate=predicate[:128],
        format=format,
        key_column=key_column[:128],
        value_column=value_column[:128],
        digest=digest,
        state=FileState.WAITING,
        rows=0,
        refusal=None,
        submitted_at=tx.now,
    )
    JOBS.insert(tx, made)
    trust.record(tx, FileWasSubmitted(job=job, grant=grant, product=product, digest=digest))
    tx.defer(JOB, job=job)
    return made


@trust.command("gate.file.end", internal=True)
def end_file(tx: Tx, *, job: FileJobId, rows: int, refusal: str | None) -> FileJob:
    """This will end a job. Raises FileJobNotFound, FileJobEnded."""
    held = JOBS.lock(tx, job)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    if held.state is not FileState.WAITING:
        raise FileJobEnded(job=job)
    state = FileState.DONE if refusal is None else FileState.REFUSED
    ended = JOBS.update(tx, held, state=state, rows=rows, refusal=refusal, ended_at=tx.now)
    trust.record(tx, FileJobEndedFact(job=job, rows=rows, refusal=refusal))
    return ended


def get_file(tx: Tx, job: FileJobId) -> FileJob:
    """This will read a job, for those who see its grant. Raises FileJobNotFound."""
    held = JOBS.get(tx, job)
    try:
        rights.get_grant(tx, held.grant_id)
    except rights.GrantNotFound:
        raise FileJobNotFound(id=job) from None
    return held


def find_files(tx: Tx, *, page: PageRequest, grant: rights.GrantId) -> Page[FileJob]:
    """This will list the jobs under a grant, newest first. Raises GrantNotFound."""
    rights.get_grant(tx, grant)
    tail = "WHERE grant_id = %s AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    found = JOBS.find(tx, tail, (grant, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


class FileRoom:
    """The folder in which tables wait, and answers are kept until they are fetched."""

    def __init__(self, folder: Path) -> None:
        """Use the folder; it is made when first needed."""
        self._folder = folder

    def put(self, job: FileJobId, content: bytes) -> str:
        """This will put a table in place and give its SHA-256. Raises BadFile, StorageFull."""
        if not 0 < len(content) <= BYTES_MOST:
            raise BadFile(part="bytes")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self._folder / f"{job}.in", content)
        return hashlib.sha256(content).hexdigest()

    def take(self, job: FileJob) -> bytes:
        """This will give the table of a job. Raises FileNotReady where it is gone or altered."""
        try:
            content = (self._folder / f"{job.id}.in").read_bytes()
        except OSError:
            raise FileNotReady(job=job.id) from None
        if hashlib.sha256(content).hexdigest() != job.digest:
            raise FileNotReady(job=job.id)
        return content

    def finish(self, job: FileJob, answers: bytes | None) -> None:
        """This will keep the answers, if there are any."""
        if answers is not None:
            replace_file(self._folder / f"{job.id}.out", answers)

    def forget(self, job: FileJob) -> None:
        """This will delete what was handed in."""
        (self._folder / f"{job.id}.in").unlink(missing_ok=True)

    def fetch(self, job: FileJob) -> bytes:
        """This will give the answers. Raises FileNotReady."""
        if job.state is not FileState.DONE:
            raise FileNotReady(job=job.id)
        try:
            return (self._folder / f"{job.id}.out").read_bytes()
        except OSError:
            raise FileNotReady(job=job.id) from None

    def sweep(self, now: Instant) -> int:
        """This will delete what is older than some days; gives how many files."""
        if not self._folder.is_dir():
            return 0
        before = (now - timedelta(days=KEPT_DAYS)).timestamp()
        old = [one for one in self._folder.iterdir() if one.stat().st_mtime < before]
        for one in old:
            one.unlink(missing_ok=True)
        return len(old)


def run_file(database: Database, desk: Desk, room: FileRoom, job: FileJobId) -> FileJob:
    """This will answer a waiting job whole, or end it with the refusal of its first batch.

    Running it again after an interruption gives the same answers uncharged.
    """
    with database.reading(trust.PLATFORM) as tx:
        held = JOBS.get(tx, job)
    if held.state is not FileState.WAITING:
        return held
    rows, refusal, answers = 0, None, None
    try:
        subjects = read_listed(room.take(held), key=held.key_column, value=held.value_column)
        answered = list(_ask(database, desk, held, subjects))
        answers = write_answers(held, subjects, answered)
        rows = len(subjects)
    except errors.Unavailable:
        raise
    except errors.LingquError as error:
        refusal = error.code
    room.finish(held, answers)
    ended = trust.execute(
        database,
        end_file,
        trust.PLATFORM,
        new_id(trust.CommandId),
        job=job,
        rows=rows,
        refusal=refusal,
    )
    room.forget(held)
    return ended


def call_id(job: FileJobId, number: int) -> CallId:
    """This will give the id of a job's batch, the same whenever it is run."""
    entropy = hashlib.sha256(f"{job}/{number}".encode()).digest()[:10]
    return CallId.make(unix_ms=job.unix_ms, entropy=entropy)


def _ask(
    database: Database, desk: Desk, job: FileJob, subjects: Sequence[Subject]
) -> Iterator[CallAnswer]:
    asker = Asker(account=job.account, may_call=True)
    parts = [
        tuple(subjects[start : start + SUBJECTS_MOST])
        for start in range(0, len(subjects), SUBJECTS_MOST)
    ]
    for number, part in enumerate(parts):
        request = CallRequest(
            call=call_id(job.id, number),
            grant=job.grant_id,
            product=job.product,
            purpose=job.purpose,
            subjects=part,
            predicate=job.predicate,
        )
        if number == 0 and len(parts) > 1:
            _refuse_short(database, desk, job, request, len(subjects))
        yield desk.ask(request, asker)


def _refuse_short(
    database: Database, desk: Desk, job: FileJob, first: CallRequest, wanted: int
) -> None:
    """A file is answered whole or not at all: look before its first batch is asked."""
    desk.settle()
    with database.reading(trust.PLATFORM) as tx:
        told = desk.explain(tx, first, may_call=True)
        currency = get_product(tx, job.product).currency
        states = quantities.get_quota(tx, job.grant_id)
    left = sum(one.available + one.unswept for one in states if one.currency == currency)
    begun = any(one.rule == "is_new" and not one.passed for one in told.considered)
    if left < wanted and not begun:
        raise OverQuota(grant=job.grant_id, wanted=wanted, left=left)


def format_of(content: bytes) -> FileFormat:
    """This will say what a table that was handed in is: a workbook is a ZIP file."""
    return FileFormat.XLSX if content.startswith(b"PK\x03\x04") else FileFormat.CSV


def read_listed(content: bytes, *, key: str, value: str = "") -> tuple[Subject, ...]:
    """This will read subjects from a table by the names of its columns.

    Raises BadFile and what tables refuse.
    """
    if format_of(content) is FileFormat.XLSX:
        return _read_workbook(key, value, content)
    table = supply.parse_table("CSV", content)
    keys = table.place_of(key)
    values = table.place_of(value) if value else None
    if len(table.rows) > ROWS_MOST:
        raise BadFile(part="rows")
    return tuple(
        Subject(key=row[keys], value="" if values is None else row[values]) for row in table.rows
    )


def _read_workbook(key: str, value: str, content: bytes) -> tuple[Subject, ...]:
    columns = [documents.SheetColumn(name="key", zh=key)]
    if value:
        columns.append(documents.SheetColumn(name="value", zh=value))
    reading = documents.read_sheet(content, columns=columns)
    if reading.problems:
        raise reading.problems[0]
    if not reading.rows:
        raise BadFile(part="rows")
    return tuple(
        Subject(key=str(row["key"]), value=str(row.get("value") or "")) for row in reading.rows
    )


def write_answers(
    job: FileJob, subjects: Sequence[Subject], answered: Sequence[CallAnswer]
) -> bytes:
    """This will write the table with the answer beside each row, and its call for the books."""
    value = job.value_column or "—"
    names = (job.key_column, value, "结果", "依据", "调用编号", "计量批次")
    lines = []
    told = ((call, one) for call in answered for one in call.answers)
    for subject, (call, one) in zip(subjects, told, strict=True):
        shown = "；".join("，".join(row.values()) for row in one.evidence)
        lines.append((
            subject.key, subject.value, _WORDS[one.answer], shown, call.call, call.batch,
        ))  # fmt: skip
    out = io.BytesIO()
    if job.format is FileFormat.XLSX:
        columns = [
            documents.SheetColumn(name=str(place), zh=name, optional=True)
            for place, name in enumerate(names)
        ]
        rows = ({str(place): cell or None for place, cell in enumerate(line)} for line in lines)
        documents.write_sheet(out, title="核验结果", columns=columns, rows=rows)
        return out.getvalue()
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(lines)
    return ("\ufeff" + text.getvalue()).encode()

# SPDX-License-Identifier: Apache-2.0
"""文件核验 file jobs: a table of subjects goes in, the same table with answers comes out, later.

A job asks in batches whose call ids follow from its own id, so that a job interrupted anywhere and
run again is answered from what is stored and not charged twice. What was handed in is deleted when
the job ends; the answers are kept for the holder for some days.
"""

from __future__ import annotations

import csv
import enum
import functools
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lingqu import rights, supply, trust
from lingqu.gate.answering import SubjectAnswer
from lingqu.gate.decisions import OverQuota
from lingqu.gate.desk import Desk
from lingqu.gate.lanes import Asker
from lingqu.gate.predicates import Answer, Subject, VerificationPolicy
from lingqu.gate.products import ProductId, get_product, policy_of
from lingqu.gate.requests import CallAnswer, CallId, CallRequest
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
PART = 5_000
"""So many rows are asked about in one call; progress and cancelling go by parts."""
TURN = 4
"""So many parts of one file are answered before another file has its turn."""
WAITING_MOST = 10
"""So many files of one grant wait at a time."""
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
    CANCELLED = "cancelled"


class FileJobNotFound(errors.NotFound):
    """There is no such job, or the caller may not know of it."""

    code = "gate.file.not_found"


class FileJobEnded(errors.Conflict):
    """The job has ended."""

    code = "gate.file.ended"


class FileNotReady(errors.Conflict):
    """The answers are not there: the job waits, was refused, or they were deleted."""

    code = "gate.file.not_ready"


class TooManyFiles(errors.Conflict):
    """So many files wait under the grant already; all are answered in turn."""

    code = "gate.file.too_many"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWasCancelled(trust.Fact):
    """A file job was stopped by who handed it in; what was answered by then stays metered."""

    kind = "gate.file.cancelled"
    job: FileJobId
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProgress:
    """How far a file is: so many of its rows were answered; 0 of 0 before it is begun."""

    rows: int = 0
    answered: int = 0


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

    Raises GrantNotFound, ProductNotFound, TooManyFiles, IdTaken, and the refusal of a grant that
    is not alive.
    """
    held = rights.get_grant(tx, grant)
    holds.refuse_held(tx, subjects=held.subjects)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    rights.refuse_dead(held, rights.find_life(tx, held))
    get_product(tx, product)
    if tx.one(_COUNT_WAITING, (grant,))["waiting"] >= WAITING_MOST:
        raise TooManyFiles(grant=grant, most=WAITING_MOST)
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


_COUNT_WAITING = """
    SELECT count(*) AS waiting FROM gate.file_job WHERE grant_id = %s AND state = 'waiting'
"""


@trust.command("gate.file.cancel")
def cancel_file(tx: Tx, *, job: FileJobId) -> FileJob:
    """This will stop a job before its next part. Raises FileJobNotFound, FileJobEnded."""
    held = get_file(tx, job)
    held = JOBS.lock(tx, job)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    if held.state is not FileState.WAITING:
        raise FileJobEnded(job=job)
    rows = find_progress(tx, job).answered
    ended = JOBS.update(tx, held, state=FileState.CANCELLED, rows=rows, ended_at=tx.now)
    trust.record(tx, FileWasCancelled(job=job, rows=rows))
    return ended


_PROGRESS = "SELECT rows, answered FROM gate.file_progress WHERE job = %s"
_NOTE_PROGRESS = """
    INSERT INTO gate.file_progress AS p (job, rows, answered, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (job) DO UPDATE SET rows = excluded.rows, answered = excluded.answered,
        at = excluded.at
"""


def find_progress(tx: Tx, job: FileJobId) -> FileProgress:
    """This will say how many rows of a file were answered."""
    row = tx.maybe(_PROGRESS, (job,))
    return FileProgress() if row is None else FileProgress(**row)


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
    """The folder in which tables wait, and answers are kept until they are fetched.

    A part of a file that was answered stands beside it as lines of CSV, until the file ends.
    """

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

    def put_part(self, job: FileJob, number: int, lines: str) -> None:
        """This will keep the answers of one part."""
        replace_file(self._part(job, number), lines.encode())

    def has_part(self, job: FileJob, number: int) -> bool:
        """This will say whether a part was answered."""
        return self._part(job, number).exists()

    def read_parts(self, job: FileJob) -> str:
        """This will give the answers of the parts from the first on, as far as they are there."""
        found, number = [], 0
        while self.has_part(job, number):
            found.append(self._part(job, number).read_text(encoding="utf-8"))
            number += 1
        return "".join(found)

    def finish(self, job: FileJob, answers: bytes | None) -> None:
        """This will keep the answers, if there are any."""
        if answers is not None:
            replace_file(self._folder / f"{job.id}.out", answers)

    def forget(self, job: FileJob) -> None:
        """This will delete what was handed in, and the parts."""
        (self._folder / f"{job.id}.in").unlink(missing_ok=True)
        for one in self._folder.glob(f"{job.id}.*.part"):
            one.unlink(missing_ok=True)

    def fetch(self, job: FileJob) -> bytes:
        """This will give the answers. Raises FileNotReady."""
        if job.state is not FileState.DONE:
            raise FileNotReady(job=job.id)
        try:
            return (self._folder / f"{job.id}.out").read_bytes()
        except OSError:
            raise FileNotReady(job=job.id) from None

    def fetch_so_far(self, job: FileJob) -> bytes:
        """This will give the answers there are as CSV, of a file that is still being answered.

        Raises FileNotReady where there are none.
        """
        parts = self.read_parts(job) if job.state is FileState.WAITING else ""
        if not parts:
            raise FileNotReady(job=job.id)
        return as_csv(job, parts)

    def sweep(self, now: Instant) -> int:
        """This will delete what is older than some days; gives how many files."""
        if not self._folder.is_dir():
            return 0
        before = (now - timedelta(days=KEPT_DAYS)).timestamp()
        old = [one for one in self._folder.iterdir() if one.stat().st_mtime < before]
        for one in old:
            one.unlink(missing_ok=True)
        return len(old)

    def _part(self, job: FileJob, number: int) -> Path:
        return self._folder / f"{job.id}.{number}.part"


def run_file(
    database: Database, desk: Desk, room: FileRoom, job: FileJobId, *, parts: int | None = None
) -> FileJob:
    """This will answer a waiting job part by part, or end it with the refusal of a part.

    It stops after so many `parts`, and still waits then. Running it again after that, or after an
    interruption, gives the same answers uncharged.
    """
    with database.reading(trust.PLATFORM) as tx:
        held = JOBS.get(tx, job)
    if held.state is not FileState.WAITING:
        room.forget(held)
        return held
    rows, refusal, answers = 0, None, None
    try:
        subjects = read_listed(
            room.take(held),
            key=held.key_column,
            value=held.value_column,
            values=_named_values(database, held),
        )
        rows = len(subjects)
        if not _run_parts(database, desk, room, held, subjects, parts):
            with database.reading(trust.PLATFORM) as tx:
                return JOBS.get(tx, job)
        answers = write_answers(held, room.read_parts(held))
    except errors.Unavailable:
        raise
    except errors.LingquError as error:
        refusal, rows = error.code, 0
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


def _named_values(database: Database, job: FileJob) -> tuple[str, ...]:
    """Name the columns of the values of what is combined: each is called as its predicate."""
    with database.reading(trust.PLATFORM) as tx:
        policy = policy_of(get_product(tx, job.product))
    question = policy.question(job.predicate) if isinstance(policy, VerificationPolicy) else None
    if question is None or question.how is None:
        return ()
    return tuple(one.name for one in question.parts if one.takes_value)


def _run_parts(
    database: Database,
    desk: Desk,
    room: FileRoom,
    job: FileJob,
    subjects: Sequence[Subject],
    most: int | None,
) -> bool:
    """Answer parts that are not answered yet; False where it stops before the last one."""
    asker = Asker(account=job.account, may_call=True)
    starts = range(0, len(subjects), PART)
    done = 0
    for number, start in enumerate(starts):
        if room.has_part(job, number):
            continue
        if most is not None and done >= most:
            return False
        part = tuple(subjects[start : start + PART])
        request = CallRequest(
            call=call_id(job.id, number),
            grant=job.grant_id,
            product=job.product,
            purpose=job.purpose,
            subjects=part,
            predicate=job.predicate,
        )
        if number == 0 and len(starts) > 1:
            _refuse_short(database, desk, job, request, len(subjects))
        room.put_part(job, number, _lines(part, desk.ask(request, asker)))
        done += 1
        answered = start + len(part)
        note = functools.partial(_note, job=job.id, rows=len(subjects), answered=answered)
        if not database.run(trust.PLATFORM, note):
            return False
    return True


def _note(tx: Tx, *, job: FileJobId, rows: int, answered: int) -> bool:
    """Note how far a file is; False where it was cancelled meanwhile."""
    tx.execute(_NOTE_PROGRESS, (job, rows, answered, tx.now))
    return JOBS.get(tx, job).state is FileState.WAITING


def call_id(job: FileJobId, number: int) -> CallId:
    """This will give the id of a job's batch, the same whenever it is run."""
    entropy = hashlib.sha256(f"{job}/{number}".encode()).digest()[:10]
    return CallId.make(unix_ms=job.unix_ms, entropy=entropy)


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


def read_listed(
    content: bytes, *, key: str, value: str = "", values: Sequence[str] = ()
) -> tuple[Subject, ...]:
    """This will read subjects from a table by the names of its columns.

    `values` names the columns of several values. Raises BadFile and what tables refuse.
    """
    columns = [key, *((value,) if value else ()), *values]
    if format_of(content) is FileFormat.XLSX:
        rows = _read_workbook(columns, content)
    else:
        table = supply.parse_table("CSV", content)
        places = [table.place_of(one) for one in columns]
        if len(table.rows) > ROWS_MOST:
            raise BadFile(part="rows")
        rows = [[row[place] for place in places] for row in table.rows]
    if not values:
        return tuple(Subject(key=row[0], value=row[1] if value else "") for row in rows)
    first = 2 if value else 1
    return tuple(
        Subject(
            key=row[0],
            value=row[1] if value else "",
            values=dict(zip(values, row[first:], strict=True)),
        )
        for row in rows
    )


def _read_workbook(columns: Sequence[str], content: bytes) -> list[list[str]]:
    named = [documents.SheetColumn(name=str(place), zh=one) for place, one in enumerate(columns)]
    reading = documents.read_sheet(content, columns=named)
    if reading.problems:
        raise reading.problems[0]
    if not reading.rows:
        raise BadFile(part="rows")
    return [[str(row.get(one.name) or "") for one in named] for row in reading.rows]


def _lines(subjects: Sequence[Subject], call: CallAnswer) -> str:
    """The answers of one call as lines of CSV: the answer beside each row, and its call."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for subject, one in zip(subjects, call.answers, strict=True):
        shown = "；".join("，".join(row.values()) for row in one.evidence)
        told = "；".join(f"{name}={value}" for name, value in subject.values.items())
        writer.writerow(
            (subject.key, subject.value or told, _word(one), shown, call.call, call.batch)
        )
    return text.getvalue()


def _word(one: SubjectAnswer) -> str:
    if one.parts:
        return "；".join(
            f"{part.predicate}：{part.band or _WORDS[part.answer]}" for part in one.parts
        )
    return one.band or _WORDS[one.answer]


def _names(job: FileJob) -> tuple[str, ...]:
    return (job.key_column, job.value_column or "—", "结果", "依据", "调用编号", "计量批次")


def as_csv(job: FileJob, parts: str) -> bytes:
    """This will write a table of answers as CSV."""
    head = io.StringIO(newline="")
    csv.writer(head).writerow(_names(job))
    return ("\ufeff" + head.getvalue() + parts).encode()


def write_answers(job: FileJob, parts: str) -> bytes:
    """This will write the table with the answer beside each row, in the form it came in."""
    if job.format is FileFormat.CSV:
        return as_csv(job, parts)
    out = io.BytesIO()
    columns = [
        documents.SheetColumn(name=str(place), zh=name, optional=True)
        for place, name in enumerate(_names(job))
    ]
    rows = (
        {str(place): cell or None for place, cell in enumerate(line)}
        for line in csv.reader(io.StringIO(parts, newline=""))
    )
    documents.write_sheet(out, title="核验结果", columns=columns, rows=rows)
    return out.getvalue()

# SPDX-License-Identifier: Apache-2.0
"""Work that is done over files and engines first, and then becomes true by one command.

A command is one transaction and must be short; reading a delivery or building a file is not. So an
errand asks in a short reading what it may do, works outside any transaction, and ends in the one
command that records it. The id of what it makes is the command's own in another form, so that
sending an errand again means the same thing. Every edge uses these, and none does it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import gate, supply, trust
from lingqu.gate import consents, publishing
from lingqu.kernel.time import Period
from lingqu.runtime import Caller, documents, seals
from lingqu.supply import collection, handing, opening
from lingqu.trust import copies
from lingqu.wiring import App


def deliver_file(
    app: App,
    caller: Caller,
    command_id: trust.CommandId,
    *,
    resource: supply.ResourceId,
    name: str,
    content: bytes,
    mode: collection.LoadMode = collection.LoadMode.REPLACE,
    source: collection.SourceId | None = None,
) -> collection.Load:
    """This will load a delivered file as the newest load of a resource; safe to send again.

    The load's id is the command's in another form. Raises what the gates and `record_load` refuse;
    then nothing is loaded.
    """
    return handing.load_file(
        app.database, caller, command_id, app.workshop,
        resource=resource, name=name, content=content, mode=mode, source=source,
    )  # fmt: skip


def deliver_source(
    app: App, caller: Caller, command_id: trust.CommandId, *, source: collection.SourceId
) -> collection.Load:
    """This will read a source where it lies and load what it holds now; safe to send again.

    Raises UnreadableSecret, what the source's database refuses, and what `deliver_file` raises.
    """
    return handing.load_source(app.database, caller, command_id, app.workshop, source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be looked at: two code books, or one column by a rule of quality.

    For a comparison `name` and `parent` are columns, `other_name` and `other_parent` those of the
    other table where they differ; for a rule `column` is looked at. Only codes that begin with
    `within` count.
    """

    kind: supply.FindingKind
    resource: supply.ResourceId
    other: supply.ResourceId | None = None
    column: str = ""
    name: str = ""
    parent: str = ""
    other_name: str | None = None
    other_parent: str | None = None
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found: its figures, and the whole comparison where there is one."""

    observation: supply.Observation
    comparison: supply.Comparison | None


def look_at(app: App, caller: Caller, look: Look) -> Seen:
    """This will look at loaded tables and change nothing.

    Raises AccessDenied, NotLoaded, KeyMissing, UnknownColumn, BadFinding where a comparison names
    no other table.
    """
    with app.database.reading(caller) as tx:
        left, right = supply.plan_finding(tx, resource=look.resource, other=look.other)
    if look.kind is not supply.FindingKind.COMPARISON:
        seen = supply.check_column(
            left,
            kind=look.kind,
            column=look.column,
            tables=app.tables,
            engine=app.engine,
            within=look.within,
        )
        return Seen(observation=seen, comparison=None)
    if right is None:
        raise supply.BadFinding(part="other")
    found = supply.compare_loaded(
        left,
        right,
        tables=app.tables,
        engine=app.engine,
        name=look.name,
        parent=look.parent,
        right_name=look.other_name,
        right_parent=look.other_parent,
        within=look.within,
    )
    seen = supply.observe_comparison(left, right, found, within=look.within)
    return Seen(observation=seen, comparison=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A file to be opened: its words, and how it is made of what is loaded.

    A crosswalk names `other` and the columns by which both books are read, as `Look` does.
    """

    entry: opening.OpenEntryId
    title: str
    summary: str
    terms: str
    recipe: opening.Recipe
    resource: supply.ResourceId
    other: supply.ResourceId | None = None
    name: str = ""
    parent: str = ""
    other_name: str | None = None
    other_parent: str | None = None


def open_file(
    app: App, caller: Caller, command_id: trust.CommandId, wanted: Opening
) -> opening.OpenFile:
    """This will make a file out of what is loaded and open it to everyone; safe to send again.

    Raises what `publish_file` refuses, NotLoaded, KeyMissing, UnknownColumn and BadOpenFile.
    """
    file = opening.OpenFileId.of(command_id.uuid)
    with app.database.reading(caller) as tx:
        plan = opening.plan_file(
            tx, file=file, entry=wanted.entry, resource=wanted.resource, other=wanted.other
        )
    if plan.done is not None:
        return plan.done
    built = _built(app, plan, wanted)
    kept = app.blobs.put(built.content, limit_bytes=opening.OPEN_BYTES_MOST)
    made = opening.OpenFileMade(
        title=wanted.title,
        summary=wanted.summary,
        terms=wanted.terms,
        name=f"{file}.csv",
        sha256=kept.sha256,
        size_bytes=kept.size,
        rows=built.rows,
        recipe=built.recipe,
        lineage=built.lineage,
    )
    return trust.execute(
        app.database, opening.publish_file, caller, command_id,
        file=file, entry=wanted.entry, made=made,
    )  # fmt: skip


def _built(app: App, plan: opening.FilePlan, wanted: Opening) -> opening.Built:
    if wanted.recipe is opening.Recipe.TABLE:
        content = supply.read_loaded(plan.table, tables=app.tables, engine=app.engine)
        return opening.build_table(plan.table, content)
    if plan.other is None:
        raise opening.BadOpenFile(part="other")
    books = (
        supply.open_book(
            plan.table, tables=app.tables, engine=app.engine,
            name=wanted.name, parent=wanted.parent,
        ),
        supply.open_book(
            plan.other, tables=app.tables, engine=app.engine,
            name=wanted.other_name or wanted.name, parent=wanted.other_parent or wanted.parent,
        ),
    )  # fmt: skip
    return opening.build_crosswalk((plan.table, plan.other), books)


def public_address(app: App) -> str:
    """This will say where anyone reaches this platform: as set, else where it listens."""
    settings = app.settings
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    return settings.base_url or f"http://{host}:{settings.port}"


def publish_product(
    app: App, caller: Caller, command_id: trust.CommandId, *, product: gate.ProductId
) -> gate.Snapshot:
    """This will build a product's snapshot from what is loaded now and let it answer from that.

    The snapshot's id is the command's in another form, so sending it again is safe. Raises what
    the building and `publish_snapshot` refuse; then the product goes on as it was.
    """
    return publishing.publish_product(app.database, caller, command_id, app.bench, product=product)


def record_consent(
    app: App,
    caller: Caller,
    command_id: trust.CommandId,
    *,
    consent: consents.ConsentId,
    product: gate.ProductId,
    holder: trust.PartyId,
    key: str,
    purpose: str,
    valid: Period,
    evidence: bytes,
) -> consents.Consent:
    """This will put a person's consent on record by the hash under which the product knows them.

    The key itself goes nowhere. Raises NotPublished and what `consents.record_consent` refuses.
    """
    with app.database.reading(caller) as tx:
        subject = app.desk.name_subject(tx, product, key)
    return trust.execute(
        app.database,
        consents.record_consent,
        caller,
        command_id,
        consent=consent,
        product=product,
        holder=holder,
        subject=subject,
        purpose=purpose,
        valid=valid,
        evidence=evidence,
    )


def issue_paper(app: App, paper: documents.Paper, *, to: documents.Format) -> documents.Document:
    """This will draw a paper as it leaves the platform: every paper of every edge, by this one way.

    It bears the place of the physical seal and our signature. Raises what drawing raises.
    """
    return documents.draw(paper, to=to, fonts=app.settings.fonts_dir, seal=app.seal)


def sign_paper(app: App, paper: documents.Paper) -> bytes:
    """This will give what a paper says with our signature, as a file of its own."""
    return app.seal.sign(paper)


def check_paper(app: App, content: bytes) -> seals.CheckedPaper:
    """This will say which paper of ours a file is: Word, PDF or signed content, to the last byte.

    Raises BadPaper, BadSignature, DrawingDiffers.
    """
    return documents.check_file(content, app.keyring, fonts=app.settings.fonts_dir)


def attach_copy(
    app: App,
    caller: Caller,
    command_id: trust.CommandId,
    *,
    paper: bytes,
    scan: bytes,
    party: trust.PartyId,
) -> copies.SealedCopy:
    """This will attach the scan of a paper that was sealed by hand; safe to send again.

    `paper` is the file as it was downloaded: it says which paper the scan is of. Raises what
    `check_paper` and `copies.attach_copy` refuse.
    """
    checked, kind = check_paper(app, paper), copies.read_scan_type(scan)
    kept = app.blobs.put(scan, limit_bytes=copies.COPY_BYTES_MOST)
    return trust.execute(
        app.database,
        copies.attach_copy,
        caller,
        command_id,
        copy=copies.CopyId.of(command_id.uuid),
        paper=checked,
        party=party,
        sha256=kept.sha256,
        size_bytes=kept.size,
        media_type=kind,
    )

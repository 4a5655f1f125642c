# SPDX-License-Identifier: Apache-2.0
"""Evidence: what happened, where it stands in the log, and checking a bundle in the page."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from lingqu import errands, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx, documents, seals
from lingqu.runtime.i18n import catalog, explain
from lingqu.runtime.looking import Said
from lingqu.trust import copies, log
from lingqu.ui import tables
from lingqu.ui.charts import proof_steps
from lingqu.ui.papers import scan_cell
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu_verify import Checkpoint, VerificationError
from lingqu_verify import errors as verifier_words
from lingqu_verify import verify_bundle as check_bundle

PAGE_SIZE = 25
_DRAWN = (b"%PDF-", b"PK\x03\x04")
"""How a paper begins that was downloaded as PDF or Word."""
_PARAMETER = re.compile(r"\{[a-z_0-9]+\}")
SECRET_TABLES = frozenset({"trust.account", "trust.api_key"})
"""Their rows hold hashes of secrets: a bundle names their digests and never shows their content."""


class NothingToVerify(errors.Rejected):
    """Neither a file nor a text was given to be verified."""

    code = "ui.verify.nothing"


@get("/trust/facts", sync_to_thread=True)
def fact_list(desk: FromDesk) -> Response[Any]:
    """This will list facts, newest first, all or of one kind or about one thing."""
    desk.require()
    say = fact_words(desk)
    about = desk.argument("subject")[:100]
    columns = _fact_columns(desk, say)
    filters = _fact_filters(desk, tuple(one.kind for one in trust.fact_kinds()), about)
    ask = tables.ask_of(desk, columns, filters)
    said: dict[str, Said] = {
        "what": lambda there: {one: say(one) for one in there},
        "who": lambda there: {one: desk.who(one) for one in there},
    }
    chosen = {name: value for name, value in ask.chosen.items() if name != "subject"}
    with desk.reading() as tx:
        look = dataclasses.replace(tables.look_of(ask, said=said), chosen=chosen)
        found = log.look_through_facts(tx, look=look, subject=about or None)
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=desk.text("ui.facts.title"))
    return desk.show(
        "trust/facts.html",
        view=tables.looked_table(desk, found, columns=columns, ask=ask, filters=filters),
        subject=about,
    )


def _fact_columns(desk: Desk, say: Callable[[str], str]) -> tuple[Column[trust.FactRecord], ...]:
    return (
        Column[trust.FactRecord](
            name="what",
            label="ui.facts.what",
            value=lambda one: say(one.kind),
            href=lambda one: f"/trust/facts/{one.id}",
            sub=lambda one: one.kind,
        ),
        Column[trust.FactRecord](
            name="who", label="ui.facts.who", value=lambda one: desk.who(one.actor)
        ),
        Column[trust.FactRecord](
            name="when", label="ui.facts.when", value=lambda one: one.at, show=Show.INSTANT
        ),
        Column[trust.FactRecord](
            name="place", label="ui.facts.place", value=lambda one: one.index, show=Show.NUMBER
        ),
    )


def _fact_filters(
    desk: Desk, kinds: Sequence[str], about: str
) -> tuple[Filter[trust.FactRecord], ...]:
    """The kinds of facts, and the thing that the address names."""
    found = [
        Filter[trust.FactRecord](
            name="kind",
            label=desk.text("ui.facts.kind"),
            options=tuple(Option(value=one, words=desk.text(f"ui.fact.{one}")) for one in kinds),
        )
    ]
    if about:
        options = (Option(value=about, words=shorten(about)),)
        label = desk.text("ui.facts.subject")
        found.append(Filter[trust.FactRecord](name="subject", label=label, options=options))
    return tuple(found)


@get("/trust/facts/{fact:str}", sync_to_thread=True)
def fact_page(desk: FromDesk, fact: FromPath[str]) -> Response[str]:
    """This will show one fact: what, who, when, which rows, and its proof once it stands."""
    desk.require()
    wanted = trust.FactId(fact)
    with desk.reading() as tx:
        known = trust.get_fact(tx, wanted)
        receipt = _receipt(tx, desk, known)
        keys = log.own_log(tx, known.origin).verifiers if known.origin else ()
    return desk.show(
        "trust/fact.html",
        fact=known,
        entry=known.entry,
        receipt=receipt,
        root=Checkpoint.parse(receipt.checkpoint.text).root.hex() if receipt else "",
        steps=proof_steps(receipt.index, receipt.size, receipt.proof) if receipt else (),
        key=str(keys[-1]) if keys else "",
        file=f"{known.id}.bundle.json",
    )


def _receipt(tx: Tx, desk: Desk, known: trust.FactRecord) -> log.Receipt | None:
    """The proof, or None while no checkpoint holds the fact yet."""
    try:
        return log.receipt(tx, desk.platform.log_directory.parent, known.id)
    except log.NotYetSequenced:
        return None


@get("/trust/facts/{fact:str}/bundle", sync_to_thread=True)
def bundle(desk: FromDesk, fact: FromPath[str]) -> Response[bytes]:
    """This will give the evidence bundle of a fact as a file."""
    desk.require()
    wanted = trust.FactId(fact)
    with desk.reading() as tx:
        known = trust.get_fact(tx, wanted)
        named = {row["table"] for row in known.entry.get("rows", ())}
        text = log.bundle(
            tx,
            desk.platform.log_directory.parent,
            (known.id,),
            disclose=not named & SECRET_TABLES,
        )
    return Response(
        text.encode(),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{wanted}.bundle.json"'},
    )


@get("/trust/verify", sync_to_thread=True)
def verify_page(desk: FromDesk) -> Response[str]:
    """This will ask for a bundle and a key from elsewhere; open to everyone."""
    return _verify(desk)


@post("/trust/verify", sync_to_thread=True)
def verify(desk: FromDesk, form: FromForm) -> Response[str]:
    """This will verify a bundle by the published verifier, or a signed paper; nothing is kept."""
    key, pasted = form.fields.get("key", ""), form.fields.get("pasted", "")
    uploaded = form.file("bundle")
    given = (uploaded.content if uploaded is not None else b"") or pasted.strip().encode(
        errors="replace"
    )
    if seals.is_paper(given) or given.startswith(_DRAWN):
        return _verify_paper(desk, given, key, pasted)
    if not given:
        return _verify(desk, key=key, **_refused(desk, NothingToVerify()))
    try:
        report = check_bundle(given, keys=key.split() or (), now=int(time.time()))
    except VerificationError as error:
        language = "en" if desk.visit.language == "en" else "zh"
        said = error.diagnostics(language)
        return _verify(desk, key=key, pasted=pasted, failure=said, failure_code=error.code)
    return _verify(desk, key=key, report=report)


def _verify_paper(desk: Desk, given: bytes, key: str, pasted: str) -> Response[str]:
    """Says whether a paper is one of ours to the last byte, with what it says and its scans."""
    try:
        paper = errands.check_paper(desk.platform, given)
    except errors.LingquError as refusal:
        return _verify(desk, key=key, pasted=pasted, **_refused(desk, refusal))
    with desk.reading() as tx:
        scans = copies.find_copies(tx, paper=paper.sha256)
        names = desk.names(tx, {one.party for one in scans})
    cells = tuple(scan_cell(desk, one, names[one.party]) for one in scans)
    return _verify(desk, key=key, paper=paper, scans=cells)


def _refused(desk: Desk, refusal: errors.LingquError) -> dict[str, str]:
    """What the page says of a refusal."""
    words = explain(refusal, desk.visit.language)
    return {
        "failure": words.title, "failure_next": words.next_step, "failure_code": refusal.code,
    }  # fmt: skip


def _verify(desk: Desk, **found: Any) -> Response[str]:
    language = "en" if desk.visit.language == "en" else "zh"
    report = found.get("report")
    warnings = [
        verifier_words.label(f"warning.{code}", language)
        for code in (report.warnings if report else ())
    ]
    values: dict[str, Any] = {
        "key": "",
        "pasted": "",
        "failure": None,
        "failure_code": "",
        "failure_next": "",
        "report": None,
        "paper": None,
        "scans": (),
    }
    status = 422 if found.get("failure") else 200
    return desk.show(
        "trust/verify.html",
        status=status,
        warnings=warnings,
        said=fact_words(desk),
        paper_title=_paper_title(found.get("paper")),
        **values | found,
    )


def _paper_title(paper: seals.CheckedPaper | None) -> str:
    if paper is None:
        return ""
    known = {one.name: one.zh for one in documents.find_templates()}
    return known.get(paper.paper.template, paper.paper.template)


@get("/trust/refusals", sync_to_thread=True)
def refusal_list(desk: FromDesk) -> Response[Any]:
    """This will list refused attempts of known callers, and the counts of strangers' ones."""
    desk.require(trust.Role.REGULATOR, trust.Role.ADMINISTRATOR, kind=trust.Kind.REFUSAL)
    with desk.reading() as tx:
        found, is_cut = tables.gather(
            lambda page: trust.find_facts(tx, page=page, kind="trust.command.refused")
        )
        strangers = trust.find_stranger_refusals(tx, page=PageRequest(size=PAGE_SIZE))
    rows = tuple(_Refused.of(one) for one in found)
    columns, filters = _refused_columns(desk), _refused_filters(desk, rows)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, rows, columns=columns, filters=filters, name=desk.text("ui.refusals.title")
        )
    return desk.show(
        "trust/refusals.html",
        view=tables.list_table(desk, rows, columns=columns, filters=filters, is_cut=is_cut),
        strangers=strangers.items,
        why={one.code: reason(desk, one.code) for one in strangers.items},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A refused attempt as its fact says."""

    id: str
    command: str
    channel: str
    code: str
    actor: str
    at: Instant

    @classmethod
    def of(cls, fact: trust.FactRecord) -> _Refused:
        data = fact.entry["data"]
        return cls(
            id=fact.id, command=str(data["command"]), channel=str(data["channel"]),
            code=str(data["code"]), actor=fact.actor, at=fact.at,
        )  # fmt: skip


def _refused_columns(desk: Desk) -> tuple[Column[_Refused], ...]:
    return (
        Column[_Refused](
            name="command",
            label="ui.refusals.attempt",
            value=lambda one: one.command,
            href=lambda one: f"/trust/facts/{one.id}",
            sub=lambda one: one.channel,
        ),
        Column[_Refused](
            name="reason",
            label="ui.refusals.reason",
            value=lambda one: reason(desk, one.code),
            sub=lambda one: one.code,
        ),
        Column[_Refused](name="actor", label="ui.facts.who", value=lambda one: desk.who(one.actor)),
        Column[_Refused](
            name="at", label="ui.facts.when", value=lambda one: one.at, show=Show.INSTANT
        ),
    )


def _refused_filters(desk: Desk, rows: Sequence[_Refused]) -> tuple[Filter[_Refused], ...]:
    return (
        Filter[_Refused](
            name="command",
            label=desk.text("ui.refusals.attempt"),
            options=tuple(
                Option(value=one, words=one) for one in sorted({each.command for each in rows})
            ),
            of=lambda one: one.command,
        ),
        Filter[_Refused](
            name="code",
            label=desk.text("ui.refusals.reason"),
            options=tuple(
                Option(value=one, words=reason(desk, one))
                for one in sorted({each.code for each in rows})
            ),
            of=lambda one: one.code,
        ),
    )


def reason(desk: Desk, code: str) -> str:
    """This will say what a refusal's code means, without the parameters of the single case."""
    return _PARAMETER.sub("…", desk.text(code))


def fact_words(desk: Desk) -> Any:
    """This will give a function that says in words what a kind of fact means."""

    def say(kind: str) -> str:
        code = f"ui.fact.{kind}"
        return desk.text(code) if code in catalog() else kind

    return say

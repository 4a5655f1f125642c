# SPDX-License-Identifier: Apache-2.0
"""Evidence: what happened, where it stands in the log, and checking a bundle in the page."""

from __future__ import annotations

import re
import time
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from lingqu import trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import Tx
from lingqu.runtime.i18n import catalog
from lingqu.trust import log
from lingqu.ui.charts import proof_steps
from lingqu.ui.forms import Form
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete
from lingqu.ui.rendering import Desk
from lingqu_verify import Checkpoint, VerificationError
from lingqu_verify import errors as verifier_words
from lingqu_verify import verify_bundle as check_bundle

PAGE_SIZE = 25
_PARAMETER = re.compile(r"\{[a-z_0-9]+\}")
SECRET_TABLES = frozenset({"trust.account", "trust.api_key"})
"""Their rows hold hashes of secrets: a bundle names their digests and never shows their content."""


@get("/trust/facts", sync_to_thread=True)
def fact_list(
    desk: FromDesk,
    after: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
) -> Response[str]:
    """This will list facts, newest first, all or of one kind or about one thing."""
    desk.require()
    kinds = tuple(one.kind for one in trust.fact_kinds())
    wanted = kind if kind in kinds else None
    about = (subject or "").strip()[:100] or None
    with desk.reading() as tx:
        request = PageRequest(size=PAGE_SIZE, after=after or None)
        page = trust.find_facts(tx, page=request, kind=wanted, subject=about)
    return desk.show(
        "trust/facts.html",
        page=page,
        kinds=kinds,
        kind=wanted,
        subject=about,
        is_first=not after,
        is_filtered=bool(wanted or about),
    )


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
    """This will verify a bundle by the published verifier; nothing of it is kept."""
    key = form.text("key").strip()
    given = _given(form)
    try:
        report = check_bundle(given, keys=key.split() or (), now=int(time.time()))
    except VerificationError as error:
        language = "en" if desk.visit.language == "en" else "zh"
        said = error.diagnostics(language)
        return _verify(desk, key=key, failure=said, failure_code=error.code)
    return _verify(desk, key=key, report=report)


def _given(form: Form) -> bytes:
    uploaded = form.file("bundle")
    given = (uploaded.content if uploaded is not None else b"") or form.fields.get(
        "pasted", ""
    ).strip().encode(errors="replace")
    if not given:
        raise FormIncomplete(field="bundle", reason="")
    return given


def _verify(desk: Desk, **found: Any) -> Response[str]:
    language = "en" if desk.visit.language == "en" else "zh"
    report = found.get("report")
    warnings = [
        verifier_words.label(f"warning.{code}", language)
        for code in (report.warnings if report else ())
    ]
    values: dict[str, Any] = {"key": "", "failure": None, "failure_code": "", "report": None}
    status = 422 if found.get("failure") else 200
    return desk.show(
        "trust/verify.html",
        status=status,
        warnings=warnings,
        said=fact_words(desk),
        **values | found,
    )


@get("/trust/refusals", sync_to_thread=True)
def refusal_list(desk: FromDesk, after: FromQuery[str | None] = None) -> Response[str]:
    """This will list refused attempts of known callers, and the counts of strangers' ones."""
    desk.require(trust.Role.REGULATOR, trust.Role.ADMINISTRATOR, kind=trust.Kind.REFUSAL)
    with desk.reading() as tx:
        request = PageRequest(size=PAGE_SIZE, after=after or None)
        page = trust.find_facts(tx, page=request, kind="trust.command.refused")
        strangers = trust.find_stranger_refusals(tx, page=PageRequest(size=PAGE_SIZE))
    return desk.show(
        "trust/refusals.html",
        page=page,
        reasons={one.id: reason(desk, one.entry["data"]["code"]) for one in page.items},
        strangers=strangers.items,
        why={one.code: reason(desk, one.code) for one in strangers.items},
        is_first=not after,
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

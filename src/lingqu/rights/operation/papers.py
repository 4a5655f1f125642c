# SPDX-License-Identifier: Apache-2.0
"""The papers of authorised operation: what fills the template of a scheme and of an agreement."""

from __future__ import annotations

from types import MappingProxyType

from lingqu import supply
from lingqu.rights.names import name_of
from lingqu.rights.operation.agreements import AGREEMENT_ITEMS, AgreementId, get_agreement
from lingqu.rights.operation.schemes import (
    MONTHS,
    SCHEME_ITEMS,
    SchemeId,
    get_scheme,
)
from lingqu.rights.statements import cite, headed
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day, shift_months
from lingqu.trust import rulebook


def scheme_paper(tx: Tx, scheme: SchemeId) -> documents.Paper:
    """This will give what a scheme's document is written from. Raises SchemeNotFound."""
    held = get_scheme(tx, scheme)
    modes = {one.code: one.zh for one in rulebook.of(tx).items("operation.modes")}
    data: dict[str, object] = {
        "issuer": name_of(tx, held.body),
        "number": f"{held.id[-8:]}-{held.edition}",
        "dated_on": local_day(held.drafted_at).isoformat(),
        "title": held.title,
        "authority": name_of(tx, held.authority),
        "department": name_of(tx, held.department),
        "mode": modes[held.mode.value],
        "term": _term(held.term_months),
        "edition": held.edition,
        "resources": [_resource(tx, one) for one in held.resources],
        "clauses": _clauses(headed(tx, SCHEME_ITEMS, held.statements())) or ["（尚未填写）"],
        "digest": held.digest.hex(),
    }
    return documents.Paper(
        template="scheme", data=MappingProxyType(data), subject=scheme, sealers=(held.body,)
    )


def agreement_paper(tx: Tx, agreement: AgreementId) -> documents.Paper:
    """This will give what an agreement's document is written from. Raises AgreementNotFound.

    Before it took effect, its period is shown as it would be if it took effect today.
    """
    held = get_agreement(tx, agreement)
    starts = local_day(held.effective_at or tx.now)
    ends = (
        shift_months(starts, held.term_months) if held.ends_at is None else local_day(held.ends_at)
    )
    listed = "、".join(_resource(tx, one) for one in held.resources)
    signed = held.signed_by()
    data: dict[str, object] = {
        "number": held.id[-8:],
        "first_party": name_of(tx, held.body),
        "second_party": name_of(tx, held.operator),
        "dated_on": local_day(signed[-1].at).isoformat() if len(signed) > 1 else None,
        "subject": held.title,
        "starts_on": starts.isoformat(),
        "ends_on": ends.isoformat(),
        "recital": f"甲乙双方依据{cite(tx, AGREEMENT_ITEMS)}，就下列公共数据资源的授权运营"
        f"达成本协议：{listed}。",
        "clauses": _clauses(headed(tx, AGREEMENT_ITEMS, held.statements())) or ["（尚未填写）"],
        "digest": held.digest.hex(),
    }
    known: dict[str, object] = {name: value for name, value in data.items() if value is not None}
    return documents.Paper(
        template="agreement",
        data=MappingProxyType(known),
        subject=agreement,
        sealers=(held.body, held.operator),
    )


def _clauses(parts: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"{title}：{' '.join(text.split())}" for title, text in parts]


def _term(months: int) -> str:
    years, rest = divmod(months, MONTHS)
    return (f"{years}年" if years else "") + (f"{rest}个月" if rest else "")


def _resource(tx: Tx, name: str) -> str:
    return f"{supply.get_resource(tx, supply.ResourceId(name)).title}（{name}）"

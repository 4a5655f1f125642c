# SPDX-License-Identifier: Apache-2.0
"""Puts what can be learnt into plain words, the same for pages, terminals and machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingqu.gate.reveals.finding import DELTA_EXPONENT, DatasetTold, Live, Revealed, epsilon_of
from lingqu.runtime.i18n import Language, translate

_RHO = 1_000_000


def explain_reveal(
    told: Revealed, language: Language, columns: Mapping[tuple[str, str], str]
) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """This will say of each dataset what one buyer learns, and what several learn together.

    `columns` gives the words of a column by resource and name, where they are known.
    """
    return tuple(
        (
            one.resource,
            tuple(_alone(one, language, columns)),
            tuple(_together(one, language, columns)),
        )
        for one in told.datasets
    )


def _alone(
    one: DatasetTold, language: Language, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    joint = translate("gate.reveals.joint", language)
    for column in one.columns:
        ways = joint.join(
            translate(f"gate.reveals.way.{way.value}", language) for way in column.ways
        )
        yield translate(
            "gate.reveals.column", language,
            column=columns.get((column.resource, column.column), column.column), ways=ways,
        )  # fmt: skip
    if one.tries is None:
        yield translate("gate.reveals.tries_unlimited", language)
    elif one.tries:
        yield translate("gate.reveals.tries", language, values=one.tries, days=one.days)
    if one.threshold:
        yield translate("gate.reveals.threshold", language, threshold=one.threshold)
    if one.cells:
        yield translate("gate.reveals.cells", language, cells=one.cells, blocks=one.blocks)
    if one.rho_each:
        yield translate("gate.reveals.rho", language, **_budget(one.rho_each))


def _together(
    one: DatasetTold, language: Language, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    live = one.live
    if live is None:
        yield translate("gate.reveals.products", language, products=len(one.products))
    else:
        yield translate(
            "gate.reveals.holders", language, holders=live.holders, products=len(one.products)
        )
        if one.tries and live.holders > 1:
            yield translate(
                "gate.reveals.tries_together", language, holders=live.holders,
                values=one.tries * live.holders, days=one.days,
            )  # fmt: skip
    if one.linked:
        named = (columns.get((one.resource, name), name) for name in one.linked)
        joint = translate("gate.reveals.joint", language)
        yield translate("gate.reveals.linked", language, columns=joint.join(named))
    if one.cells:
        yield translate("gate.reveals.cube_together", language)
    if one.is_ad_hoc:
        yield from _ad_hoc(live, language)
    if one.rho_each:
        holders = 1 if live is None else max(1, live.holders)
        yield translate(
            "gate.reveals.rho_together", language, holders=holders, **_budget(one.rho_together)
        )
        if live is not None:
            yield translate(
                "gate.reveals.rho_spent", language, spent=_rho(live.spent), most=_rho(one.rho_most)
            )


def _ad_hoc(live: Live | None, language: Language) -> Iterator[str]:
    """Overlap is controlled for each organisation; what all of them could subtract is said."""
    if live is None or not live.answers:
        yield translate("gate.reveals.ad_hoc", language)
        return
    code = "ad_hoc_isolating" if live.isolating else "ad_hoc_safe"
    yield translate(
        f"gate.reveals.{code}", language, answers=live.answers, organizations=live.organizations,
        isolating=live.isolating,
    )  # fmt: skip
    if live.is_cut:
        yield translate("gate.reveals.cut", language)


def _budget(rho: int) -> dict[str, str | int]:
    epsilon = epsilon_of(rho)
    return {
        "rho": _rho(rho),
        "epsilon": f"{epsilon // 100}.{epsilon % 100:02}",
        "exponent": DELTA_EXPONENT,
    }


def _rho(rho: int) -> str:
    return f"{rho // _RHO}.{rho % _RHO:06}".rstrip("0").rstrip(".")

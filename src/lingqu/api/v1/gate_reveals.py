# SPDX-License-Identifier: Apache-2.0
"""What can be learnt from a product over the API: its shapes, in figures and in words."""

from __future__ import annotations

import msgspec

from lingqu.api.v1.gate_shapes import FormName
from lingqu.gate import reveals
from lingqu.runtime.i18n import Language


class ColumnToldView(msgspec.Struct, kw_only=True):
    """One column, and every way in which a product tells of it."""

    column: str
    ways: list[str]
    products: list[str]


class ProductToldView(msgspec.Struct, kw_only=True):
    """One product over a dataset; `holders` of living grants is null for who may not know."""

    product: str
    title: str
    form: FormName
    holders: int | None


class LiveView(msgspec.Struct, kw_only=True):
    """Who could put answers together now; `isolating` of them isolate less than a block."""

    holders: int
    answers: int
    organizations: int
    isolating: int
    is_cut: bool
    spent: int


class DatasetToldView(msgspec.Struct, kw_only=True):
    """What all products over one resource allow; budgets in millionths of rho.

    `tries` is null without limit; `alone` and `together` say it in words.
    """

    resource: str
    products: list[ProductToldView]
    columns: list[ColumnToldView]
    linked: list[str]
    tries: int | None
    days: int
    threshold: int
    cells: int
    blocks: int
    rho_each: int
    rho_most: int
    rho_together: int
    live: LiveView | None
    alone: list[str]
    together: list[str]


class RevealedView(msgspec.Struct, kw_only=True):
    """What can be learnt from a product, dataset by dataset."""

    product: str
    datasets: list[DatasetToldView]


def revealed_view(told: reveals.Revealed, language: Language) -> RevealedView:
    """This will show what can be learnt from a product."""
    words = reveals.explain_reveal(told, language, {})
    return RevealedView(
        product=told.product,
        datasets=[
            DatasetToldView(
                resource=one.resource,
                products=[
                    ProductToldView(
                        product=by.product, title=by.title, form=by.form.value, holders=by.holders
                    )
                    for by in one.products
                ],
                columns=[
                    ColumnToldView(
                        column=by.column,
                        ways=[way.value for way in by.ways],
                        products=list(by.products),
                    )
                    for by in one.columns
                ],
                linked=list(one.linked),
                tries=one.tries,
                days=one.days,
                threshold=one.threshold,
                cells=one.cells,
                blocks=one.blocks,
                rho_each=one.rho_each,
                rho_most=one.rho_most,
                rho_together=one.rho_together,
                live=None if one.live is None else _live_view(one.live),
                alone=list(alone),
                together=list(together),
            )
            for one, (_, alone, together) in zip(told.datasets, words, strict=True)
        ],
    )


def _live_view(one: reveals.Live) -> LiveView:
    return LiveView(
        holders=one.holders,
        answers=one.answers,
        organizations=one.organizations,
        isolating=one.isolating,
        is_cut=one.is_cut,
        spent=one.spent,
    )

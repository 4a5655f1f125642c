# SPDX-License-Identifier: Apache-2.0
"""What other catalogs harvest from here: open files and listed products, as one DCAT document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lingqu import trust
from lingqu.kernel.paging import SIZE_MAX, Page, PageRequest
from lingqu.market import distribution, listings
from lingqu.runtime import Tx
from lingqu.supply import opening

Item = TypeVar("Item")
MOST = 5_000
"""Most files, and most products, of one document: the newest ones."""


def write_own_catalog(tx: Tx, *, base_url: str) -> str:
    """This will write everything offered here as DCAT in JSON-LD; open to everyone."""
    base = base_url.rstrip("/")
    files = _all(lambda page: opening.find_files(tx, page=page))
    products = _all(lambda page: listings.find_listings(tx, page=page))
    names = distribution.party_names(
        tx, [*(one.body for one in files), *(one.seller for one in products)]
    )
    moments = [one.published_at for one in files]
    moments += [one.listed_at for one in products if one.listed_at is not None]
    return opening.dcat.write_dcat(
        place=f"{base}/dcat/catalog.jsonld",
        title="数据目录",
        publisher=trust.get_installation(tx).origin,
        modified=max(moments, default=None),
        datasets=[
            opening.dcat.describe_file(one, publisher=names[one.body], base=base) for one in files
        ],
        services=[
            opening.dcat.describe_service(
                place=f"{base}/api/v1/market/listings/{one.id}",
                identifier=one.code,
                title=one.title,
                summary=one.summary,
                party=one.seller,
                publisher=names[one.seller],
                issued=one.listed_at,
            )
            for one in products
        ],
    )


def _all(find: Callable[[PageRequest], Page[Item]]) -> list[Item]:
    found: list[Item] = []
    page: PageRequest | None = PageRequest(size=SIZE_MAX)
    while page is not None and len(found) < MOST:
        some = find(page)
        found += some.items
        page = None if some.next is None else PageRequest(size=SIZE_MAX, after=some.next)
    return found[:MOST]

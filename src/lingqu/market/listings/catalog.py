# SPDX-License-Identifier: Apache-2.0
"""商城: the public catalog, and how a word of two characters is found in it.

Chinese text is kept as its pairs of neighbouring characters, other text as its words; an index
finds the rows that hold all pairs of what is asked for, and the text itself decides.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lingqu import trust
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.market.listings.records import LISTINGS, Listing, ListingId, ListingState
from lingqu.runtime import Tx
from lingqu.runtime.looking import Look, Looked

QUESTION_MAX = 100
TERMS_MAX = 10
_RUNS = re.compile(r"[㐀-鿿豈-﫿]+|[^\W_㐀-鿿豈-﫿]+")
_CHINESE = re.compile(r"[㐀-鿿豈-﫿]")


def words_of(text: str) -> tuple[str, ...]:
    """This will give what a text is found by: pairs of Chinese characters, and other words."""
    return tuple(sorted({*_words(text.lower())}))


def find_listings(
    tx: Tx, *, page: PageRequest, question: str = "", venue: trust.PartyId | None = None
) -> Page[Listing]:
    """This will search the public catalog: every term of the question stands in title or summary.

    Newest first; an empty question lists all that is offered.
    """
    pairs, terms = _asked(question)
    found = LISTINGS.find(
        tx,
        f"{_OFFERED} AND (%s::text IS NULL OR venue = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (not pairs, pairs, terms, venue, venue, page.key, page.key, page.size + 1),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


class Order(enum.Enum):
    """By what a list of offers is ordered."""

    LISTED = "listed_at"
    TITLE = "title"
    FORM = "form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Some of what is offered, how many offers there are in all, and how many of each form."""

    items: tuple[Listing, ...]
    total: int
    forms: Mapping[str, int]


def search_listings(
    tx: Tx,
    *,
    question: str = "",
    form: str | None = None,
    order: Order = Order.LISTED,
    descending: bool = True,
    size: int,
    offset: int = 0,
) -> Offers:
    """This will search as `find_listings` does, in any order and from any place, and count.

    The counts of forms are of the question alone, so that they say what another choice gives.
    """
    pairs, terms = _asked(question)
    where = (not pairs, pairs, terms)
    counted = tx.all(f"{_COUNTED} {_OFFERED} GROUP BY form", where)
    forms = {str(row["form"]): int(row["count"]) for row in counted}
    way = "DESC" if descending else "ASC"
    items: tuple[Listing, ...] = ()
    if size:
        items = LISTINGS.find(
            tx,
            f"{_OFFERED} AND (%s::text IS NULL OR form = %s)"
            f" ORDER BY {order.value} {way}, id {way} LIMIT %s OFFSET %s",
            (*where, form, form, size, offset),
        )
    total = sum(forms.values()) if form is None else forms.get(form, 0)
    return Offers(items=items, total=total, forms=MappingProxyType(forms))


_COUNTED = "SELECT form, count(*) AS count FROM market.listing"
_OFFERED = (
    "WHERE state = 'listed'"
    " AND (%s OR id IN (SELECT listing FROM market.listing_words WHERE words @> %s::text[]))"
    " AND NOT EXISTS (SELECT FROM unnest(%s::text[]) AS asked (term)"
    "   WHERE position(asked.term IN lower(title || ' ' || summary)) = 0)"
)


def _asked(question: str) -> tuple[list[str], list[str]]:
    """The words of a question by which the index finds, and its terms as they were typed."""
    terms = question.lower()[:QUESTION_MAX].split()[:TERMS_MAX]
    return sorted({word for term in terms for word in _words(term) if _is_certain(word)}), terms


def find_own_listings(
    tx: Tx, *, page: PageRequest, party: trust.PartyId | None, state: ListingState | None = None
) -> Page[Listing]:
    """This will list listings of any state, of a seller or a venue, or all; raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.LISTING, owner=party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.LISTING.value)
    wanted = None if state is None else state.value
    found = LISTINGS.find(
        tx,
        "WHERE (%s::text IS NULL OR %s IN (seller, venue)) AND (%s::text IS NULL OR state = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (party, party, wanted, wanted, page.key, page.key, page.size + 1),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_OWN = LISTINGS.shelf(
    "WHERE (%(parties)s::text[] IS NULL OR seller = ANY(%(parties)s) OR venue = ANY(%(parties)s))"
    " AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))",
    {
        "title": "title",
        "certificate": "certificate",
        "code": "code",
        "seller": "seller",
        "venue": "venue",
        "state": "state",
        "applied": "applied_at",
    },
)


def look_through_listings(
    tx: Tx,
    *,
    look: Look,
    parties: Sequence[trust.PartyId] | None,
    states: Sequence[ListingState] | None = None,
) -> Looked[Listing]:
    """This will look through listings of any state, of these sellers or venues, or all (None).

    Columns: title, certificate, code, seller, venue, state, applied. Raises AccessDenied.
    """
    for one in (None,) if parties is None else parties:
        if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.LISTING, owner=one):
            raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.LISTING.value)
    return LISTINGS.look(
        tx,
        _OWN,
        look,
        parties=None if parties is None else list(parties),
        states=None if states is None else [one.value for one in states],
    )


def keep_words(tx: Tx, listing: Listing) -> None:
    """This will make a listing findable."""
    words = list(words_of(f"{listing.title} {listing.summary}"))
    tx.execute(
        "INSERT INTO market.listing_words (listing, words) VALUES (%s, %s)", (listing.id, words)
    )


def forget_words(tx: Tx, listing: ListingId) -> None:
    """This will make a listing unfindable."""
    tx.execute("DELETE FROM market.listing_words WHERE listing = %s", (listing,))


def _words(text: str) -> Iterator[str]:
    for run in _RUNS.findall(text):
        if _CHINESE.match(run) and len(run) > 1:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run


def _is_certain(word: str) -> bool:
    """Whether the word of a question is surely a whole word of the text: a pair of characters."""
    return len(word) == 2 and _CHINESE.match(word) is not None  # a pair

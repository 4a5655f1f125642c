# SPDX-License-Identifier: Apache-2.0
"""A list that the database looks through shows what the same list whole in memory would show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingqu.runtime.looking import Look, Shelf
from lingqu.trust import PLATFORM

STATES = {"on": "在架", "off": "已下架", "new": "New"}
PARTIES = {"pty_1": "钦州数据运营有限公司", "pty_2": "北部湾银行", "pty_3": "Bank of the Gulf"}
TITLES = ("移动号段归属核验", "区划代码核验 50%", "Area codes", "养老机构_清单")
ROWS = [
    {
        "number": number,
        "title": f"{TITLES[number % 4]} {number}",
        "state": tuple(STATES)[number % 3],
        "party": (*PARTIES, None)[number % 4 if number % 5 else 3],
        "amount": None if number % 7 == 0 else number * 13 % 29,
    }
    for number in range(1, 61)
]
VALUES = ", ".join(
    "({number}, '{title}', '{state}', {party}, {amount}::int)".format(
        number=row["number"],
        title=row["title"].replace("%", "%%"),
        state=row["state"],
        party="NULL" if row["party"] is None else f"'{row['party']}'",
        amount="NULL" if row["amount"] is None else row["amount"],
    )
    for row in ROWS
)
SHELF = Shelf(
    select="number, title, state, party, amount",
    source=(
        f"(VALUES {VALUES}) AS row (number, title, state, party, amount) WHERE number > %(above)s"
    ),
    columns={
        "title": "title",
        "state": "state || ''",
        "party": "party",
        "amount": "amount",
    },
    newest=("number",),
)
SAID = {"state": STATES, "party": lambda there: {one: PARTIES[one] for one in there}}
ASKS = st.fixed_dictionaries(
    {
        "words": st.lists(
            st.sampled_from(
                ("核验", "bank", "BANK", "在架", "5", "50%", "_清", "没有", "移动号段")
            ),
            max_size=2,
        ).map(tuple),
        "order": st.sampled_from(("", "title", "state", "party", "amount")),
        "descending": st.booleans(),
        "chosen": st.sampled_from(({}, {"state": "on"}, {"state": "off", "party": "pty_1"})),
        "size": st.sampled_from((1, 7, 25, 100)),
        "page": st.integers(0, 12),
    }
)


def words_of(row):
    said = (STATES[row["state"]], PARTIES.get(row["party"], ""), row["title"], row["amount"])
    return " ".join(str(one) for one in said if one is not None).casefold()


def order_of(row, order):
    value = {"state": STATES, "party": PARTIES}.get(order, {}).get(row[order], row[order])
    return value is None, value if value is not None else 0, row["number"]


def expected(ask, above):
    kept = [
        row
        for row in reversed(ROWS)
        if row["number"] > above
        and all(row[name] == value for name, value in ask["chosen"].items())
        and all(word.casefold() in words_of(row) for word in ask["words"])
    ]
    if ask["order"]:
        kept.sort(key=lambda row: order_of(row, ask["order"]), reverse=ask["descending"])
    size = ask["size"]
    first = min(ask["page"], max(0, len(kept) - 1) // size) * size
    return kept[first : first + size], len(kept)


@pytest.fixture(scope="module")
def reading(trust_server, place_type):
    made = place_type(trust_server)
    made.found()
    with made.database.reading(PLATFORM) as tx:
        yield tx
    made.close()


@settings(max_examples=60, deadline=None)
@given(ask=ASKS, above=st.sampled_from((0, 20, 60)))
def test_the_database_finds_orders_and_counts_as_a_list_in_memory_would(reading, ask, above):
    look = Look(
        size=ask["size"],
        offset=ask["page"] * ask["size"],
        words=ask["words"],
        order=ask["order"],
        descending=ask["descending"],
        chosen=ask["chosen"],
        said=SAID,
    )
    found = SHELF.look(reading, look, above=above)
    rows, total = expected(ask, above)
    assert found.total == total
    assert list(found.items) == rows


def test_the_values_of_a_column_are_those_of_the_list(reading):
    assert SHELF.values(reading, "party", above=0) == tuple(PARTIES)
    assert SHELF.values(reading, "party", above=60) == ()

# SPDX-License-Identifier: Apache-2.0
"""What a transaction sends at once keeps its order, its errors and its all-or-nothing."""

import psycopg
import pytest

from lingqu.kernel import errors
from lingqu.runtime import DatabaseConflict
from lingqu.runtime.db import BadData
from lingqu.trust import PLATFORM

MAKE = """
    CREATE TABLE runtime.noted (word text, place int);
    CREATE UNIQUE INDEX noted_pkey ON runtime.noted (left(word, 20))
"""
ADD = "INSERT INTO runtime.noted (word, place) VALUES (%s, %s)"


class WordTaken(errors.Conflict):
    code = "test.word_taken"


@pytest.fixture
def database(place):
    place.sql(MAKE)
    place.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON runtime.noted TO lingqu_app")
    return place.database


def words(database):
    with database.reading() as tx:
        return [row["word"] for row in tx.all("SELECT word FROM runtime.noted ORDER BY place")]


def test_what_is_left_for_later_is_there_for_the_next_question(database):
    with database.transaction(PLATFORM) as tx:
        tx.later(ADD, ("first", 1))
        tx.later(ADD, ("second", 2))
        assert tx.one("SELECT count(*) AS n FROM runtime.noted")["n"] == 2
        tx.later(ADD, ("third", 3))
        assert tx.together([("SELECT max(place) AS n FROM runtime.noted", ())]) == [[{"n": 3}]]
        tx.later(ADD, ("fourth", 4))
        assert tx.execute("UPDATE runtime.noted SET place = place * 10") == 4
        tx.later(ADD, ("fifth", 50))
        tx.copy_in("COPY runtime.noted (word, place) FROM STDIN", [("sixth", 60)])
        tx.later(ADD, ("seventh", 70))
        assert len(list(tx.stream("SELECT word FROM runtime.noted"))) == 7
        tx.later(ADD, ("eighth", 80))
        tx.many(ADD, [("ninth", 90)])
        tx.later(ADD, ("last", 100))
    assert words(database)[0] == "first"
    assert words(database)[-1] == "last"
    assert len(words(database)) == 10


def leave(database, *rows, expected=(), then=None):
    """Leave rows to the commit, saying what a taken word means; `then` is done before it."""
    with database.transaction(PLATFORM) as tx:
        for word, place in rows:
            if word in expected:
                tx.means("noted_pkey", word, WordTaken(word=word))
            tx.later(ADD, (word, place))
        if then is not None:
            then(tx)


def test_a_failure_at_the_commit_leaves_nothing(database):
    with pytest.raises(DatabaseConflict):
        leave(database, ("one", 1), ("one", 2))
    assert words(database) == []
    leave(database, ("one", 1))
    assert words(database) == ["one"]


def test_a_taken_key_means_what_its_writer_said(database):
    leave(database, ("held", 1))
    with pytest.raises(WordTaken) as caught:
        leave(database, ("new", 0), ("held", 1), ("newer", 2), expected=("new", "held", "newer"))
    assert caught.value.parameters == {"word": "held"}
    with pytest.raises(WordTaken):
        leave(database, ("held", 2), expected=("held",), then=lambda tx: tx.one("SELECT 1 AS one"))
    with pytest.raises(DatabaseConflict):
        leave(database, ("other", 2), ("held", 2), expected=("other",))
    assert words(database) == ["held"]


def test_an_error_in_the_block_undoes_what_was_sent_and_what_was_not(database):
    def fail(tx):
        tx.execute(ADD, ("sent", 1))
        tx.later(ADD, ("unsent", 2))
        raise WordTaken

    with pytest.raises(WordTaken):
        leave(database, ("left", 0), then=fail)
    assert words(database) == []


def test_a_reading_transaction_sees_one_state_and_cannot_write(database):
    with database.reading() as tx:
        assert tx.all("SELECT word FROM runtime.noted") == []
        with database.transaction(PLATFORM) as writer:
            writer.later(ADD, ("meanwhile", 1))
        assert tx.all("SELECT word FROM runtime.noted") == []
        assert tx.one("SHOW transaction_read_only") == {"transaction_read_only": "on"}
    assert words(database) == ["meanwhile"]


@pytest.mark.parametrize(("count", "size"), [(12_000, 40), (400, 10_000), (20, 2_000_000)])
def test_more_than_a_socket_takes_at_once_can_be_left_to_the_commit(database, count, size):
    leave(database, *((f"{place:06}" + "x" * size, place) for place in range(count)))
    with database.reading() as tx:
        found = tx.one("SELECT count(*) AS n, sum(length(word)) AS length FROM runtime.noted")
    assert found == {"n": count, "length": count * (size + 6)}


def test_more_than_a_socket_takes_at_once_can_be_asked_at_once(database):
    great = ["x" * 100_000] * 20
    with database.reading() as tx:
        asked = ("SELECT length(%s::text) AS n, cardinality(%s::text[]) AS m", (great[0], great))
        assert tx.together([asked] * 5) == [[{"n": 100_000, "m": 20}]] * 5


ADD_UNLESS = """
    WITH added AS (INSERT INTO runtime.noted (word, place) VALUES (%(word)s, 1) RETURNING word)
    SELECT runtime.refuse('taken ' || word) FROM added WHERE word = %(refused)s
"""


def begin(tx, *words, refused=None):
    """Add words without waiting for it; adding `refused` is refused by the database."""
    tx.begin(
        [(ADD_UNLESS, {"word": word, "refused": refused}) for word in words],
        {f"taken {refused}": WordTaken(word=refused)},
    )


def test_reading_may_end_with_a_round_trip_and_go_on_after_all(database):
    count = "SELECT count(*) AS n FROM runtime.noted"
    with database.reading() as tx:
        tx.later("SET LOCAL statement_timeout = '30s'")
        assert tx.together([("SELECT 1 AS one", ()), (count, ())], last=True) == [
            [{"one": 1}], [{"n": 0}],
        ]  # fmt: skip
        leave(database, ("meanwhile", 1))
        assert tx.one(count) == {"n": 1}
        assert tx.one("SHOW transaction_read_only") == {"transaction_read_only": "on"}
    with pytest.raises(AssertionError), database.transaction(PLATFORM) as tx:
        tx.together([(count, ())], last=True)
    assert words(database) == ["meanwhile"]


def test_what_was_begun_is_done_before_anything_follows_it(database):
    count = "SELECT count(*) AS n FROM runtime.noted"
    with database.transaction(PLATFORM) as tx:
        tx.later(ADD, ("before", 0))
        begin(tx, "first", "second")
        tx.later(ADD, ("after", 2))
        assert tx.one(count) == {"n": 4}
        begin(tx, "third")
        begin(tx, "fourth")
        tx.later(ADD, ("last", 3))
    expected = ["after", "before", "first", "fourth", "last", "second", "third"]
    assert sorted(words(database)) == expected


def begun(database, *words, refused=None, then=lambda _: None):
    with database.transaction(PLATFORM) as tx:
        begin(tx, *words, refused=refused)
        then(tx)


@pytest.mark.parametrize(
    "then", [lambda tx: tx.later(ADD, ("after", 2)), lambda tx: tx.one("SELECT 1 AS n")]
)
def test_what_was_begun_and_is_refused_by_the_database_leaves_nothing(database, then):
    with pytest.raises(WordTaken) as caught:
        begun(database, "first", "second", "third", refused="second", then=then)
    assert caught.value.parameters == {"word": "second"}
    assert words(database) == []
    begun(database, "afterwards", refused="other")
    assert words(database) == ["afterwards"]


def test_what_was_begun_and_fails_leaves_nothing(database):
    with pytest.raises(DatabaseConflict):
        begun(database, "twice", "twice")
    with pytest.raises(ZeroDivisionError):
        begun(database, "nobody waits for it", then=lambda _: 1 / 0)
    with pytest.raises(psycopg.errors.RaiseException), database.transaction(PLATFORM) as tx:
        tx.begin([("SELECT runtime.refuse('unheard of')", ())], {})
    with database.reading() as tx:
        tx.begin([("SELECT 1 AS word", ())], {})
    assert words(database) == []


def test_what_the_server_forgot_is_prepared_again(database):
    assert database.run(PLATFORM, lambda tx: tx.execute("DEALLOCATE ALL")) == 0
    assert database.run(PLATFORM, lambda tx: tx.one("SELECT 1 AS n")) == {"n": 1}


def test_what_cannot_be_stored_or_fails_leaves_the_transaction_as_it_was(database):
    with pytest.raises(BadData):
        leave(database, ("one", 1), ("nul\0", 2))
    with pytest.raises(BadData):
        leave(database, ("one", 1), then=lambda tx: tx.execute("SELECT 1 / 0"))
    assert words(database) == []
    values = {"word": "50%", "place": 3}
    with database.transaction(PLATFORM) as tx:
        tx.execute("INSERT INTO runtime.noted (place, word) VALUES (%(place)s, %(word)s)", values)
        asked = "SELECT word FROM runtime.noted WHERE word LIKE '5%%' AND %(place)s = %(place)s"
        assert tx.all(asked, {"place": 3}) == [{"word": "50%"}]

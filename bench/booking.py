# SPDX-License-Identifier: Apache-2.0
"""Bench of the ledger: batches with limits against one SQL function call for each transfer."""

from __future__ import annotations

import gc
import random
import threading
import time
from typing import Any

import psycopg

from lingqu import ledger, trust
from lingqu.runtime import Tx, new_id
from lingqu.wiring import App, open_app
from measured import Pair, Reading, installation

ACCOUNTS = 1_000
BATCHES = 3
CALLS = 4_000
CLIENTS = 8

Ids = list[ledger.LedgerAccountId]

BASELINE = """
    CREATE SCHEMA bench;
    CREATE TABLE bench.account (
        id text PRIMARY KEY, currency text NOT NULL, floor bigint NOT NULL,
        ceiling bigint NOT NULL, posted bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50);
    CREATE TABLE bench.transfer (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
        debit text NOT NULL, credit text NOT NULL, amount bigint NOT NULL CHECK (amount > 0),
        kind text NOT NULL, reference text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
        debit_after bigint NOT NULL, credit_after bigint NOT NULL
    );
    CREATE INDEX ON bench.transfer (debit, number);
    CREATE INDEX ON bench.transfer (credit, number);
    CREATE FUNCTION bench.move(
        of_id text, from_account text, to_account text, of_amount bigint, of_kind text,
        of_reference text
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        debited bench.account;
        credited bench.account;
    BEGIN
        PERFORM FROM bench.account WHERE id IN (from_account, to_account) ORDER BY id FOR UPDATE;
        UPDATE bench.account SET posted = posted - of_amount WHERE id = from_account
            RETURNING * INTO debited;
        UPDATE bench.account SET posted = posted + of_amount WHERE id = to_account
            RETURNING * INTO credited;
        IF debited.posted < debited.floor OR credited.posted > credited.ceiling
           OR debited.currency <> credited.currency THEN
            RAISE EXCEPTION 'refused';
        END IF;
        INSERT INTO bench.transfer
            (id, debit, credit, amount, kind, reference, debit_after, credit_after)
        VALUES (of_id, from_account, to_account, of_amount, of_kind, of_reference,
                debited.posted, credited.posted);
    END
    $$;
"""


def bench_ledger(rounds: int) -> Reading:
    """Transfers posted in batches, over many accounts and onto one hot account."""
    figures: dict[str, tuple[list[float], list[float]]] = {"spread": ([], []), "hot": ([], [])}
    with installation() as settings, open_app(settings) as app:
        accounts = open_accounts(app, ACCOUNTS)
        (fees,) = open_accounts(app, 1, hot=True)
        with psycopg.connect(app.postgres.owner_conninfo, autocommit=True) as owner:
            owner.execute(BASELINE)
            owner.execute(
                "INSERT INTO bench.account (id, currency, floor, ceiling)"
                " SELECT account, currency, floor, ceiling FROM ledger.balance"
            )
            for _ in range(rounds):
                for name, (ours, base) in figures.items():
                    hot = fees if name == "hot" else None
                    ours.append(in_batches(app, accounts, hot))
                    base.append(one_by_one(app.postgres.owner_conninfo, accounts, hot))
    against = f"one call of a limit-checking plpgsql function each, {CLIENTS} clients"
    return Reading(
        title="Ledger",
        method=f"Transfers with random accounts and amounts, all limits checked. Ours: {BATCHES}"
        f" submissions of {ledger.BATCH_MAX:,} are queued and posted, each in a durable command of"
        " its own; the time includes queueing, verdicts, running balances, the Merkle root and the"
        f" fact of each batch. Baseline: {CALLS:,} calls from {CLIENTS} connections, prepared, one"
        " commit each; it keeps a transfer with running balances, and no evidence. Hot: every"
        " transfer is for one account.",
        pairs=(
            _pair(f"spread over {ACCOUNTS:,} accounts", figures["spread"], against, 8),
            _pair("one hot account", figures["hot"], against, 25),
        ),
    )


def _pair(name: str, both: tuple[list[float], list[float]], against: str, bar: float) -> Pair:
    ours, base = both
    return Pair(
        name=name,
        unit="transfers/s",
        ours=tuple(ours),
        baseline=tuple(base),
        against=against,
        bar=bar,
    )


@trust.command("bench.ledger.open", internal=True)
def open_many(tx: Tx, *, accounts: tuple[ledger.NewAccount, ...]) -> None:
    """This will open the accounts of the bench."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_ACCOUNT)
    ledger.open_accounts(tx, accounts=accounts)


CHARGES: list[list[ledger.Transfer]] = []
"""What a package has worked out to charge, batch by batch."""


@trust.command("bench.ledger.queue", internal=True)
def queue_charges(tx: Tx, *, place: int) -> int:
    """This will queue transfers as another package does, inside a command of its own."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_TRANSFER)
    ledger.queue_transfers(tx, transfers=CHARGES[place])
    trust.record(tx, ledger.TransfersQueued(count=len(CHARGES[place])))
    return place


def open_accounts(app: App, count: int, *, hot: bool = False) -> Ids:
    """Open accounts that may owe and hold much."""
    owner = new_id(trust.PartyId)
    accounts = tuple(
        ledger.NewAccount(
            id=new_id(ledger.LedgerAccountId), owner=owner, kind="bench",
            floor=-(10**12), ceiling=10**12, hot=hot,
        )
        for _ in range(count)
    )  # fmt: skip
    do(app, open_many, accounts=accounts)
    return [one.id for one in accounts]


def do(app: App, command: Any, **arguments: Any) -> Any:
    """Do a command as the platform."""
    return trust.execute(
        app.database, command, trust.PLATFORM, new_id(trust.CommandId), **arguments
    )


def movements(count: int, accounts: Ids, hot: ledger.LedgerAccountId | None) -> list[Any]:
    """Transfers between random accounts, or from random accounts to the hot one."""
    made = []
    for number in range(count):
        debit, credit = random.sample(accounts, 2)
        made.append(
            ledger.Transfer(
                id=new_id(ledger.TransferId), debit=debit, credit=hot or credit,
                amount=random.randint(1, 10_000), kind="charge", reference=f"bench {number}",
            )
        )  # fmt: skip
    return made


def in_batches(app: App, accounts: Ids, hot: ledger.LedgerAccountId | None) -> float:
    """Queue and post batches; gives transfers per second."""
    CHARGES[:] = [movements(ledger.BATCH_MAX, accounts, hot) for _ in range(BATCHES)]
    gc.freeze()  # what is to be charged was there before; the collector need not walk it
    began = time.perf_counter()
    for place in range(BATCHES):
        do(app, queue_charges, place=place)
    for _ in range(BATCHES):
        result = do(app, ledger.post_batch)
        assert result.accepted == ledger.BATCH_MAX, result
    return BATCHES * ledger.BATCH_MAX / (time.perf_counter() - began)


def one_by_one(conninfo: str, accounts: Ids, hot: ledger.LedgerAccountId | None) -> float:
    """Call the function for each transfer from several connections; transfers per second."""
    calls = movements(CALLS, accounts, hot)
    ready = threading.Barrier(CLIENTS + 1)

    def client(mine: list[Any]) -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            ready.wait()
            for one in mine:
                connection.execute(
                    "SELECT bench.move(%s, %s, %s, %s, %s, %s)",
                    (one.id, one.debit, one.credit, one.amount, one.kind, one.reference),
                    prepare=True,
                )

    threads = [
        threading.Thread(target=client, args=(calls[start::CLIENTS],)) for start in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return CALLS / (time.perf_counter() - began)

# SPDX-License-Identifier: Apache-2.0
"""An installation with an open ledger, and short words for accounts and transfers."""

import pytest

from lingqu import ledger, trust
from lingqu.runtime import new_id


@trust.command("tests.ledger.open_many", internal=True)
def open_many(tx, *, accounts: tuple[ledger.NewAccount, ...]) -> int:
    """What another package does for the accounts of a grant."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_ACCOUNT)
    return len(ledger.open_accounts(tx, accounts=accounts))


class Till:
    """What the tests of the ledger say: open accounts, move amounts, look at balances."""

    def __init__(self, place):
        self.place = place
        self.owner = place.party()
        self.clerk = place.account(self.owner, role=trust.Role.CLEARING)

    def open(self, *, floor=None, ceiling=None, kind="test", currency="CNY", hot=False, owner=None):
        account = ledger.NewAccount(
            id=new_id(ledger.LedgerAccountId),
            owner=owner or self.owner,
            kind=kind,
            currency=currency,
            floor=floor,
            ceiling=ceiling,
            hot=hot,
        )
        return self.place.do(ledger.open_account, self.clerk, account=account).id

    def open_many(self, wanted):
        """Open accounts under ids of the caller's: (id, floor, ceiling, currency) each."""
        accounts = tuple(
            ledger.NewAccount(
                id=one, owner=self.owner, kind="test", currency=unit, floor=low, ceiling=high
            )
            for one, low, high, unit in wanted
        )
        return self.place.do(open_many, self.clerk, accounts=accounts)

    def submit(self, *transfers, command_id=None):
        return self.place.do(
            ledger.submit_transfers, self.clerk, command_id, transfers=tuple(transfers)
        )

    def outcomes(self, *transfers):
        return [verdict.outcome.value for verdict in self.submit(*transfers)]

    def queue(self, *transfers):
        self.place.do(ledger.hand_in_transfers, self.clerk, transfers=tuple(transfers))

    def post(self):
        return self.place.do(ledger.post_batch, self.clerk)

    def verdicts(self, *transfers):
        with self.place.database.reading() as tx:
            found = ledger.find_verdicts(tx, transfers=transfers)
        return [None if one is None else one.outcome.value for one in found]

    def balance(self, account):
        with self.place.database.reading(self.clerk) as tx:
            return ledger.get_balance(tx, account)

    def figures(self, *accounts):
        with self.place.database.reading() as tx:
            found = ledger.find_balances(tx, accounts=accounts)
        known = {one.account: (one.posted, one.pending_out, one.pending_in) for one in found}
        return [known[account] for account in accounts]


def move(debit, credit, amount, **more):
    return ledger.Transfer(
        id=new_id(ledger.TransferId), debit=debit, credit=credit, amount=amount, kind="t", **more
    )


@pytest.fixture
def till(place):
    return Till(place)


@pytest.fixture(scope="session")
def mover():
    return move


@pytest.fixture(scope="session")
def till_type():
    return Till

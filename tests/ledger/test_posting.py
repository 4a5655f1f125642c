# SPDX-License-Identifier: Apache-2.0
"""What a transfer does to the books, and what the ledger refuses, at once and in batches."""

import psycopg
import pytest

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.ledger import Phase
from lingqu.runtime import new_id


def test_a_transfer_moves_its_amount_and_nothing_else(till, mover):
    a, b = till.open(), till.open(floor=0)
    assert till.outcomes(mover(a, b, 100)) == ["accepted"]
    assert till.figures(a, b) == [(-100, 0, 0), (100, 0, 0)]
    assert till.place.audit() == []

# SPDX-License-Identifier: Apache-2.0
"""The ledger said plainly, one group after another on copies: what both posting paths must equal.

It shares nothing with the product: no running balances, no undoing, no quick way.
"""

import copy
from itertools import groupby


class Oracle:
    """Accounts as {name: [currency, floor, ceiling, open]} and every accepted transfer."""

    def __init__(self, accounts):
        self.accounts = accounts
        self.accepted = []
        self.verdicts = {}

    def figures(self, account):
        """Posted, reserved to leave, reserved to come: summed up from the start."""
        posted = leaving = coming = 0
        settled = {one["pending"] for one in self.accepted} - {None}
        for one in self.accepted:
            sign = (one["credit"] == account) - (one["debit"] == account)
            if one["phase"] in {"posted", "post"}:
                posted += sign * one["amount"]
            if one["phase"] == "pending" and one["id"] not in settled:
                leaving += one["amount"] * (sign < 0)
                coming += one["amount"] * (sign > 0)
        return posted, leaving, coming

    def post(self, transfers):
        """Decide a submission and give the outcomes."""
        outcomes = []
        ungrouped = iter(range(-len(transfers) - 1, 0))
        keys = [one["group"] or next(ungrouped) for one in transfers]
        for _, pairs in groupby(zip(keys, transfers, strict=True), key=lambda pair: pair[0]):
            outcomes += self._group([one for _, one in pairs])
        return outcomes

    def _group(self, members):
        seen = [self.verdicts.get(one["id"]) for one in members]
        if any(seen):
            same = all(s and s[0] == one for s, one in zip(seen, members, strict=True))
            return [s[1] if same else "id_reused" for s in seen]
        outcomes = self._decide(members)
        for one, outcome in zip(members, outcomes, strict=True):
            self.verdicts[one["id"]] = (one, outcome)
        return outcomes

    def _decide(self, members):
        after = Oracle(self.accounts)
        after.accepted = copy.copy(self.accepted)
        faults = []
        for one in members:
            fault = after.fault(one)
            faults.append(fault)
            if fault is None:
                after.accepted.append(one)
        if any(faults):
            return [fault or "linked_refused" for fault in faults]
        pressed = [after.pressed(one) for one in members]
        if any(pressed):
            return [press or "linked_refused" for press in pressed]
        self.accepted = after.accepted
        return ["accepted"] * len(members)

    def fault(self, one):
        """What is wrong with a transfer whatever the balances are."""
        debit, credit = self.accounts.get(one["debit"]), self.accounts.get(one["credit"])
        if debit is None or credit is None:
            return "account_unknown"
        if debit[0] != credit[0]:
            return "currency_differs"
        if one["pending"] is None:
            return None
        found = [a for a in self.accepted if a["id"] == one["pending"] and a["phase"] == "pending"]
        if not found:
            return "pending_unknown"
        if any(a["pending"] == one["pending"] for a in self.accepted):
            return "pending_settled"
        (held,) = found
        more = one["amount"] > held["amount"] or (
            one["phase"] == "void" and one["amount"] != held["amount"]
        )
        if more or (one["debit"], one["credit"]) != (held["debit"], held["credit"]):
            return "pending_differs"
        return None

    def pressed(self, one):
        """Which limit does not hold that this transfer presses on."""
        if one["phase"] not in {"posted", "pending"}:
            return None
        posted, leaving, _ = self.figures(one["debit"])
        if posted - leaving < self.accounts[one["debit"]][1]:
            return "floor_crossed"
        posted, _, coming = self.figures(one["credit"])
        return "ceiling_crossed" if posted + coming > self.accounts[one["credit"]][2] else None

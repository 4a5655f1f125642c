# SPDX-License-Identifier: Apache-2.0
"""Hides a gate in a process of its own that a test kills: it prints each acknowledged call."""

import json
import sys
import threading
from pathlib import Path

import lingqu.wiring  # noqa: F401  # loads every domain, as a process of ours does
from lingqu import gate, rights, trust
from lingqu.runtime import Database, new_id
from lingqu.runtime.keys import Keyring, Unlock

CREDIT = "industry.finance.credit"


def main():
    told = json.loads(sys.argv[1])
    folder = Path(told["folder"])
    keyring = Keyring.open(folder / "keys", Unlock.from_key_file(folder / "key"))
    database = Database(told["conninfo"], size=4)
    desk = gate.Desk(database, keyring, folder / "gate")
    asker = gate.Asker(account=trust.AccountId(told["account"]), may_call=True)
    saying = threading.Lock()

    def call():
        while True:
            request = gate.CallRequest(
                call=new_id(gate.CallId),
                grant=rights.GrantId(told["grant"]),
                product=gate.ProductId(told["product"]),
                purpose=CREDIT,
                subjects=(gate.Subject(key="0000007", value="南宁"),),
            )
            answer = desk.ask(request, asker)
            with saying:
                sys.stdout.write(f"{answer.call} {answer.batch} {answer.digest}\n")
                sys.stdout.flush()

    for _ in range(6):
        threading.Thread(target=call, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()

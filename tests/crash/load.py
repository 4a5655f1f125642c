# SPDX-License-Identifier: Apache-2.0
"""The load that the crash rounds kill: a platform with its loops, and threads sending commands.

Each command is written down before it is sent and again once it was acknowledged. What the
database cannot take now is sent again under its own id.
"""

import os
import sys
import threading
import time
from pathlib import Path

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import Tx, new_id
from lingqu.runtime.settings import load_settings
from lingqu.wiring import open_app, run_platform

THREADS = 4


@trust.command("tests.party.register_twice")
def register_and_rename(tx: Tx, *, party: trust.PartyId, name: str) -> trust.Party:
    """A command of two facts and two row versions: a half of it would be seen."""
    trust.register_party(tx, party=party, kind=trust.PartyKind.ORGANIZATION, name=name)
    return trust.rename_party(tx, party=party, name=f"{name}（更名）")


def send(app, number, attempted, acknowledged):
    """Send commands for ever, one after another."""
    while True:
        for facts in (1, 2):
            command, party = new_id(trust.CommandId), new_id(trust.PartyId)
            line = f"{command} {party} {facts}\n".encode()
            os.write(attempted, line)
            while not execute(app, facts, command, party, f"负载{number}"):
                time.sleep(0.01)
            os.write(acknowledged, line)


def execute(app, facts, command, party, name):
    """Send one command; False where the database is away."""
    try:
        if facts == 1:
            trust.execute(
                app.database, trust.register_party, trust.LOCAL_ADMINISTRATOR, command,
                party=party, kind=trust.PartyKind.ORGANIZATION, name=name,
            )  # fmt: skip
        else:
            trust.execute(
                app.database, register_and_rename, trust.LOCAL_ADMINISTRATOR, command,
                party=party, name=name,
            )  # fmt: skip
    except errors.Unavailable:
        return False
    return True


def guarded(*args):
    """A thread that fails ends the process, so that the test sees it."""
    try:
        send(*args)
    except BaseException:  # noqa: BLE001  # whatever it is, the process ends
        sys.excepthook(*sys.exc_info())
        os._exit(70)


def main(data_dir, attempted, acknowledged):
    overrides = {
        "data_dir": data_dir,
        "checkpoint_interval_ms": 50,
        "log_format": "json",
        "origin": "lingqu.test/crash",
    }
    settings = load_settings({}, overrides=overrides)
    options = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = os.open(attempted, options, 0o600), os.open(acknowledged, options, 0o600)
    with open_app(settings) as app, run_platform(app, threading.Event()):
        threads = [
            threading.Thread(target=guarded, args=(app, number, *files), daemon=True)
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

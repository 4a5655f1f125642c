# SPDX-License-Identifier: Apache-2.0
"""An opened installation can be run, stopped and run again, as a notebook or a story does."""

import threading
import time

import pytest

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.runtime.postgres import discard_postgres
from lingqu.runtime.settings import load_settings
from lingqu.wiring import initialize, open_app, run_platform


@pytest.fixture
def settings(tmp_path):
    made = load_settings({}, overrides={"data_dir": tmp_path / "data"})
    try:
        initialize(made)
        yield made
    finally:
        discard_postgres(data_dir=tmp_path / "data")


def until(condition, within_s=60):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running():
    return {thread for thread in threading.enumerate() if thread.name.startswith("lingqu-")}


def test_one_opened_installation_runs_more_than_once(settings):
    elsewhere = running()
    with open_app(settings) as app:
        for turn in (1, 2, 3):
            with run_platform(app, threading.Event()):
                trust.execute(
                    app.database,
                    trust.register_party,
                    trust.LOCAL_ADMINISTRATOR,
                    new_id(trust.CommandId),
                    party=new_id(trust.PartyId),
                    kind=trust.PartyKind.ORGANIZATION,
                    name=f"单位{turn}",
                )
                until(lambda: app.readiness.ready().ok)
                until(lambda most=turn: app.sequencer.status().size > most)
                assert "worker" in dict(app.readiness.ready().results)
            assert "worker" not in dict(app.readiness.ready().results)
        assert running() <= elsewhere

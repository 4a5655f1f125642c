# SPDX-License-Identifier: Apache-2.0
"""Failed jobs on the command line: seen, put back once, thrown away."""

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.runtime.settings import load_settings
from lingqu.wiring import open_app


def fail_job(cli):
    with (
        open_app(load_settings({}, overrides={"data_dir": cli.data})) as app,
        app.database.transaction(trust.PLATFORM) as tx,
    ):
        return tx.one(
            "INSERT INTO runtime.procrastinate_jobs (queue_name, task_name, status, attempts)"
            " VALUES ('default', 'trust.sessions.drop_expired', 'failed', 10) RETURNING id"
        )["id"]


def test_failed_jobs_are_listed_retried_and_dropped(founded):
    assert "没有失败的任务" in founded("jobs", "list").out
    first, second = fail_job(founded), fail_job(founded)
    assert [one["id"] for one in founded.json("jobs", "list")["items"]] == [second, first]
    command = new_id(trust.CommandId)
    done = founded.json("jobs", "retry", first, "--id", command)
    assert founded.json("jobs", "retry", first, "--id", command) == done
    assert done["job"]["name"] == "trust.sessions.drop_expired"
    assert f"任务 {second}" in founded("jobs", "drop", second).out
    gone = founded("jobs", "drop", second, "--json")
    assert (gone.code, gone.refusal) == (4, "trust.job.not_failed")
    assert founded("jobs", "drop", "x", "--json").code == 2
    kinds = [one["kind"] for one in founded.json("fact", "list")["items"]]
    assert {"trust.job.retried", "trust.job.dropped"} <= {*kinds}

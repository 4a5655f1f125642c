# SPDX-License-Identifier: Apache-2.0
"""`lingqu serve` and `lingqu worker`: the two programs that stay."""

from __future__ import annotations

import threading

import click

from lingqu.cli import serve as server
from lingqu.cli.acting import opened
from lingqu.cli.grammar import command, option
from lingqu.cli.invocation import Invocation
from lingqu.runtime.jobs import Worker
from lingqu.runtime.observability import configure_logging


@command("serve", prints_data=False)
@option("--bind", metavar="ADDRESS")
@option("--port", metavar="PORT")
@click.pass_obj
def serve(run: Invocation, bind: str | None, port: str | None) -> None:
    """Serve the platform until Ctrl-C."""
    settings = run.settings(bind=bind, port=port)
    configure_logging(settings.log_format, settings.log_level)
    with opened(run, settings) as app:
        server.serve(
            app,
            threading.Event(),
            started=lambda address: run.say(run.word("serve.started", address=address)),
        )
    run.say(run.word("serve.stopped"))


@command("worker", prints_data=False)
@click.pass_obj
def worker(run: Invocation) -> None:
    """Run background jobs apart from the web server."""
    settings = run.settings()
    configure_logging(settings.log_format, settings.log_level)
    with opened(run, settings) as app:
        run.say(run.word("worker.started"))
        Worker(app.jobs, app.database.conninfo, platform=app).run_until_stopped()
    run.say(run.word("worker.stopped"))

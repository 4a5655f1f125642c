# SPDX-License-Identifier: Apache-2.0
"""`lingqu psql` and `lingqu shell`: looking inside, as a developer does."""

from __future__ import annotations

import code
import os
import signal
import subprocess
from collections.abc import Sequence

import click

from lingqu import trust
from lingqu.cli.acting import caller, opened, refuse_without_installation
from lingqu.cli.archives import database_of
from lingqu.cli.grammar import argument, command, option
from lingqu.cli.invocation import Invocation
from lingqu.runtime.backup import ProgramMissing, quiet_conninfo


@command("psql", prints_data=False, context_settings={"ignore_unknown_options": True})
@option("--owner", is_flag=True)
@argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(run: Invocation, owner: bool, words: Sequence[str]) -> None:  # noqa: FBT001  # a flag of the command line
    """Open psql on the installation's database."""
    settings = run.settings()
    refuse_without_installation(settings)
    with database_of(settings) as (server, _):
        dsn, secret = quiet_conninfo(server.owner_conninfo if owner else server.app_conninfo)
        # Ctrl-C ends a query inside psql, not psql itself.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            ended = subprocess.run(
                [server.program("psql"), f"--dbname={dsn}", *words],
                env={**os.environ, **secret},
                check=False,
            )
        except FileNotFoundError:
            raise ProgramMissing(program="psql") from None
        finally:
            signal.signal(signal.SIGINT, before)
    if ended.returncode != 0:
        raise click.exceptions.Exit(1)


@command("shell", prints_data=False)
@click.pass_obj
def shell(run: Invocation) -> None:
    """Open a Python shell with a read-only transaction."""
    with opened(run) as app, app.database.reading(caller(run)) as tx:
        names = {"app": app, "tx": tx, "trust": trust, "caller": caller(run)}
        code.interact(banner=run.word("shell.banner"), local=names, exitmsg="")

# SPDX-License-Identifier: Apache-2.0
"""Scripts that the demonstration runs in a database by psql, past the platform."""

from __future__ import annotations

import os
import subprocess

from lingqu.kernel import errors
from lingqu.runtime.backup import quiet_conninfo
from lingqu.wiring import App


class NotPossibleHere(errors.Unavailable):
    """The demonstration's own server could not do what the story needs of it."""

    code = "cli.demo.not_possible_here"


def run_psql(app: App, conninfo: str, text: str, **variables: str) -> None:
    """This will run a script in a database, past the platform. Raises NotPossibleHere."""
    dsn, secret = quiet_conninfo(conninfo)
    named = "".join(f"\\set {name} '{value}'\n" for name, value in variables.items())
    ended = subprocess.run(
        [
            app.postgres.program("psql"),
            f"--dbname={dsn}",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
        ],
        input=(named + text).encode(),
        env={**os.environ, **secret},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode != 0:
        raise NotPossibleHere(detail=ended.stderr.decode(errors="replace").strip()[:200])

# SPDX-License-Identifier: Apache-2.0
"""Papers at the terminal: drawn, signed and written beside what is there, never over it."""

from __future__ import annotations

from pathlib import Path

from lingqu.cli.facts import FileExists
from lingqu.cli.invocation import Invocation
from lingqu.cli.text import labelled
from lingqu.cli.values import Member
from lingqu.errands import issue_paper
from lingqu.runtime import documents
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.wiring import App

FORMAT = Member(documents.Format)


def free_file(output: Path) -> Path:
    """This will give the whole path of a file that is not there yet. Raises FileExists."""
    file = output.absolute()
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
    return file


def put_paper(
    app: App, paper: documents.Paper, to: documents.Format, output: Path
) -> tuple[Path, documents.Document]:
    """This will write a paper into a new file, marked as every paper is."""
    file = free_file(output)
    made = issue_paper(app, paper, to=to)
    replace_file(file, made.content, mode=0o644)
    return file, made


def write_paper(
    run: Invocation, app: App, paper: documents.Paper, to: documents.Format, output: Path
) -> None:
    """This will write a paper into a new file and say so."""
    file, made = put_paper(app, paper, to, output)
    run.answer(
        {"file": file, "sha256": made.sha256, "size": len(made.content)},
        [
            run.word("document.written", title=made.title, file=str(file)),
            *labelled([("SHA-256", made.sha256)]),
        ],
    )

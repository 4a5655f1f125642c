# SPDX-License-Identifier: Apache-2.0
"""The `lingqu-verify` command: what a stranger types to check evidence, in Chinese or English.

Exit status: 0 verified, 1 not verified, 2 wrong usage or input that cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lingqu_verify import bundles, history, notes
from lingqu_verify.errors import Unreadable, VerificationError, label, printable
from lingqu_verify.language import language_of, ready_streams, say
from lingqu_verify.notes import VerifierKey

VERIFIED, REFUSED, UNREADABLE = 0, 1, 2
SHOWN_FACTS = 20

Lines = list[str]


class FileUnreadable(Unreadable):
    """A file that was named cannot be read."""

    code = "verify.file.unreadable"


class NoKeyGiven(Unreadable):
    """Neither a key nor a fingerprint was given, so nothing could say whose signature it is."""

    code = "verify.key.none_given"


class BadOption(Unreadable):
    """A key or fingerprint on the command line is not one."""

    code = "verify.option.bad"


def main(arguments: Sequence[str] | None = None) -> int:
    """This will run the `lingqu-verify` command and give its exit status: 0, 1 or 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    lang = language_of(given, os.environ)
    ready_streams()
    options = _parser(lang).parse_args(given)
    try:
        lines, plain = options.run(options, lang)
    except VerificationError as error:
        return _refuse(error, lang, as_json=options.json)
    if options.json:
        say(json.dumps({"verified": True} | plain, ensure_ascii=False) + "\n")
    else:
        say("\n".join(lines) + "\n")
    return VERIFIED


def _refuse(error: VerificationError, lang: str, *, as_json: bool) -> int:
    status = UNREADABLE if isinstance(error, Unreadable) else REFUSED
    if as_json:
        plain = {
            "verified": False,
            "code": error.code,
            "parameters": error.parameters,
            "message": error.diagnostics(lang),
        }
        say(json.dumps(plain, ensure_ascii=False) + "\n")
    else:
        head = label("label.unreadable" if status == UNREADABLE else "label.refused", lang)
        sys.stderr.write(f"{head} {error.diagnostics(lang)} [{error.code}]\n")
    return status


def _bundle(options: argparse.Namespace, lang: str) -> tuple[Lines, dict[str, Any]]:
    keys, witnesses, quorum = _keys(options), _witnesses(options), _quorum(options)
    report = bundles.verify_bundle(
        _file(options.file, bundles.MAX_BUNDLE),
        keys=keys,
        older=_file(options.older, notes.MAX_NOTE) if options.older else None,
        witnesses=witnesses,
        quorum=quorum,
        now=int(time.time()),
    )
    lines = _head_lines(report, lang)
    if report.older_size is not None:
        lines.append(label("label.older", lang, sizes=str(report.older_size)))
    lines.append(label("label.facts", lang, count=len(report.facts)))
    for fact in report.facts[:SHOWN_FACTS]:
        entry = fact.entry
        parts = (f"#{fact.index}", entry.at, entry.kind, entry.actor or "-", entry.fact)
        lines.append("  " + "  ".join(map(printable, parts)))
    if len(report.facts) > SHOWN_FACTS:
        lines.append("  " + label("label.more", lang, count=len(report.facts) - SHOWN_FACTS))
    for shown in report.disclosures:
        row = json.dumps(shown.content, ensure_ascii=False)
        lines.append(label("label.disclosed", lang, index=shown.index, row=printable(row)))
    lines += [printable(text.strip()) for text in report.statements]
    return lines + _warning_lines(report.warnings, lang), _bundle_plain(report)


def _log(options: argparse.Namespace, lang: str) -> tuple[Lines, dict[str, Any]]:
    report = history.verify_log(
        history.open_source(options.location),
        keys=_keys(options),
        older=[_file(path, notes.MAX_NOTE) for path in options.older],
        witnesses=_witnesses(options),
        quorum=_quorum(options),
        now=int(time.time()),
        progress=_progress(lang) if sys.stderr.isatty() else None,
    )
    lines = _head_lines(report, lang)
    if report.older:
        sizes = ", ".join(map(str, report.older))
        lines.append(label("label.older", lang, sizes=sizes))
    lines.append(label("label.whole_log", lang))
    lines += [f"  {count:>9}  {kind}" for kind, count in report.kinds]
    plain = _head_plain(report) | {"older": report.older, "kinds": dict(report.kinds)}
    return lines + _warning_lines(report.warnings, lang), plain


def _checkpoint(options: argparse.Namespace, lang: str) -> tuple[Lines, dict[str, Any]]:
    keys, witnesses = _keys(options), _witnesses(options)
    note = notes.Note.parse(_file(options.file, notes.MAX_NOTE))
    origin = notes.Checkpoint.parse(note.text).origin
    own = bundles.outside_keys(origin, keys)
    signed = bundles.own_checkpoint(note, origin, own, witnesses)
    witnessed, warnings = bundles.judge_witnesses(
        signed, quorum=_quorum(options), now=int(time.time())
    )
    report = bundles.Report(
        origin=origin,
        size=signed.checkpoint.size,
        root=signed.checkpoint.root,
        signed_by=signed.signed_by,
        witnessed_by=witnessed,
        facts=(),
        disclosures=(),
        statements=(),
        older_size=None,
        warnings=warnings,
    )
    return _head_lines(report, lang) + _warning_lines(warnings, lang), _head_plain(report)


def _head_lines(report: bundles.Report | history.LogReport, lang: str) -> Lines:
    lines = [
        label("label.verified", lang),
        label("label.origin", lang, origin=printable(report.origin)),
        label("label.size", lang, size=report.size, root=report.root.hex()),
    ]
    lines += [
        label("label.signed", lang, name=key.name, fingerprint=key.fingerprint)
        for key in report.signed_by
    ]
    lines += [
        label("label.witnessed", lang, name=one.name, at=_instant(one.timestamp))
        for one in report.witnessed_by
    ]
    return lines


def _head_plain(report: bundles.Report | history.LogReport) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "signed_by": [
            {"vkey": str(key), "fingerprint": key.fingerprint} for key in report.signed_by
        ],
        "witnessed_by": [
            {"name": one.name, "timestamp": one.timestamp} for one in report.witnessed_by
        ],
        "warnings": report.warnings,
    }


def _bundle_plain(report: bundles.Report) -> dict[str, Any]:
    return _head_plain(report) | {
        "older_size": report.older_size,
        "facts": [
            {
                "index": fact.index,
                "fact": fact.entry.fact,
                "kind": fact.entry.kind,
                "at": fact.entry.at,
                "actor": fact.entry.actor,
                "command": fact.entry.command,
                "clock": fact.entry.clock,
            }
            for fact in report.facts
        ],
        "disclosures": [
            {"index": shown.index, "content": shown.content} for shown in report.disclosures
        ],
        "statements": report.statements,
    }


def _warning_lines(warnings: Sequence[str], lang: str) -> Lines:
    mark = label("label.warning", lang)
    return [f"{mark} {label(f'warning.{code}', lang)}" for code in warnings]


def _instant(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return str(timestamp)


def _progress(lang: str) -> history.Progress:
    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        sys.stderr.write("\r" + label("label.progress", lang, done=done, total=total) + end)

    return show


def _file(name: str, limit: int) -> bytes:
    """The content of a file, or of standard input for "-"; one byte above the limit at most."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(limit + 1)
        with Path(name).open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileUnreadable(file=name, reason=reason) from error


def _keys(options: argparse.Namespace) -> list[VerifierKey | str]:
    """The keys and fingerprints from outside: options, and key files with one a line."""
    found: list[VerifierKey | str] = [_key(text) for text in options.key]
    for text in options.fingerprint:
        try:
            found.append(notes.normal_fingerprint(text))
        except notes.BadFingerprint as error:
            raise BadOption(text=text) from error
    for name in options.key_file:
        text = _file(name, notes.MAX_NOTE).decode(errors="replace")
        rows = (row.strip() for row in text.splitlines())
        found += [_key(row) for row in rows if row and not row.startswith("#")]
    if not found:
        raise NoKeyGiven
    return found


def _key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except notes.BadKey as error:
        raise BadOption(text=text) from error


def _witnesses(options: argparse.Namespace) -> list[VerifierKey]:
    found = [_key(text) for text in options.witness]
    for key in found:
        if key.algorithm != notes.COSIGNATURE:
            raise BadOption(text=str(key))
    return found


def _quorum(options: argparse.Namespace) -> int:
    """All named witnesses, unless fewer were asked for."""
    named = len(set(options.witness))
    if options.quorum is None:
        return named
    if not 0 <= options.quorum <= named:
        raise BadOption(text=str(options.quorum))
    return int(options.quorum)


def _parser(lang: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lingqu-verify",
        description=label("help.verify", lang),
        epilog=label("help.exit", lang),
        allow_abbrev=False,
    )
    shared = argparse.ArgumentParser(add_help=False)
    for name in ("key", "fingerprint", "key-file", "witness"):
        text = label(f"help.{name.replace('-', '_')}", lang)
        metavar = {"key": "VKEY", "witness": "VKEY", "fingerprint": "HEX"}.get(name, "FILE")
        shared.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=text)
    shared.add_argument("--quorum", type=int, metavar="N", help=label("help.quorum", lang))
    shared.add_argument("--lang", choices=("zh", "en"), help=label("help.lang", lang))
    shared.add_argument("--json", action="store_true", help=label("help.json", lang))
    commands = parser.add_subparsers(required=True, metavar="bundle|log|checkpoint")

    def command(name: str, run: Callable[..., Any]) -> argparse.ArgumentParser:
        text = label(f"help.verify_{name}", lang)
        made = commands.add_parser(
            name,
            parents=[shared],
            help=text,
            description=text,
            epilog=label("help.exit", lang),
            allow_abbrev=False,
        )
        made.set_defaults(run=run)
        return made

    older = label("help.older", lang)
    bundle = command("bundle", _bundle)
    bundle.add_argument("file", metavar="FILE", help=label("help.file", lang))
    bundle.add_argument("--older", metavar="FILE", help=older)
    log = command("log", _log)
    log.add_argument("location", metavar="DIR_OR_URL", help=label("help.location", lang))
    log.add_argument("--older", action="append", default=[], metavar="FILE", help=older)
    checkpoint = command("checkpoint", _checkpoint)
    checkpoint.add_argument("file", metavar="FILE", help=label("help.file", lang))
    return parser


if __name__ == "__main__":
    sys.exit(main())

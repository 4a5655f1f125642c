# SPDX-License-Identifier: Apache-2.0
"""A witness: a program of its own that cosigns a log only while the log keeps to its history.

It speaks C2SP tlog-witness over HTTP. What it has cosigned is on disk before the cosignature
leaves, and one process at a time owns a state folder: so it never signs two histories, whatever
kills it and whenever. Its folder must not be restored from a backup, which would make it forget.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from lingqu_verify import merkle, notes
from lingqu_verify.client import SIZE_TYPE
from lingqu_verify.errors import Malformed, Refuted, Unreadable, VerificationError, label, printable
from lingqu_verify.language import language_of, ready_streams, say
from lingqu_verify.notes import Checkpoint, Note, Signature, SignerKey, VerifierKey

MAX_BODY = 128 * 1024
MAX_PROOF_LINES = 63
MAX_CONNECTIONS = 64
SOCKET_TIMEOUT_S = 10
BODY_DEADLINE_S = 20
KEY_FILE = "witness.key"
LOCK_FILE = "lock"
STATE_FOLDER = "state"

_OLD_LINE = re.compile(r"old (0|[1-9][0-9]{0,18})\Z")
_MONITOR_PATH = re.compile(r"/([0-9a-f]{64})/checkpoint\Z")
_TEXT = "text/plain; charset=utf-8"


class FolderInUse(Unreadable):
    """Another witness process owns the state folder."""

    code = "verify.witness.folder_in_use"


class FolderNotReady(Unreadable):
    """The folder holds no witness, or already holds one, or cannot be read or written."""

    code = "verify.witness.folder_not_ready"


class StateDamaged(Unreadable):
    """What the witness remembers of a log cannot be relied upon, so it must not sign."""

    code = "verify.witness.state_damaged"


class BadListen(Unreadable):
    """The address to listen at is not HOST:PORT, or cannot be had."""

    code = "verify.witness.bad_listen"


class BadRequest(Malformed):
    """The request is not of the form that the protocol asks for."""

    code = "verify.witness.bad_request"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer over HTTP."""

    status: HTTPStatus
    body: str
    content_type: str = _TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An add-checkpoint request, taken apart."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """This will read a request body. Raises BadRequest, BadNote or BadCheckpoint."""
        head, blank, rest = body.partition(b"\n\n")
        lines = head.decode("ascii", errors="replace").split("\n")
        old = _OLD_LINE.match(lines[0])
        if not blank or not old or len(lines) - 1 > MAX_PROOF_LINES:
            raise BadRequest(reason="form")
        proof = tuple(notes.from_base64(line) or b"" for line in lines[1:])
        if any(len(one) != merkle.HASH_SIZE for one in proof):
            raise BadRequest(reason="proof")
        note = Note.parse(rest)
        checkpoint = Checkpoint.parse(note.text)
        if any(line.startswith("suite ") for line in checkpoint.extensions):
            notes.require_suite(checkpoint)
        return cls(old_size=int(old[1]), proof=proof, note=note, checkpoint=checkpoint)


class Witness:
    """The memory and the key of a witness, held open: a context manager over the state folder.

    `logs` are the keys it accepts; a key's name is the origin of its log. Raises FolderInUse when
    another process has the folder, FolderNotReady or StateDamaged when it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        logs: Sequence[VerifierKey],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._lock = threading.Lock()
        self._key = load_key(folder)
        self._owned = _own(folder)
        try:
            self._latest = load_states(folder, self._key.verifier)
        except BaseException:
            os.close(self._owned)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._owned)

    def add_checkpoint(self, body: bytes) -> Answer:
        """This will answer an add-checkpoint request (tlog-witness): a cosignature or a reason."""
        try:
            request = Request.parse(body)
        except VerificationError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, error)
        own = self._logs.get(request.checkpoint.origin)
        if own is None:
            return Answer(HTTPStatus.NOT_FOUND, "unknown log\n")
        try:
            opened = notes.open_note(request.note, own)
        except Refuted as error:
            return _refusal(HTTPStatus.FORBIDDEN, error)
        if request.old_size > request.checkpoint.size:
            return Answer(HTTPStatus.BAD_REQUEST, "old size is above the checkpoint's size\n")
        trusted = {(one.key.name, one.key.key_id) for one in opened}
        kept = [one for one in request.note.signatures if (one.name, one.key_id) in trusted]
        with self._lock:
            return self._cosign(request, tuple(kept))

    def monitor(self, origin_hash: str) -> Answer:
        """This will give the latest cosigned checkpoint of the log with that origin hash."""
        with self._lock:
            note = self._latest.get(origin_hash)
        if note is None:
            return Answer(HTTPStatus.NOT_FOUND, "no checkpoint of this log\n")
        return Answer(HTTPStatus.OK, str(note))

    def _cosign(self, request: Request, kept: tuple[Signature, ...]) -> Answer:
        checkpoint = request.checkpoint
        latest = self._latest.get(origin_hash(checkpoint.origin))
        last = None if latest is None else Checkpoint.parse(latest.text)
        if request.old_size != (last.size if last else 0):
            return Answer(HTTPStatus.CONFLICT, f"{last.size if last else 0}\n", SIZE_TYPE)
        if checkpoint.size == 0 and checkpoint.root != merkle.EMPTY_ROOT:
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong root of the empty tree\n")
        old_root = last.root if last else merkle.EMPTY_ROOT
        try:
            merkle.verify_consistency(
                request.old_size, checkpoint.size, request.proof, old_root, checkpoint.root
            )
        except VerificationError as error:
            return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, error)
        signature = notes.cosign(request.note, self._key, max(1, int(self._clock())))
        note = Note(text=request.note.text, signatures=(*kept, signature))
        try:
            save_state(self._folder, checkpoint.origin, note)
        except OSError as error:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"cannot remember: {error.strerror}\n")
        self._latest[origin_hash(checkpoint.origin)] = note
        return Answer(HTTPStatus.OK, str(signature))


def origin_hash(origin: str) -> str:
    """This will give the SHA-256 of an origin in hex, which names it in paths."""
    return hashlib.sha256(origin.encode()).hexdigest()


def init_folder(folder: Path, name: str) -> VerifierKey:
    """This will make a witness: its folder, and its own key that only this account can read.

    Raises FolderNotReady when there is one already or the folder cannot be written, BadKey for a
    name that no key can have.
    """
    key = SignerKey(name=name, seed=secrets.token_bytes(32), algorithm=notes.COSIGNATURE)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / STATE_FOLDER).mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(folder / KEY_FILE, flags, 0o600), "w") as file:
            file.write(key.private_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(folder)
    except OSError as error:
        raise FolderNotReady(folder=str(folder), reason=error.strerror) from error
    return key.verifier


def load_key(folder: Path) -> SignerKey:
    """This will read the witness's key. Raises FolderNotReady when there is none to rely on."""
    try:
        with (folder / KEY_FILE).open(encoding="utf-8") as file:
            key = SignerKey.parse(file.read(4096))
    except OSError as error:
        raise FolderNotReady(folder=str(folder), reason=error.strerror) from error
    except (notes.BadKey, UnicodeError) as error:
        raise FolderNotReady(folder=str(folder), reason=KEY_FILE) from error
    if key.algorithm != notes.COSIGNATURE:
        raise FolderNotReady(folder=str(folder), reason=KEY_FILE)
    return key


def load_states(folder: Path, witness: VerifierKey) -> dict[str, Note]:
    """This will read what was cosigned last for each log, by origin hash.

    Each must bear our own cosignature. Raises StateDamaged or FolderNotReady.
    """
    found = {}
    try:
        for path in sorted((folder / STATE_FOLDER).glob("*.note")):
            with path.open("rb") as file:
                note = Note.parse(file.read(notes.MAX_NOTE + 1))
            checkpoint = Checkpoint.parse(note.text)
            if not notes.verify_cosignatures(note, [witness]):
                raise StateDamaged(path=str(path))
            if path.stem != origin_hash(checkpoint.origin):
                raise StateDamaged(path=str(path))
            found[path.stem] = note
    except OSError as error:
        raise FolderNotReady(folder=str(folder), reason=error.strerror) from error
    except (Malformed, Refuted) as error:
        raise StateDamaged(path=str(path)) from error
    return found


def save_state(folder: Path, origin: str, note: Note) -> None:
    """This will replace what is remembered of a log, durably and in one step. Raises OSError."""
    states = folder / STATE_FOLDER
    path = states / f"{origin_hash(origin)}.note"
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(str(note).encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(states)


def _own(folder: Path) -> int:
    """Takes the folder for this process; the kernel gives it back when the process ends."""
    try:
        held = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderNotReady(folder=str(folder), reason=error.strerror) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise FolderInUse(folder=str(folder)) from None
    return held


def _sync_folder(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def _refusal(status: HTTPStatus, error: VerificationError) -> Answer:
    return Answer(status, f"{error.code}\n")


class _Handler(BaseHTTPRequestHandler):
    """One connection: bounded in size, number and time."""

    protocol_version = "HTTP/1.1"
    server_version = "lingqu-witness"
    sys_version = ""
    timeout = SOCKET_TIMEOUT_S
    server: WitnessServer

    def do_POST(self) -> None:
        """Answers add-checkpoint."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._answer(Answer(HTTPStatus.LENGTH_REQUIRED, "give a Content-Length\n"))
        elif int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large\n"))
        elif (body := self._body(int(length))) is None:
            self.close_connection = True
        elif self.path == "/add-checkpoint":
            self._answer(self.server.witness.add_checkpoint(body))
        else:
            self._answer(Answer(HTTPStatus.NOT_FOUND, "no such page\n"))

    def do_GET(self) -> None:
        """Answers the monitoring request: the latest cosigned checkpoint of a log."""
        match = _MONITOR_PATH.match(self.path)
        if match:
            self._answer(self.server.witness.monitor(match[1]))
        else:
            self._answer(Answer(HTTPStatus.NOT_FOUND, "no such page\n"))

    def log_message(self, *_: Any) -> None:
        """Nothing is logged per request: whoever sends them could fill the disk."""

    def _body(self, length: int) -> bytes | None:
        """The body, or None when the sender goes away or dawdles."""
        deadline, parts = time.monotonic() + BODY_DEADLINE_S, bytearray()
        with contextlib.suppress(TimeoutError, ConnectionError):
            while len(parts) < length and time.monotonic() < deadline:
                part = self.rfile.read1(length - len(parts))
                if not part:
                    break
                parts += part
        return bytes(parts) if len(parts) == length else None

    def _answer(self, answer: Answer) -> None:
        body = answer.body.encode()
        with contextlib.suppress(TimeoutError, ConnectionError):
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class WitnessServer(ThreadingHTTPServer):
    """The HTTP side of a witness: a thread for each connection, at most 64 at once."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves a connection, or closes it at once when all places are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Gives the place back at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the sender's matter; anything else is shown in one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            sys.stderr.write(f"lingqu-witness: {error!r}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """This will run the `lingqu-witness` command and give its exit status: 0, or 2 for trouble."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    lang = language_of(given, os.environ)
    ready_streams()
    options = _parser(lang).parse_args(given)
    try:
        return int(options.run(options, lang))
    except VerificationError as error:
        sys.stderr.write(f"lingqu-witness: {error.diagnostics(lang)}\n")
        return 2


def _init(options: argparse.Namespace, lang: str) -> int:
    key = init_folder(options.dir, options.name)
    say(f"{label('label.witness_made', lang, fingerprint=key.fingerprint)}\n{key}\n")
    return 0


def _show(options: argparse.Namespace, _lang: str) -> int:
    key = load_key(options.dir).verifier
    states = [Checkpoint.parse(n.text) for n in load_states(options.dir, key).values()]
    logs = [{"origin": s.origin, "size": s.size, "root": s.root.hex()} for s in states]
    if options.json:
        plain = {"vkey": str(key), "fingerprint": key.fingerprint, "logs": logs}
        say(json.dumps(plain, ensure_ascii=False) + "\n")
        return 0
    lines = [str(key), key.fingerprint]
    lines += [f"{printable(one.origin)}\t{one.size}\t{one.root.hex()}" for one in states]
    say("\n".join(lines) + "\n")
    return 0


def _serve(options: argparse.Namespace, lang: str) -> int:
    host, port = _address(options.listen)
    logs = [VerifierKey.parse(text) for text in options.log]
    with Witness(options.dir, logs) as witness:
        try:
            server = WitnessServer((host, port), witness)
        except (OSError, OverflowError) as error:
            raise BadListen(listen=options.listen, reason=str(error)) from error
        with server, _stopping(server):
            shown = f"[{host}]" if ":" in host else host
            url = f"http://{shown}:{server.server_address[1]}"
            say(label("label.witness_listens", lang, url=url) + "\n")
            server.serve_forever(poll_interval=0.1)
    return 0


@contextlib.contextmanager
def _stopping(server: WitnessServer) -> Iterator[None]:
    """Ends serving at SIGTERM and SIGINT, outside the thread that serves."""

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    before: Mapping[int, Any] = {
        number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port):
        raise BadListen(listen=text, reason="HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _parser(lang: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lingqu-witness", description=label("help.witness_program", lang), allow_abbrev=False
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", type=Path, required=True, help=label("help.dir", lang))
    shared.add_argument("--lang", choices=("zh", "en"), help=label("help.lang", lang))
    commands = parser.add_subparsers(required=True, metavar="init|serve|show")

    def command(name: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        text = label(f"help.witness_{name}", lang)
        made = commands.add_parser(name, parents=[shared], help=text, description=text)
        made.set_defaults(run=run)
        return made

    init = command("init", _init)
    init.add_argument("--name", required=True, help=label("help.name", lang))
    serve = command("serve", _serve)
    serve.add_argument("--listen", default="127.0.0.1:8470", help=label("help.listen", lang))
    serve.add_argument("--log", action="append", required=True, help=label("help.log_key", lang))
    show = command("show", _show)
    show.add_argument("--json", action="store_true", help=label("help.json", lang))
    return parser


if __name__ == "__main__":
    sys.exit(main())

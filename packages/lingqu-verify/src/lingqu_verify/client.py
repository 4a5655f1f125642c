# SPDX-License-Identifier: Apache-2.0
"""How a log asks a witness for its cosignature (C2SP tlog-witness, add-checkpoint)."""

from __future__ import annotations

import base64
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu_verify import notes
from lingqu_verify.errors import Malformed, Unreadable
from lingqu_verify.notes import Note, Signature, VerifierKey

SIZE_TYPE = "text/x.tlog.size"
MAX_ANSWER = 65_536
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SIZE_LINE = re.compile(rb"(?:0|[1-9][0-9]{0,18})\n\Z")


class WitnessUnreachable(Unreadable):
    """The witness did not answer, or its address is not one."""

    code = "verify.witness.unreachable"


class WitnessRefused(Unreadable):
    """The witness answered and would not cosign."""

    code = "verify.witness.refused"


class BadAnswer(Malformed):
    """The witness's answer is not one that the protocol knows."""

    code = "verify.witness.bad_answer"


@dataclass(frozen=True, slots=True)
class Stale:
    """The witness last cosigned another size: prove consistency from there and ask again."""

    size: int


def submit_checkpoint(
    url: str,
    note: Note,
    *,
    old_size: int,
    proof: Sequence[bytes],
    witness: VerifierKey,
    timeout_s: float = 10,
) -> Signature | Stale:
    """This will send a signed checkpoint to the witness at `url` and give its cosignature.

    `proof` shows consistency from `old_size`; `witness` is the key whose cosignature is expected,
    and it is checked. Raises WitnessUnreachable, WitnessRefused (with the HTTP status), BadAnswer,
    BadSignature or NotSigned.
    """
    body = request_body(note, old_size=old_size, proof=proof)
    status, kind, answer = _post(f"{url.rstrip('/')}/add-checkpoint", body, timeout_s)
    if status == http.HTTPStatus.CONFLICT and kind == SIZE_TYPE:
        if not _SIZE_LINE.match(answer):
            raise BadAnswer(status=status)
        return Stale(int(answer))
    if status != http.HTTPStatus.OK:
        raise WitnessRefused(status=status, reason=answer.decode(errors="replace").strip())
    try:
        signatures = notes.parse_signatures(answer.decode())
    except (UnicodeError, notes.BadNote):
        raise BadAnswer(status=status) from None
    notes.open_note(Note(text=note.text, signatures=signatures), [witness])
    known = witness.name, witness.key_id
    return next(one for one in signatures if (one.name, one.key_id) == known)


def request_body(note: Note, *, old_size: int, proof: Sequence[bytes]) -> bytes:
    """This will write the body of an add-checkpoint request."""
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    return f"old {old_size}\n{lines}\n{note}".encode()


def _post(url: str, body: bytes, timeout_s: float) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer."""
    if not url.startswith(("http://", "https://")):
        raise WitnessUnreachable(url=url, reason="scheme")
    try:
        # A proxy set for the outside world must not see what goes to this machine itself.
        inside = urllib.parse.urlsplit(url).hostname in _LOOPBACK
        proxies = {} if inside else urllib.request.getproxies()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
        request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - http(s)
        request.add_header("Content-Type", "text/plain; charset=utf-8")
        with opener.open(request, timeout=timeout_s) as answer:
            content: bytes = answer.read(MAX_ANSWER)
            return answer.status, answer.headers.get_content_type(), content
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read(MAX_ANSWER)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise WitnessUnreachable(url=url, reason=str(error)) from error

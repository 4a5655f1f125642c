# SPDX-License-Identifier: Apache-2.0
"""Files that people send: bounded, of the kinds an office files, and what they claim to be."""

from __future__ import annotations

from pathlib import PurePosixPath

from lingqu.kernel import errors
from lingqu.runtime.blobs import BlobRef
from lingqu.trust.procedures import GivenFile
from lingqu.ui.forms import Form, Upload
from lingqu.wiring import App

_BEGINS = {
    "pdf": (b"%PDF-",),
    "docx": (b"PK\x03\x04",),
    "xlsx": (b"PK\x03\x04",),
    "ofd": (b"PK\x03\x04",),
    "zip": (b"PK\x03\x04",),
    "png": (b"\x89PNG",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "json": (b"{", b"[", b"\xef\xbb\xbf"),
    "txt": (),
    "csv": (),
}
ACCEPTED = ",".join(f".{name}" for name in _BEGINS)
"""What a form's field takes."""
FILES_MAX = 20


class UploadRefused(errors.Rejected):
    """The file is not of a kind that is taken, or its content is not what its name says."""

    code = "ui.upload.refused"


class UploadTooLarge(errors.Rejected):
    """The file is larger than this installation takes, or there are too many files."""

    code = "ui.upload.too_large"


def check_upload(file: Upload) -> None:
    """This will refuse a file whose name and beginning do not fit. Raises UploadRefused."""
    ending = PurePosixPath(file.name).suffix.lower().removeprefix(".")
    begins = _BEGINS.get(ending)
    is_sound = begins is not None and (not begins or file.content.startswith(begins))
    if not is_sound or (begins == () and b"\x00" in file.content):
        raise UploadRefused(file=_plain(file.name))


def keep_uploads(platform: App, form: Form, name: str) -> tuple[GivenFile, ...]:
    """This will keep the files of a field by their digests.

    Raises UploadRefused, UploadTooLarge.
    """
    sent = form.files.get(name, ())
    most = platform.settings.upload_bytes_max
    if len(sent) > FILES_MAX or sum(len(one.content) for one in sent) > most:
        raise UploadTooLarge(most=most)
    for one in sent:
        check_upload(one)
    kept = []
    for one in sent:
        blob = platform.blobs.put(one.content, limit_bytes=most)
        kept.append(GivenFile(name=_plain(one.name), sha256=blob.sha256, size=blob.size))
    return tuple(kept)


def read_kept(platform: App, *, sha256: str, size: int) -> bytes:
    """This will read a file that was kept. Raises BlobMissing, BlobAltered."""
    with platform.blobs.open(BlobRef(sha256=sha256, size=size)) as stream:
        return stream.read()


def _plain(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(one for one in last if one.isprintable())[-120:] or "file"

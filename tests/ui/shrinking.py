# SPDX-License-Identifier: Apache-2.0
"""Pictures for the guides: a screenshot with few colours, small enough to be kept with the text."""

import struct
import zlib
from collections import Counter

MOST = 60 * 1024
_HEAD = b"\x89PNG\r\n\x1a\n"
_LEVELS = (5, 15, 51, 85)
"""How coarse colours become, in steps of a channel, until the picture is small enough."""


def shrink(picture):
    """Give the same picture with a palette; the coarsest that is tried is taken at last."""
    width, height, pixels = _read(picture)
    made = b""
    for level in _LEVELS:
        made = _write(width, height, [_coarse(row, level) for row in pixels])
        if len(made) <= MOST:
            break
    return made


def _coarse(row, level):
    half, table = level // 2, {}
    found = []
    for colour in row:
        known = table.get(colour)
        if known is None:
            known = table[colour] = tuple(min(255, (c + half) // level * level) for c in colour)
        found.append(known)
    return found


def _read(picture):
    """Width, height and the colours of each row of an 8-bit RGB or RGBA picture."""
    assert picture.startswith(_HEAD), "it is a PNG"
    at, data, width, height, size = len(_HEAD), b"", 0, 0, 3
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        body = picture[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8, "eight bits a channel"
            size = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            data += body
        at += length + 12
    raw, line = zlib.decompress(data), width * size
    before, rows = bytearray(line), []
    for number in range(height):
        start = number * (line + 1)
        here = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + line]), before, size)
        rows.append([tuple(here[i : i + 3]) for i in range(0, line, size)])
        before = here
    return width, height, rows


def _unfilter(kind, here, before, size):
    for i in range(len(here)):
        left = here[i - size] if i >= size else 0
        up, corner = before[i], before[i - size] if i >= size else 0
        if kind == 1:
            here[i] = (here[i] + left) & 255
        elif kind == 2:
            here[i] = (here[i] + up) & 255
        elif kind == 3:
            here[i] = (here[i] + (left + up) // 2) & 255
        elif kind == 4:
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up),
                       (abs(guess - corner), 2, corner))  # fmt: skip
            here[i] = (here[i] + near[2]) & 255
    return here


def _write(width, height, rows):
    counted = Counter(colour for row in rows for colour in row)
    palette = [colour for colour, _ in counted.most_common(256)]
    places = {colour: number for number, colour in enumerate(palette)}

    def place(colour):
        if colour not in places:
            far = [sum((a - b) ** 2 for a, b in zip(one, colour, strict=True)) for one in palette]
            places[colour] = far.index(min(far))
        return places[colour]

    raw = b"".join(b"\x00" + bytes(place(colour) for colour in row) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = bytes(channel for colour in palette for channel in colour)
    parts = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return _HEAD + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )

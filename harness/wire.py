"""The wire: frames between END bytes, with console text around them, turned into events while bytes arrive.

A frame is SLIP-escaped (RFC 1055) and holds one CBOR map (RFC 8949) and its CRC-32;
docs/wire.md describes it. Machines hand their serial bytes to a `Decoder`; records.py
turns its frames into records; tests write frames with `encode`. The decoder accepts any
bytes at all: what it cannot read becomes `Damage`, and it goes on at the next frame.
"""

from __future__ import annotations

import re
import zlib
from typing import Mapping, NamedTuple, Union

END = b"\xc0"
ESCAPE = b"\xdb"
ESCAPED_END = b"\xdb\xdc"
ESCAPED_ESCAPE = b"\xdb\xdd"

FRAME_LIMIT = 1 << 20
"""The longest frame, in escaped bytes: what goes on longer is damage, so that memory stays bounded."""

LINE_LIMIT = 1 << 16
"""The longest line of console text, in bytes: what goes on longer is delivered in pieces."""

DEPTH_LIMIT = 4
"""How deep maps may stand in one another; a record needs two."""


Item = dict[int, Union[int, str, bytes, "Item"]]


class Text(NamedTuple):
    """A line of console text without its line end, or what a frame or the stream's end left of one."""

    offset: int
    line: str


class Frame(NamedTuple):
    """A whole frame: the CBOR bytes that were sent (without the CRC), and the map that they encode."""

    offset: int
    cbor: bytes
    item: Item


class Damage(NamedTuple):
    """Bytes that are neither text nor a whole frame, still escaped, and what is wrong with them."""

    offset: int
    data: bytes
    why: str


Event = Union[Text, Frame, Damage]


class WireError(ValueError):
    """Bytes are not a frame. Only `decode_payload` and `decode_map` raise it."""


def _argument(data: bytes, position: int) -> tuple[int, int]:
    """The number in the CBOR head at `position`, and the position
    after it (RFC 8949, "Specification of the CBOR Encoding").
    """
    low = data[position] & 0x1F
    position += 1
    if low < 24:
        return low, position
    if low > 27:
        raise WireError(f"CBOR byte {data[position - 1]:#04x} does not belong here")
    size = 1 << (low - 24)
    return int.from_bytes(data[position : position + size], "big"), position + size


def _map(data: bytes, position: int, depth: int) -> tuple[Item, int]:
    """The map at `position`, and the position after it; raises
    IndexError, or returns one past the end, when cut short.
    """
    head = data[position]
    if head == 0xBF:
        left = -1
        position += 1
    elif head & 0xE0 == 0xA0:
        left, position = _argument(data, position)
    else:
        raise WireError(f"CBOR byte {head:#04x} opens no map")
    item: Item = {}
    while left:
        head = data[position]
        if head == 0xFF and left < 0:
            position += 1
            break
        left -= 1
        if head < 24:
            key = head
            position += 1
        elif head < 0x1C:
            key, position = _argument(data, position)
        else:
            raise WireError(f"CBOR byte {head:#04x} is no unsigned integer, as a key must be")
        if key in item:
            raise WireError(f"the map holds key {key} twice")
        head = data[position]
        if head < 24:
            item[key] = head
            position += 1
        elif head < 0x1C:
            size = 1 << (head - 24)
            position += 1 + size
            item[key] = int.from_bytes(data[position - size : position], "big")
        elif 0x40 <= head < 0x7C:
            size, start = _argument(data, position)
            position = start + size
            content = data[start:position]
            item[key] = content if head < 0x60 else content.decode("utf-8", "backslashreplace")
        elif 0xA0 <= head < 0xC0 and depth < DEPTH_LIMIT:
            item[key], position = _map(data, position, depth + 1)
        else:
            raise WireError(f"CBOR byte {head:#04x} starts no value that the wire uses")
    return item, position


def decode_map(data: bytes) -> Item:
    """The CBOR map that `data` holds, with nothing after it.

    The wire uses a part of CBOR: unsigned integers, definite byte and text strings, and maps
    from unsigned integers to these, definite or indefinite, with each key once. (A library
    for all of CBOR accepts a repeated key, and reserves the memory that a damaged length
    claims.) Text that is not UTF-8 keeps its bytes as backslash escapes. Raises WireError.
    """
    try:
        item, position = _map(data, 0, 1)
    except IndexError:
        position = len(data) + 1
    if position > len(data):
        raise WireError("the CBOR map is cut short")
    if position < len(data):
        raise WireError(f"{len(data) - position} bytes stand after the CBOR map")
    return item


def decode_payload(escaped: bytes) -> tuple[bytes, Item]:
    """What stands between two END bytes, as CBOR bytes and the map they encode. Raises WireError."""
    payload = escaped
    if ESCAPE in escaped:
        if escaped.count(ESCAPE) != escaped.count(ESCAPED_END) + escaped.count(ESCAPED_ESCAPE):
            raise WireError("an escape byte is followed by neither of its two codes")
        payload = escaped.replace(ESCAPED_END, END).replace(ESCAPED_ESCAPE, ESCAPE)
    if len(payload) < 5:
        raise WireError(f"{len(payload)} bytes are too few for a frame")
    cbor = payload[:-4]
    sent = int.from_bytes(payload[-4:], "little")
    computed = zlib.crc32(cbor)
    if sent != computed:
        raise WireError(f"the CRC-32 is {computed:#010x}, the frame says {sent:#010x}")
    return cbor, decode_map(cbor)


def _could_be_frame(chunk: bytes) -> bool:
    """Whether a chunk starts as every frame does, with a
    CBOR map. No line of UTF-8 text starts with such a byte.
    """
    return 0xA0 <= chunk[0] < 0xC0


_CONSOLE_LINES = re.compile(rb"[\t\r\n\x1b\x20-\x7e]*\n")


class Decoder:
    """A stream of bytes, in pieces of any size, turned into events in the stream's order.

    `feed` and `finish` never raise, whatever the bytes. Between two END bytes stands a
    frame if it decodes as one, be it after an END that was lost or damaged. Otherwise
    it is text where no frame was open, and damage where one was (unless it is whole
    lines of plain text). Text is delivered line by line, before any END follows.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # the bytes since the last END or delivered line
        self._size = 0
        self._offset = 0  # where in the stream these bytes start
        self._inside = False  # whether the last END may have opened a frame

    def feed(self, data: bytes) -> list[Event]:
        """Takes the next bytes of the stream; returns the events that they complete."""
        events: list[Event] = []
        *closed, rest = data.split(END)
        for chunk in closed:
            if self._parts:
                self._parts.append(chunk)
                chunk = b"".join(self._parts)
                self._parts.clear()
                self._size = 0
            if chunk:
                self._close(chunk, events)
            else:
                self._inside = True
            self._offset += len(chunk) + 1
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            self._stream(rest, events)
        return events

    def finish(self) -> list[Event]:
        """The stream has ended: returns what is left. A frame that was still open is damage."""
        events: list[Event] = []
        chunk = b"".join(self._parts)
        if chunk and self._is_text(chunk):
            self._lines(chunk, events)
        elif chunk:
            events.append(Damage(self._offset, chunk, "the stream ended inside a frame"))
        self._drop(len(chunk))
        return events

    def _close(self, chunk: bytes, events: list[Event]) -> None:
        """Judges a chunk that an END has ended, and notes whether that END may open a frame."""
        try:
            cbor, item = decode_payload(chunk)
        except WireError as error:
            if self._is_text(chunk):
                self._lines(chunk, events)
            else:
                events.append(Damage(self._offset, chunk, str(error)))
            self._inside = True
        else:
            events.append(Frame(self._offset, cbor, item))
            self._inside = False

    def _is_text(self, chunk: bytes) -> bool:
        """Whether a chunk that is no frame is console text."""
        if self._inside:
            return _CONSOLE_LINES.fullmatch(chunk) is not None
        return not _could_be_frame(chunk)

    def _stream(self, rest: bytes, events: list[Event]) -> None:
        """Delivers the lines that are complete, and what
        grows beyond the limits, though no END has come yet.
        """
        if not self._inside and not _could_be_frame(self._parts[0]):
            if b"\n" in rest or self._size > LINE_LIMIT:
                chunk = b"".join(self._parts)
                whole = chunk.rfind(b"\n") + 1 or len(chunk)
                self._lines(chunk[:whole], events)
                self._drop(whole)
                if whole < len(chunk):
                    self._parts.append(chunk[whole:])
                    self._size = len(chunk) - whole
        elif self._size > FRAME_LIMIT:
            chunk = b"".join(self._parts)
            events.append(Damage(self._offset, chunk, f"no END in {FRAME_LIMIT} bytes"))
            self._drop(len(chunk))
            self._inside = True

    def _drop(self, size: int) -> None:
        """Forgets the pending bytes, `size` of which were delivered."""
        self._parts.clear()
        self._size = 0
        self._offset += size

    def _lines(self, chunk: bytes, events: list[Event]) -> None:
        """Appends the lines of console text in `chunk`."""
        offset = self._offset
        for line in chunk.splitlines(keepends=True) if len(chunk) <= LINE_LIMIT else _pieces(chunk):
            text = line.rstrip(b"\r\n")
            events.append(Text(offset, text.decode("utf-8", "backslashreplace")))
            offset += len(line)


def _pieces(chunk: bytes) -> list[bytes]:
    """The lines of a long chunk, none longer than the limit."""
    return [
        line[start : start + LINE_LIMIT]
        for line in chunk.splitlines(keepends=True)
        for start in range(0, len(line), LINE_LIMIT)
    ]


def encode_map(item: Mapping[int, object]) -> bytes:
    """The CBOR encoding of a record, as the recorder writes
    it: indefinite maps, keys in the order of `item`.
    """
    import cbor2

    parts = [b"\xbf"]
    for key, value in item.items():
        parts.append(cbor2.dumps(key))
        parts.append(encode_map(value) if isinstance(value, Mapping) else cbor2.dumps(value))
    parts.append(b"\xff")
    return b"".join(parts)


def frame(cbor: bytes) -> bytes:
    """The frame around CBOR bytes: its CRC-32 added, escaped, between two END bytes."""
    payload = cbor + zlib.crc32(cbor).to_bytes(4, "little")
    return END + payload.replace(ESCAPE, ESCAPED_ESCAPE).replace(END, ESCAPED_END) + END


def encode(item: Mapping[int, object]) -> bytes:
    """A whole frame for a record's map. Raises cbor2.CBOREncodeError for a value that CBOR does not know."""
    return frame(encode_map(item))

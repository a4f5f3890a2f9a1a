"""harness.wire: any bytes at all are decoded without an exception, and no frame that was not sent."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Iterable, Sequence

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import wire
from harness.wire import Damage, Decoder, Event, Frame, Text, WireError, decode_map, encode, encode_map, frame

FAST = settings(max_examples=60, deadline=None)

numbers = st.integers(0, 2**64 - 1)
scalars = st.one_of(st.integers(0, 30), numbers, st.binary(max_size=40), st.text(max_size=20))
maps = st.dictionaries(numbers, numbers, max_size=4)
items = st.dictionaries(st.integers(0, 300), st.one_of(scalars, maps), max_size=6)
console = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


def decode(data: bytes, sizes: Iterable[int] = ()) -> list[Event]:
    """All events of a stream, fed in pieces that end where `sizes` add up to, over and over."""
    decoder = Decoder()
    events: list[Event] = []
    cuts = [cut for cut in accumulate(sizes) if cut < len(data)]
    for start, end in zip([0, *cuts], [*cuts, len(data)]):
        events += decoder.feed(data[start:end])
    return events + decoder.finish()


def frames(events: Iterable[Event]) -> list[dict[int, Any]]:
    return [event.item for event in events if isinstance(event, Frame)]


def content(event: Event) -> Any:
    """What a text or a frame holds; nothing for damage."""
    return event.line if isinstance(event, Text) else event.item if isinstance(event, Frame) else None


def is_subsequence(part: Sequence[Any], whole: Sequence[Any]) -> bool:
    rest = iter(whole)
    return all(any(item == other for other in rest) for item in part)


@FAST
@given(items)
def test_a_map_comes_back(item: dict[int, Any]) -> None:
    assert decode_map(encode_map(item)) == item
    assert decode_map(cbor2.dumps(item)) == item, "definite maps are understood as well"
    assert cbor2.loads(encode_map(item)) == item, "another implementation agrees"


@FAST
@given(st.lists(st.one_of(items, console), max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_a_stream_comes_back_in_order_however_it_is_cut(parts: list[Any], sizes: list[int]) -> None:
    data = b"".join(part.encode() + b"\r\n" if isinstance(part, str) else encode(part) for part in parts)
    events = decode(data, sizes)
    assert [content(event) for event in events] == parts
    assert events == decode(data)


@FAST
@given(st.binary(max_size=400), st.lists(st.integers(1, 40), max_size=20))
def test_any_bytes_are_accounted_for(data: bytes, sizes: list[int]) -> None:
    events = decode(data, sizes)
    offsets = [event.offset for event in events]
    assert offsets == sorted(offsets) and all(0 <= offset < max(1, len(data)) for offset in offsets)


@FAST
@given(
    st.lists(
        st.sampled_from([b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd", b"\xbf", b"\xff", b"\0", b"a\r\n"]),
        max_size=40,
    )
)
def test_bytes_that_mean_something_to_the_decoder_in_any_order(parts: list[bytes]) -> None:
    decode(b"".join(parts))


@FAST
@given(st.binary(max_size=60))
def test_any_map_bytes_give_a_map_or_a_wire_error(data: bytes) -> None:
    for candidate in (data, b"\xbf" + data + b"\xff", b"\xbf\0" + data):
        try:
            item = decode_map(candidate)
        except WireError:
            continue
        assert all(type(key) is int for key in item)


@st.composite
def damaged_streams(draw: Any) -> tuple[list[dict[int, Any]], bytes, int]:
    """Some frames, their bytes with one thing done to them, and how many frames that can hit at most."""
    sent = draw(st.lists(items, min_size=1, max_size=5))
    sent = [
        {0: number, **{key + 1: value for key, value in item.items()}} for number, item in enumerate(sent)
    ]
    data = b"".join(map(encode, sent))
    place = draw(st.integers(0, len(data) - 1))
    kind = draw(st.sampled_from(["flip", "drop", "insert", "cut", "head"]))
    if kind == "flip":
        data = data[:place] + bytes((data[place] ^ 1 << draw(st.integers(0, 7)),)) + data[place + 1 :]
    elif kind == "drop":
        data = data[:place] + data[place + draw(st.integers(1, 20)) :]
    elif kind == "insert":
        data = data[:place] + draw(st.binary(min_size=1, max_size=20)) + data[place:]
    elif kind == "cut":
        data = data[:place]
    else:
        data = data[place:]
    return sent, data, 1 if kind in ("flip", "insert") else len(sent)


@FAST
@given(damaged_streams())
def test_damage_never_makes_a_wrong_record_and_reading_goes_on(
    stream: tuple[list[dict[int, Any]], bytes, int]
) -> None:
    sent, data, hit = stream
    final = {0: 99, 1: "after the damage"}
    received = frames(decode(data + encode(final) + encode(final)))
    assert is_subsequence(received, [*sent, final, final])
    assert received[-1] == final
    assert len(received) >= len(sent) + 2 - hit


def test_every_single_bit_of_a_frame_matters() -> None:
    first, hit, last = encode({0: 1}), encode({0: 2, 1: "hello"}), encode({0: 3})
    for bit in range(8 * len(hit)):
        bad = bytearray(hit)
        bad[bit // 8] ^= 1 << bit % 8
        received = frames(decode(first + bytes(bad) + last))
        assert received == [{0: 1}, {0: 3}]


def test_a_repeated_frame_comes_twice() -> None:
    assert frames(decode(encode({0: 1}) * 2)) == [{0: 1}, {0: 1}]


def test_one_lost_end_between_frames_loses_nothing() -> None:
    assert frames(decode(encode({0: 1})[:-1] + encode({0: 2}))) == [{0: 1}, {0: 2}]
    assert frames(decode(encode({0: 1})[1:])) == [{0: 1}]


def test_lines_come_at_once_and_without_line_ends() -> None:
    decoder = Decoder()
    assert decoder.feed(b"GRUB\r") == []
    assert decoder.feed(b"\nexitscope: ") == [Text(0, "GRUB")]
    assert decoder.feed(b"stop\r\nmo") == [Text(6, "exitscope: stop")]
    assert decoder.feed(b"re" + encode({0: 1}))[0] == Text(23, "more")


def test_text_after_a_damaged_frame_is_still_text() -> None:
    bad = bytearray(encode({0: 7, 1: "\x01" * 30}))
    bad[10] ^= 4
    events = decode(bytes(bad) + b"exitscope: panic\r\n" + encode({0: 8}))
    assert [type(event) for event in events] == [Damage, Text, Frame]


def test_damage_keeps_its_place_and_says_why() -> None:
    text, damage = decode(b"x\r\n" + encode({0: 7, 1: 8})[:-2] + wire.END)
    assert isinstance(text, Text)
    assert isinstance(damage, Damage) and damage.offset == 4 and "CRC-32" in damage.why


@pytest.mark.parametrize(
    "cbor, why",
    [
        (b"\xa2\0\1\0\2", "key 0 twice"),
        (b"\xbf\0\1", "cut short"),
        (b"\xa1\0\x1b\1", "cut short"),
        (b"\xa1\0\x58\xff", "cut short"),
        (b"\xa1\0\1\0", "1 bytes stand after"),
        (b"\xa1\x20\1", "no unsigned integer"),
        (b"\xa1\0\x81\1", "no value that the wire uses"),
        (b"\xa1\0\xc1\1", "no value that the wire uses"),
        (b"\xa1\0\xf9\0\0", "no value that the wire uses"),
        (b"\xa1\0\x5f\xff", "does not belong here"),
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\0\1", "cut short"),
        (b"\xbf\0" * 50, "no value that the wire uses"),
        (b"\x01", "opens no map"),
        (b"", "cut short"),
        (b"\xbc", "does not belong here"),
    ],
)
def test_a_right_crc_does_not_excuse_wrong_cbor(cbor: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode_map(cbor)
    (event,) = decode(frame(cbor))
    assert isinstance(event, Damage)


def test_text_that_is_not_utf_8_is_kept_readable() -> None:
    assert decode_map(b"\xa1\0\x62a\xff") == {0: "a\\xff"}
    assert decode(b"a\xff\r\n") == [Text(0, "a\\xff")]


def test_memory_is_bounded() -> None:
    decoder = Decoder()
    events = decoder.feed(wire.END)
    for _ in range(40):
        events += decoder.feed(b"\xbf" * (1 << 16))
        assert decoder._size <= wire.FRAME_LIMIT + (1 << 16)
    assert events and all(isinstance(event, Damage) for event in events)
    events = decoder.feed(wire.END + encode({0: 1}))
    assert frames(events) == [{0: 1}]
    lines = Decoder().feed(b"x" * (3 * wire.LINE_LIMIT))
    assert all(isinstance(event, Text) and len(event.line) <= wire.LINE_LIMIT for event in lines) and lines

"""harness.records: typed records from frames, and every gap in their numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import records
from harness.records import Exit, Malformed, Reader, SequenceGap, UnknownRecord, read_records
from harness.tables import TABLES
from harness.wire import Damage, Text, encode
from tests.samples import exit_item, item

values = st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=4), st.binary(max_size=4))


def read(*items: dict[int, Any]) -> list[records.Event]:
    return list(read_records([b"".join(map(encode, items))]))


def test_every_kind_of_record_has_a_class_with_the_schema_s_fields() -> None:
    for kind in TABLES.record_kinds.values():
        cls = records.RECORD_CLASSES[kind.kind]
        for field in TABLES.record_fields[kind.name].values():
            assert isinstance(getattr(cls, field.name), property), (cls, field)


def test_fields_have_the_schema_s_names_and_absent_ones_their_meaning() -> None:
    (exit,) = read(exit_item("CPUID", instruction_length=2, registers={0: 7}))
    assert isinstance(exit, Exit)
    assert (exit.reason, exit.basic_reason, exit.instruction_length, exit.registers) == (10, 10, 2, {0: 7})
    assert exit.qualification == 0, "NONZERO: absent is 0"
    assert exit.guest_linear_address is None, "DEFINED: absent is not defined"
    (exit,) = read(exit_item("CPUID"))
    assert isinstance(exit, Exit) and exit.registers == {}
    with pytest.raises(AttributeError):
        setattr(exit, "rip", 1)
    assert "rip=32768" in repr(exit)


def test_the_flags_of_the_reason_are_not_the_basic_reason() -> None:
    assert Exit(exit_item(1 << 31 | 33)).basic_reason == 33


def test_what_a_later_kernel_adds_is_kept() -> None:
    known, strange = read(exit_item("CPUID") | {99: "new"}, {0: 77, 1: 1, 2: 3})
    assert isinstance(known, Exit) and known.unknown == {99: "new"}
    assert isinstance(strange, UnknownRecord) and strange.item[0] == 77


@pytest.mark.parametrize(
    "bad, why",
    [
        ({1: 0}, "kind (key 0) is missing"),
        ({0: 4}, "sequence (key 1) is missing"),
        ({0: 4, 1: "x"}, "sequence (key 1) is missing or no number"),
        ({0: b"", 1: 0}, "kind (key 0) is missing or no number"),
        (item("LOG"), "LOG lacks message"),
        (item("LOG", message=7), "message is no TEXT"),
        (exit_item("CPUID", instruction="text"), "instruction is no BYTES"),
        (exit_item("CPUID", registers={0: "x"}), "more than numbers"),
        (exit_item("CPUID", registers=3), "registers is no REGISTERS"),
    ],
)
def test_a_record_that_breaks_the_schema_is_reported(bad: dict[int, Any], why: str) -> None:
    event = read(bad)[-1]
    assert isinstance(event, Malformed) and why in event.why


def log(sequence: int) -> dict[int, Any]:
    return item("LOG", sequence, message=str(sequence))


@pytest.mark.parametrize(
    "numbers, gaps",
    [
        ([0, 1, 2], []),
        ([0, 2, 3], [(1, 2)]),
        ([1, 2], [(0, 1)]),
        ([0, 1, 1, 2], [(2, 1)]),
        ([0, 2, 1, 3], [(1, 2), (3, 1), (2, 3)]),
    ],
)
def test_lost_repeated_and_swapped_records_are_seen(numbers: list[int], gaps: list[tuple[int, int]]) -> None:
    events = read(*map(log, numbers))
    assert [(event.expected, event.got) for event in events if isinstance(event, SequenceGap)] == gaps
    assert [event.sequence for event in events if isinstance(event, records.Log)] == numbers


def test_a_gap_tells_how_many_are_lost() -> None:
    assert SequenceGap(0, 3, 7).lost == 4
    assert SequenceGap(0, 3, 2).lost == 0


def test_a_dropped_byte_is_damage_and_a_gap() -> None:
    data = [encode(log(number)) for number in range(4)]
    data[1] = data[1][:5] + data[1][6:]
    events = list(read_records(data))
    assert [type(event) for event in events] == [records.Log, Damage, SequenceGap, records.Log, records.Log]


def test_text_and_records_keep_their_order_live() -> None:
    reader = Reader()
    assert [type(event) for event in reader.feed(encode(log(0)) + b"hello\r\nwor")] == [records.Log, Text]
    assert [type(event) for event in reader.finish()] == [Text]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 30), values, max_size=6), max_size=4))
def test_no_map_at_all_raises(items: list[dict[int, Any]]) -> None:
    events = read(*items)
    assert sum(not isinstance(event, SequenceGap) for event in events) == len(items)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(TABLES.record_kinds)), st.dictionaries(st.integers(2, 30), values, max_size=4))
def test_no_record_of_a_known_kind_raises(kind: int, rest: dict[int, Any]) -> None:
    (event,) = read({0: kind, 1: 0, **rest})
    assert isinstance(event, (records.Record, Malformed))
    repr(event)

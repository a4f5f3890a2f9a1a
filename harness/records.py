"""Records: the typed form of the frames on the wire, made from the schema in src/trace/record.def.

Whoever reads a recording, live or kept, goes through `Reader` (bytes in pieces) or `read_records` (an
iterator of pieces): they yield records, console text, and everything that was wrong with the stream, in its
order. A record's attributes are the names of record.def.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Iterable, Iterator, Mapping, NamedTuple, Optional, Union

from harness.tables import TABLES, RecordField
from harness.wire import Damage, Decoder, Frame, Item, Text

_TYPES: Mapping[str, type] = {"UINT": int, "TEXT": str, "BYTES": bytes, "REGISTERS": dict, "MSRS": dict}
_ROWS: Mapping[str, Mapping[int, RecordField]] = TABLES.record_fields


class Record:
    """A record: `item` is the map as it was sent, `offset`
    the frame's place in the stream, `size` the map's bytes.

    Each subclass is a row RECORD of the schema and has a read-only attribute for each of its fields. An
    absent field is 0, or empty for a map, where the schema says NONZERO, and None where it says DEFINED.
    """

    __slots__ = ("item", "offset", "size")
    row: ClassVar[str]
    fields: ClassVar[Mapping[int, RecordField]] = {}
    item: Item
    offset: int
    size: int

    def __init__(self, item: Item, offset: int = 0, size: int = 0) -> None:
        self.item = item
        self.offset = offset
        self.size = size

    def __init_subclass__(cls, row: Optional[str] = None) -> None:
        if row is None:
            return
        cls.row = row
        cls.fields = _ROWS[row]
        for field in cls.fields.values():
            setattr(cls, field.name, _accessor(field))

    if TYPE_CHECKING:  # the fields of the schema, which only exist once it has been read

        def __getattr__(self, name: str) -> Any:
            ...

    @property
    def unknown(self) -> Item:
        """The entries whose keys this schema does not know: a later kernel's."""
        return {key: value for key, value in self.item.items() if key not in self.fields}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Record) and self.item == other.item

    def __hash__(self) -> int:
        return hash((type(self), self.item.get(1)))

    def __repr__(self) -> str:
        known = {field.name: self.item[key] for key, field in self.fields.items() if key in self.item}
        words = [f"{name}={value!r}" for name, value in known.items() if name != "kind"]
        words += [f"{key}: {value!r}" for key, value in self.unknown.items()]
        return f"{type(self).__name__}({', '.join(words)})"


def _accessor(field: RecordField) -> property:
    """The read-only attribute for one field of the schema."""
    key = field.key
    absent: object = None
    if field.presence == "NONZERO":
        absent = {} if field.type in ("REGISTERS", "MSRS") else 0
    return property(lambda record: record.item.get(key, absent), doc=field.meaning)


class Header(Record, row="HEADER"):
    """What made this recording."""


class Catalogue(Record, row="CATALOGUE"):
    """A guest that the catalogue holds."""


class GuestBegin(Record, row="GUEST_BEGIN"):
    """A guest is about to be entered."""


class Exit(Record, row="EXIT"):
    """One VM exit, and what the hypervisor did about it."""

    @property
    def basic_reason(self) -> int:
        """Bits 15:0 of the exit-reason field: the number in exit_reasons.def."""
        return int(self.reason) & 0xFFFF


class GuestEnd(Record, row="GUEST_END"):
    """A guest has ended, and how."""


class Log(Record, row="LOG"):
    """A message of the hypervisor."""


class Panic(Record, row="PANIC"):
    """The hypervisor itself failed."""


class End(Record, row="END"):
    """Why the run ended."""


class UnknownRecord(Record):
    """A record of a kind that this schema does not know: a later kernel's."""

    row = "UNKNOWN"


RECORD_CLASSES: Mapping[int, type[Record]] = {
    kind.kind: next(cls for cls in Record.__subclasses__() if getattr(cls, "row", "") == kind.name)
    for kind in TABLES.record_kinds.values()
}


class Malformed(NamedTuple):
    """A whole frame that is not a record of the schema: something is missing, or has the wrong type."""

    offset: int
    item: Item
    why: str


class SequenceGap(NamedTuple):
    """The next record should have had the number `expected`:
    records were lost, repeated, or changed places.
    """

    offset: int
    expected: int
    got: int

    @property
    def lost(self) -> int:
        """How many records are missing; 0 when the next one is a repetition."""
        return max(0, self.got - self.expected)


Event = Union[Record, Text, Damage, Malformed, SequenceGap]


def _requirements(cls: type[Record]) -> tuple[frozenset[int], dict[int, type]]:
    """The keys that a record of this class must have, and the type of each key it may have."""
    needed = frozenset(key for key, field in cls.fields.items() if field.presence == "ALWAYS")
    return needed, {key: _TYPES[field.type] for key, field in cls.fields.items()}


_REQUIREMENTS = {cls: _requirements(cls) for cls in RECORD_CLASSES.values()}
_COMMON = _REQUIREMENTS[Log][0] & _REQUIREMENTS[End][0] & frozenset((0, 1))


def make_record(frame: Frame) -> Union[Record, Malformed]:
    """The record that a frame holds. An unknown kind gives UnknownRecord; a broken record gives Malformed."""
    item = frame.item
    for key in _COMMON:
        if type(item.get(key)) is not int:
            name = "kind" if key == 0 else "sequence"
            return Malformed(frame.offset, item, f"{name} (key {key}) is missing or no number")
    cls = RECORD_CLASSES.get(item[0])  # type: ignore[arg-type]
    if cls is None:
        return UnknownRecord(item, frame.offset, len(frame.cbor))
    needed, types = _REQUIREMENTS[cls]
    if not needed <= item.keys():
        missing = ", ".join(cls.fields[key].name for key in sorted(needed - item.keys()))
        return Malformed(frame.offset, item, f"{cls.row} lacks {missing}")
    for key, value in item.items():
        expected = types.get(key)
        if expected is not None and type(value) is not expected:
            field = cls.fields[key]
            return Malformed(frame.offset, item, f"{cls.row}: {field.name} is no {field.type}: {value!r}")
        if type(value) is dict and not all(type(part) is int for part in value.values()):
            return Malformed(frame.offset, item, f"{cls.row}: key {key} holds more than numbers")
    return cls(item, frame.offset, len(frame.cbor))


class Reader:
    """The records of one stream. Like the wire's decoder it takes any bytes, in pieces, and never raises."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._expected = 0

    def feed(self, data: bytes) -> list[Event]:
        """Takes the next bytes of the stream; returns the events that they complete."""
        return self._convert(self._decoder.feed(data))

    def finish(self) -> list[Event]:
        """The stream has ended: returns what is left."""
        return self._convert(self._decoder.finish())

    def _convert(self, events: Iterable[Union[Text, Frame, Damage]]) -> list[Event]:
        result: list[Event] = []
        for event in events:
            if type(event) is not Frame:
                result.append(event)  # type: ignore[arg-type]
                continue
            record = make_record(event)
            sequence = event.item.get(1)
            if type(sequence) is int:
                if sequence != self._expected:
                    result.append(SequenceGap(event.offset, self._expected, sequence))
                self._expected = sequence + 1
            result.append(record)
        return result


def read_records(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a whole stream, as its pieces come."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()

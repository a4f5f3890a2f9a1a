"""Micro-guests as the harness knows them: what the heads
of build/guests/*.elf say, their labels, and their digests.

The kernel reads the same notes from the stripped files of the catalogue;
here they tell which guests there are, what their authors expect, and what
an address in a guest is called. The files are the only list of guests.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple, Optional, Sequence, Union

from harness.tables import TABLES, ExitReason, Mode
from harness.tables import Note as NoteKind

OWNER = "Exitscope"
_LABEL_TYPES = ("STT_NOTYPE", "STT_FUNC", "STT_OBJECT")
SECTION_NAME = ".note.exitscope"


class GuestError(Exception):
    """A guest's file is not what a micro-guest must be. The message names the file, and says what to do."""


class Note(NamedTuple):
    """One note of a head: its kind, and its payload by the names of notes.def."""

    kind: NoteKind
    values: Mapping[str, Union[int, str]]


class Expect(NamedTuple):
    """An exit that the guest's author expects: the basic exit reason, and RIP."""

    reason: int
    address: int


class _Region(NamedTuple):
    """A section of a guest's memory, and the labels in it in ascending order of address."""

    start: int
    end: int
    addresses: Sequence[int]
    names: Sequence[str]


@dataclass(frozen=True)
class Labels:
    """The labels of one guest file. Local symbols count as much as global ones."""

    regions: Sequence[_Region]

    def locate(self, address: int) -> str:
        """What stands at a guest address: `label`, `label+0x2`,
        or the address in hexadecimal where no label precedes.

        Of several labels at one address the first in the file counts. The address after a section's last byte
        belongs to it, as that is where an exit after the last instruction is.
        """
        for region in self.regions:
            if region.start <= address <= region.end:
                index = bisect_right(region.addresses, address) - 1
                if index >= 0:
                    offset = address - region.addresses[index]
                    return region.names[index] + (f"+{offset:#x}" if offset else "")
        return f"{address:#x}"

    def resolve(self, location: str) -> int:
        """The address that a location names: `label`, `label+0x2`,
        `0x8005`. Raises ValueError with what is known.
        """
        name, plus, offset = location.partition("+")
        for region in self.regions:
            if name in region.names:
                return region.addresses[region.names.index(name)] + (int(offset, 0) if plus else 0)
        try:
            return int(location, 0)
        except ValueError:
            known = ", ".join(name for region in self.regions for name in region.names) or "none"
            raise ValueError(f'no label "{name}" in the guest\'s file; there are: {known}') from None


@dataclass(frozen=True)
class Guest:
    """One micro-guest, or one variant of one: all that its head says.

    `name` is `file` or `file.variant`; `needs` are the names of what the processor must have; `processors`
    is how many of them the machine must have. `digest` is the CRC-32 of the stripped file in the catalogue,
    as a CATALOGUE record has it.
    """

    name: str
    file: str
    variant: str
    path: Path
    mode: Mode
    ring: int
    entry: int
    reason: ExitReason
    sections: tuple[str, ...]
    expects: tuple[Expect, ...]
    expect_vmfail: Optional[int]
    needs: tuple[str, ...]
    processors: int
    notes: tuple[Note, ...] = field(repr=False)
    labels: Labels = field(repr=False)
    digest: int

    def locate(self, address: int) -> str:
        """The address in words: see Labels.locate."""
        return self.labels.locate(address)


def matches(name: str, pattern: str) -> bool:
    """Whether a guest's name matches a pattern of `guests=`:
    * and ?; one without a dot means every variant as well.
    """
    if fnmatchcase(name, literal_brackets(pattern)):
        return True
    return "." not in pattern and fnmatchcase(name.partition(".")[0], literal_brackets(pattern))


def literal_brackets(pattern: str) -> str:
    """The pattern with [ taken for itself, as the kernel's own matching does: only * and ? are special."""
    return pattern.replace("[", "[[]")


def parse_note(kind: NoteKind, payload: bytes) -> dict[str, Union[int, str]]:
    """The payload of one note by the names of its layout.
    Raises ValueError when it does not have that layout.
    """
    values: dict[str, Union[int, str]] = {}
    position = 0
    for type_name, name in kind.layout:
        if type_name == "text":
            end = payload.index(b"\0", position)
            values[name] = payload[position:end].decode("utf-8")
            position = end + 1
        else:
            size = 4 if type_name == "u32" else 8
            values[name] = int.from_bytes(payload[position : position + size], "little")
            position += size
            if position > len(payload):
                raise ValueError("it is cut short")
    if position != len(payload):
        raise ValueError(f"{len(payload) - position} bytes are left over")
    return values


def _notes(path: Path, data: bytes) -> list[Note]:
    """The notes of a guest file's head, in the file's order (ELF
    notes: name size, payload size, type, both padded to 4).
    """
    notes = []
    position = 0
    while position < len(data):
        try:
            name_size, size, number = struct.unpack_from("<III", data, position)
            name = data[position + 12 : position + 12 + name_size].rstrip(b"\0").decode()
            position += 12 + (name_size + 3 & ~3)
            payload = data[position : position + size]
            position += size + 3 & ~3
            kind = TABLES.notes.get(number)
            if name != OWNER or kind is None:
                raise ValueError(f'note {number} of owner "{name}" is none of src/guest/notes.def')
            notes.append(Note(kind, parse_note(kind, payload)))
        except (ValueError, struct.error) as error:
            raise GuestError(
                f"{path}: a note of its head cannot be read: {error}; write it with the macros of guest.h"
            ) from None
    return notes


def _labels(elf: Any) -> Labels:
    """The labels of an ELF file, section by section, from its symbol table (none: no labels)."""
    table = elf.get_section_by_name(".symtab")
    found: dict[int, dict[int, str]] = {}
    if table is not None:
        for symbol in table.iter_symbols():
            index = symbol["st_shndx"]
            if symbol.name and isinstance(index, int) and symbol["st_info"]["type"] in _LABEL_TYPES:
                found.setdefault(index, {}).setdefault(symbol["st_value"], symbol.name)
    regions = []
    for index, by_address in found.items():
        section = elf.get_section(index)
        addresses = sorted(by_address)
        start = section["sh_addr"]
        regions.append(
            _Region(
                start, start + section["sh_size"], addresses, [by_address[address] for address in addresses]
            )
        )
    return Labels(tuple(sorted(regions)))


def load_file(path: Path, catalogue: Optional[Path] = None) -> tuple[Guest, ...]:
    """The guests of one ELF file with labels, in the file's order.

    `catalogue` is the folder of the stripped files, for the digests; by default
    `catalogue` beside the file's own folder. Where the stripped file is missing
    the digest is 0, which no label lookup trusts. Raises GuestError.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            section = elf.get_section_by_name(SECTION_NAME)
            if section is None:
                raise GuestError(
                    f"{path}: has no head: start with GUEST, MODE, REASON, SECTION, EXPECT, CODE"
                )
            notes = _notes(path, section.data())
            labels = _labels(elf)
    except OSError as error:
        raise GuestError(f"{path}: cannot be read ({error.strerror}): run make") from error
    except ELFError as error:
        raise GuestError(f"{path}: is no ELF file ({error}): remove it and run make") from error
    stripped = (catalogue or path.parent.parent / "catalogue") / path.name
    digest = zlib.crc32(stripped.read_bytes()) if stripped.is_file() else 0
    heads: list[list[Note]] = []
    for note in notes:
        if note.kind.name == "GUEST":
            heads.append([])
        elif not heads:
            raise GuestError(f"{path}: {note.kind.name} stands before GUEST: the head must start with GUEST")
        heads[-1].append(note)
    guests = tuple(_guest(path, head, labels, digest) for head in heads)
    names = [guest.name for guest in guests]
    for name in names:
        if names.count(name) > 1:
            raise GuestError(f"{path}: two guests are called {name}: give each variant a name of its own")
    return guests


def _guest(path: Path, head: list[Note], labels: Labels, digest: int) -> Guest:
    """One guest from the notes of its head, which starts with GUEST. Raises GuestError."""
    name = str(head[0].values["name"])
    file, _, variant = name.partition(".")

    def fail(message: str) -> GuestError:
        return GuestError(f"{path}: guest {name}: {message}")

    def every(kind: str) -> list[Mapping[str, Union[int, str]]]:
        return [note.values for note in head if note.kind.name == kind]

    def single(kind: str, example: str) -> Mapping[str, Union[int, str]]:
        found = every(kind)
        if len(found) != 1:
            raise fail(f"has {len(found)} {kind} lines where one belongs: {example}")
        return found[0]

    if file != path.stem:
        raise fail(f"a guest is named after its file: write GUEST {path.stem}")
    mode = single("MODE", "add, say, MODE LONG64")
    reason = int(single("REASON", "add, say, REASON CPUID")["reason"])
    entry = single("ENTRY", "end the head with CODE")
    sections = tuple(str(values["title"]) for values in every("SECTION"))
    expects = tuple(Expect(int(values["reason"]), int(values["address"])) for values in every("EXPECT"))
    vmfails = [int(values["error"]) for values in every("EXPECT_VMFAIL")]
    if not sections:
        raise fail('names no SDM section: add, say, SECTION "EPT Violations"')
    if not expects and not vmfails:
        raise fail("expects nothing: add an EXPECT line for each exit, in order, or EXPECT_VMFAIL")
    if len(vmfails) > 1 or (vmfails and expects):
        raise fail("EXPECT_VMFAIL stands alone: VM entry that fails makes no exit, and ends the guest")
    if int(mode["mode"]) not in TABLES.modes:
        raise fail(f"mode {mode['mode']} is none of src/guest/modes.def")
    if reason not in TABLES.exit_reasons:
        raise fail(f"reason {reason} is none of src/vmx/exit_reasons.def")
    needs = [str(values["name"]) for values in every("NEED_CPUID") + every("NEED_CAPABILITY")]
    return Guest(
        name=name,
        file=file,
        variant=variant,
        path=path,
        mode=TABLES.modes[int(mode["mode"])],
        ring=int(mode["ring"]),
        entry=int(entry["address"]),
        reason=TABLES.exit_reasons[reason],
        sections=sections,
        expects=expects,
        expect_vmfail=vmfails[0] if vmfails else None,
        needs=tuple(needs),
        processors=max([int(values["count"]) for values in every("NEED_PROCESSORS")], default=1),
        notes=tuple(head),
        labels=labels,
        digest=digest,
    )


def load_guests(folder: Path, patterns: Optional[Iterable[str]] = None) -> dict[str, Guest]:
    """The guests of all files in a folder (build/guests) by
    name, in the catalogue's order: by file, then as in the file.

    With `patterns`, only guests that match one of them (see `matches`). Raises GuestError for the first file
    that is malformed, and when there is no file at all.
    """
    paths = sorted(folder.glob("*.elf"), key=lambda path: path.name)
    if not paths:
        raise GuestError(f"{folder}: holds no guests: run make")
    wanted = None if patterns is None else list(patterns)
    return {
        guest.name: guest
        for path in paths
        for guest in load_file(path)
        if wanted is None or any(matches(guest.name, pattern) for pattern in wanted)
    }

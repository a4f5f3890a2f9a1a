"""Records, frames and guests for the tests of the decoding half of the harness: what a kernel would have
sent.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from harness.guests import Guest, load_file
from harness.records import Exit, GuestBegin, GuestEnd
from harness.tables import PROJECT, TABLES

_KEYS = {kind: {row.name: key for key, row in rows.items()} for kind, rows in TABLES.record_fields.items()}
_KINDS = {kind.name: kind.kind for kind in TABLES.record_kinds.values()}
_LONG64 = {"cs_selector": 8, "cs_access_rights": 0xA09B, "cr0": 0x80000031, "cr4": 0x2620, "efer": 0x500}


def item(kind: str, sequence: int = 0, **fields: Any) -> dict[int, Any]:
    """The map of a record of this kind, by the names of record.def."""
    keys = _KEYS[kind]
    return {0: _KINDS[kind], 1: sequence} | {keys[name]: value for name, value in fields.items()}


def exit_item(reason: str | int, **fields: Any) -> dict[int, Any]:
    """The map of an EXIT record, of a guest in 64-bit mode where `fields` do not say otherwise."""
    number = TABLES.exit_reason_named[reason].number if isinstance(reason, str) else reason
    defaults: dict[str, Any] = {
        "number": 0,
        "rip": 0x8000,
        "rflags": 2,
        "time": 100,
        "instruction": b"",
        **_LONG64,
    }
    return item("EXIT", **{**defaults, "reason": number, **fields})


def make_exit(reason: str | int, **fields: Any) -> Exit:
    """An EXIT record: see exit_item."""
    return Exit(exit_item(reason, **fields))


def exit_port(rip: int, number: int = 0) -> Exit:
    """The last exit of a 64-bit guest that ends by END_GUEST."""
    return make_exit(
        "IO_INSTRUCTION",
        number=number,
        rip=rip,
        instruction=bytes.fromhex("66ef"),
        instruction_length=2,
        qualification=0x604 << 16 | 1,
        next=next(number for number, row in TABLES.exit_nexts.items() if row.name == "POWER_OFF"),
    )


def make_end(outcome: str, exits: int, **fields: Any) -> GuestEnd:
    """A GUEST_END record."""
    code = next(row.code for row in TABLES.outcomes.values() if row.name == outcome)
    return GuestEnd(item("GUEST_END", index=0, outcome=code, exits=exits, **fields))


def make_begin(name: str, **fields: Any) -> GuestBegin:
    """A GUEST_BEGIN record."""
    return GuestBegin(item("GUEST_BEGIN", index=0, name=name, controls={0: 1}, **fields))


def assemble(folder: Path, name: str, source: str) -> Path:
    """Assembles and links a micro-guest as the build does; returns folder/guests/NAME.elf, with its catalogue
    file.
    """
    (folder / "guests").mkdir(exist_ok=True)
    (folder / "catalogue").mkdir(exist_ok=True)
    path = folder / f"{name}.S"
    path.write_text('#include "guest.h"\n' + source)
    linked = folder / "guests" / f"{name}.elf"
    include = ["-I", str(PROJECT / "src"), "-I", str(PROJECT / "guests/include")]
    script = str(PROJECT / "guests/guest.ld")
    for command in (
        ["gcc", "-c", *include, str(path), "-o", str(folder / f"{name}.o")],
        [
            "ld",
            "-n",
            "-e",
            "0",
            "-T",
            script,
            "--no-warn-rwx-segments",
            "-o",
            str(linked),
            str(folder / f"{name}.o"),
        ],
        ["strip", "-o", str(folder / "catalogue" / f"{name}.elf"), str(linked)],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    return linked


SAMPLE = """
	GUEST sample
	MODE LONG64
	REASON CPUID
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT CPUID, first
	EXPECT CR_ACCESS, second
	CODE
first:
	cpuid
second:
	mov cr0, rax
	END_GUEST
"""


def assemble_sample(folder: Path) -> Guest:
    """The guest SAMPLE: a CPUID and a MOV to CR0."""
    return load_file(assemble(folder, "sample", SAMPLE))[0]

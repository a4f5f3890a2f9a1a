"""Starts a new micro-guest (`make new-guest`): writes its two files, guests/asm/NAME.S and
tests/expected/NAME.trace.

Where one instruction is enough to cause the exit, the guest is complete; elsewhere a comment stands in its
place. The trace always waits for its author.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from harness.tables import TABLES, ExitReason, Mode

Row = TypeVar("Row")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

# What causes an exit wherever it stands: lines of the head (controls) and instructions that set it up, and
# the instruction.
_CAUSES: dict[str, tuple[list[str], list[str], str]] = {
    "CPUID": ([], ["mov eax, 0"], "cpuid"),
    "HLT": (["CONTROL HLT_EXITING"], [], "hlt"),
    "INVD": ([], [], "invd"),
    "RDPMC": (["CONTROL RDPMC_EXITING"], ["mov ecx, 0"], "rdpmc"),
    "RDTSC": (["CONTROL RDTSC_EXITING"], [], "rdtsc"),
    "VMCALL": ([], [], "vmcall"),
    "IO_INSTRUCTION": ([], [], "in al, 0x80"),
    "RDMSR": ([], ["mov ecx, 0x10"], "rdmsr"),
    "WRMSR": ([], ["mov ecx, 0x10"], "wrmsr"),
    "PAUSE": (["CONTROL PAUSE_EXITING"], [], "pause"),
    "WBINVD": (["CONTROL WBINVD_EXITING"], [], "wbinvd"),
}
_UNKNOWN_CAUSE: tuple[list[str], list[str], str] = (
    [],
    [],
    "nop /* put here the instruction that exits, and above what sets it up */",
)

_GUEST = """\
/* Say here, in a sentence or two, what the guest does, and what is special about it. */
#include "guest.h"

{head}
\tCODE

{code}
\tEND_GUEST
"""

_TRACE = """\
# What the guest {name} must report, from the SDM. docs/expected-traces.md describes this file: it starts with
#   [{name}]
#   section "{title}"
# and has a line for each exit, in order, and one for the end.
"""


class NewGuestError(Exception):
    """The guest cannot be started as asked; says what to do."""


def create(project: Path, name: str, reason: str, mode: str) -> list[Path]:
    """Writes the files of a new guest into the project, and returns them. Refuses to write over a file."""
    if not _NAME.fullmatch(name):
        raise NewGuestError(
            f"NAME={name}: a guest's name consists of small letters, digits and _, starting with a letter"
        )
    row = _find("REASON", reason, {row.name: row for row in TABLES.exit_reasons.values()})
    start = _find("MODE", mode, {row.name: row for row in TABLES.modes.values()})
    guest, trace = project / f"guests/asm/{name}.S", project / f"tests/expected/{name}.trace"
    for path in (guest, trace):
        if path.exists():
            raise NewGuestError(f"{path} is there already: choose another NAME, or remove it")
    guest.parent.mkdir(parents=True, exist_ok=True)
    trace.parent.mkdir(parents=True, exist_ok=True)
    guest.write_text(_guest_text(name, row, start))
    trace.write_text(_TRACE.format(name=name, title=row.title))
    return [guest, trace]


def next_steps(name: str) -> str:
    """What the author of a new guest does next, in words."""
    return f"""\
1. Write the guest: guests/asm/{name}.S (docs/guests.md describes the macros).
2. Write what the SDM says that it must report: tests/expected/{name}.trace (docs/expected-traces.md).
   Or have it written from a run, `make bless GUEST={name}`, and hold every field against the SDM.
3. make check GUEST={name}"""


def _guest_text(name: str, reason: ExitReason, mode: Mode) -> str:
    controls, setup, cause = _CAUSES.get(reason.name, _UNKNOWN_CAUSE)
    label = "here"
    head = [
        f"GUEST {name}",
        f"MODE {mode.name}",
        f"REASON {reason.name}",
        f'SECTION "{reason.title}"',
        *controls,
        f"EXPECT {reason.name}, {label}",
    ]
    code = [*(f"\t{line}" for line in setup), f"{label}:", f"\t{cause}"]
    return _GUEST.format(head="\n".join(f"\t{line}" for line in head), code="\n".join(code))


def _find(variable: str, name: str, rows: Mapping[str, Row]) -> Row:
    """The row of this name, in whatever case it is written."""
    if found := rows.get(name.upper()):
        return found
    near = difflib.get_close_matches(name.upper(), rows, n=3, cutoff=0.5)
    known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(rows)}"
    raise NewGuestError(f"{variable}={name}: there is no such name; {known}")

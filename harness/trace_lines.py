"""A recorded exit, written as a line of an expected trace:
what the failure display shows and what blessing writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from harness.disassembly import disassemble_exit
from harness.expected import EXTRAS, REGISTERS, Expectation, ExpectedExit
from harness.fields import (
    FORMATS,
    NOTHING_KNOWN,
    Circumstances,
    Detail,
    detail,
    exit_details,
    next_name,
    reason_name,
    unusual_states,
)
from harness.tables import TABLES

if TYPE_CHECKING:
    from harness.guests import Guest
    from harness.records import Exit


def written_line(exit: ExpectedExit) -> str:
    """An expected exit as one line, without alignment."""
    fields = (f"{name}={expectation.text}" for name, expectation in exit.fields.items())
    return " ".join((exit.reason.name, exit.location, exit.code, *fields))


def exit_line(exit: "Exit", guest: "Guest", circumstances: Circumstances = NOTHING_KNOWN) -> str:
    """A recorded exit as one line of a trace, without alignment."""
    return " ".join(columns(exit, guest, None, circumstances))


def columns(
    exit: "Exit", guest: "Guest", existing: Optional[ExpectedExit], circumstances: Circumstances
) -> list[str]:
    """A recorded exit in the columns of a trace's line;
    what `existing` leaves open or adds beyond duty is kept.
    """
    code = f"`{disassemble_exit(exit).text}`"
    if existing and existing.code.startswith("_"):
        code = existing.code
    kept = existing.fields if existing else {}
    fields = []
    reason = TABLES.exit_reasons.get(exit.basic_reason)
    implied = {"entry_failure"} if reason and reason.position == "ENTRY" else set()
    for item in exit_details(exit, circumstances):
        if item.name == "flags":
            item = item._replace(parts=tuple(part for part in item.parts if part.name not in implied))
            if not item.parts:
                continue
        fields.append(_kept(item, kept.get(item.name)))
    for name, expectation in kept.items():
        if name in REGISTERS or name in EXTRAS:
            value = exit.registers.get(REGISTERS[name], 0) if name in REGISTERS else getattr(exit, name)
            if name == "next":
                fields.append(f"next={next_name(value)}")
            else:
                fields.append(_kept(detail(name, value, FORMATS.get(name, "HEX")), expectation))
    fields += [str(item) for item in unusual_states(exit) if item.name not in kept]
    return [reason_name(exit.basic_reason), guest.locate(exit.rip), code, *fields]


def _kept(item: Detail, existing: Optional[Expectation]) -> str:
    """A field as recorded, with the `_(reason)` of the existing line where that has one."""
    if existing is None:
        return str(item)
    if existing.is_open:
        return f"{item.name}={existing.text}"
    if existing.parts is None or not item.parts:
        return str(item)
    opened = {name: existing.texts[name] for name, value in existing.parts.items() if value is None}
    parts = [opened.pop(part.name, str(part)) for part in item.parts]
    return f"{item.name}={{{' '.join([*parts, *opened.values()])}}}"

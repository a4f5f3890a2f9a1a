"""What a person sees: the live log of a run, and why a guest failed, was in error, or a recording is damaged.

`Log` prints the events of records.py one line each, with colour on a terminal only; `make run` and `make log`
use it. The other functions return text for the verdicts' reports.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, TextIO

from harness import records
from harness.comparison import Cell, Difference, cells, compare, exit_port_exit
from harness.disassembly import disassemble_exit
from harness.fields import (
    NOTHING_KNOWN,
    Circumstances,
    controls_in_force,
    exception_name,
    exit_details,
    next_name,
    reason_name,
    render,
)
from harness.tables import TABLES, in_project
from harness.trace_lines import exit_line
from harness.wire import Damage, Text

if TYPE_CHECKING:
    from harness.expected import ExpectedExit, ExpectedGuest
    from harness.guests import Guest

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SHOWN_DIFFERENCES = 5


def plain(text: str) -> str:
    """Console text without anything that could command a terminal: control characters become escapes."""
    return _CONTROL_CHARACTERS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


# Log columns -----------------------------------------------------------------------------------------

_STYLES = {
    "guest": "bold",
    "reason": "cyan",
    "code": "green",
    "detail": "",
    "next": "dim",
    "note": "dim",
    "bad": "bold red",
}
# The least and the greatest width of the columns reason, location and disassembly; each grows with what
# comes.
_WIDTHS = ((14, 24), (10, 24), (24, 44))


class Log:
    """Prints the events of a recording as they come, one line each.

    `guests` are the guests of the build by name, for labels: taken only where the recording's catalogue has
    the same digest. `details` adds the general registers and the controls. `colour` None: where the stream is
    a terminal and NO_COLOR is not set.
    """

    def __init__(
        self,
        stream: TextIO,
        guests: Optional[Mapping[str, "Guest"]] = None,
        details: bool = False,
        colour: Optional[bool] = None,
    ) -> None:
        if colour is None:
            colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self._stream = stream
        self._console: Any = None
        if colour:
            from rich.console import Console

            self._console = Console(file=stream, force_terminal=True, highlight=False, soft_wrap=True)
        self._guests = guests or {}
        self._details = details
        self._digests: dict[str, int] = {}
        self._guest: Optional["Guest"] = None
        self._name = ""
        self._circumstances: Circumstances = NOTHING_KNOWN
        self._widths = [least for least, _ in _WIDTHS]

    def event(self, event: records.Event) -> None:
        """Prints one event. A CATALOGUE record only says which labels can be trusted, and prints nothing."""
        if isinstance(event, Text):
            if event.line.strip():
                self._line(("note", "| " + plain(event.line)))
        elif isinstance(event, records.Exit):
            self._exit(event)
        elif isinstance(event, records.GuestBegin):
            self._begin(event)
        elif isinstance(event, records.GuestEnd):
            self._end(event)
        elif isinstance(event, records.Header):
            self._header(event)
        elif isinstance(event, records.Catalogue):
            self._digests[event.name] = event.digest
        elif isinstance(event, records.Log):
            self._line(("note", f"log: {plain(event.message)}"))
        elif isinstance(event, records.Panic):
            for line in panic(event).splitlines():
                self._line(("bad", line))
        elif isinstance(event, records.End):
            stop = TABLES.stops.get(event.stop)
            name = stop.name if stop else str(event.stop)
            style = "note" if name == "DONE" else "bad"
            self._line((style, f"the run ended: {name}: {plain(event.detail)} ({event.guests} guests begun)"))
        elif isinstance(event, records.UnknownRecord):
            self._line(("bad", f"a record of an unknown kind: {event!r}"))
        elif not isinstance(event, records.Record):
            self._line(("bad", damage(event)))

    def _line(self, *pieces: tuple[str, str]) -> None:
        """Prints pieces of text, each with the name of its style, as one line."""
        if self._console is None:
            self._stream.write("".join(text for _, text in pieces).rstrip() + "\n")
            self._stream.flush()
            return
        from rich.text import Text as Rich

        self._console.print(Rich.assemble(*((text, _STYLES[style]) for style, text in pieces)))

    def _header(self, header: records.Header) -> None:
        if header.schema != TABLES.schema_version:
            text = (
                f"the recording has schema {header.schema}, this harness knows schema {TABLES.schema_version}"
            )
            self._line(("bad", text))
        self._circumstances = Circumstances(header.capabilities)
        under = f" under {header.hypervisor}" if header.hypervisor else ""
        many = "1 processor" if header.processors == 1 else f"{header.processors} processors"
        self._line(("guest", plain(f"{header.brand.strip() or header.vendor}{under}, {many}")))
        self._line(("note", plain(f"build {header.build}, {header.selected} of {header.guests} guests")))

    def _begin(self, begin: records.GuestBegin) -> None:
        self._name = begin.name
        self._circumstances = self._circumstances._replace(controls=begin.controls)
        guest = self._guests.get(begin.name)
        self._guest = guest if guest and self._digests.get(begin.name) == guest.digest else None
        about = ""
        if guest:
            ring = f", ring {guest.ring}" if guest.ring else ""
            about = f"  {guest.mode.name}{ring}: {guest.reason.name}"
            if self._guest is None:
                about += "  (the recording is of another build of this guest: no labels)"
        self._line(("guest", plain(begin.name)), ("note", about))
        if self._details:
            for word, names in controls_in_force(begin).items():
                if names:
                    self._line(("note", f"      {word}: {' '.join(names)}"))

    def _exit(self, exit: records.Exit) -> None:
        location = self._guest.locate(exit.rip) if self._guest else f"{exit.rip:#x}"
        columns = (reason_name(exit.basic_reason), location, disassemble_exit(exit).text)
        for index, (text, (_, most)) in enumerate(zip(columns, _WIDTHS)):
            self._widths[index] = max(self._widths[index], min(len(text), most))
        reason, place, code = (text.ljust(width) for text, width in zip(columns, self._widths))
        details = " ".join(map(str, exit_details(exit, self._circumstances)))
        processor = f" on processor {exit.processor}" if exit.processor else ""
        self._line(
            ("note", f"  #{exit.number:<4}"),
            ("reason", f"{reason}  "),
            ("detail", f"{place}  "),
            ("code", f"{code}  "),
            ("detail", f"{details}  " if details else ""),
            ("next", f"-> {next_name(exit.next).lower().replace('_', ' ')}{processor}"),
        )
        if self._details:
            for line in register_lines(exit):
                self._line(("note", f"        {line}"))

    def _end(self, end: records.GuestEnd) -> None:
        outcome = TABLES.outcomes.get(end.outcome)
        name = outcome.name if outcome else str(end.outcome)
        words = [name]
        if end.instruction_error:
            error = TABLES.instruction_errors.get(end.instruction_error)
            words.append(error.name if error else str(end.instruction_error))
        if end.detail:
            words.append(plain(end.detail))
        exits = "1 exit" if end.exits == 1 else f"{end.exits} exits"
        self._line(("note", f"  end   {': '.join(words)}, {exits}"))


def register_lines(exit: records.Exit) -> list[str]:
    """The guest's registers at an exit, for the detailed log."""
    named = {
        name: exit.registers.get(number, 0) for number, name in TABLES.value_sets["GENERAL_REGISTER"].items()
    }
    named |= {"RIP": exit.rip, "RFLAGS": exit.rflags, "CR0": exit.cr0, "CR3": exit.cr3, "CR4": exit.cr4}
    named |= {"EFER": exit.efer, "CS": exit.cs_selector}
    lines = _register_rows(named)
    states = (
        ("activity", "ACTIVITY_STATE", exit.activity_state),
        ("interruptibility", "INTERRUPTIBILITY", exit.interruptibility_state),
    )
    return lines + [f"{name}: {render(format_name, value)}" for name, format_name, value in states if value]


def _register_rows(named: Mapping[str, int]) -> list[str]:
    """Registers, four a line."""
    cells_ = [f"{name:<6} {value:016x}" for name, value in named.items()]
    return ["  ".join(cells_[start : start + 4]) for start in range(0, len(cells_), 4)]


def panic(record: records.Panic) -> str:
    """A panic of the hypervisor: what happened, and the registers at that point."""
    lines = [f"the hypervisor panicked: {plain(record.message)}"]
    if record.vector is not None:
        error = f", error code {record.error_code:#x}" if record.error_code is not None else ""
        where = f" at {record.rip:#x}" if record.rip is not None else ""
        lines.append(f"  exception {exception_name(record.vector)}{error}{where}")
    named: dict[str, int] = {}
    if record.registers is not None:
        names = TABLES.value_sets["GENERAL_REGISTER"]
        named = {names[number]: record.registers.get(number, 0) for number in sorted(names)}
    for name in ("rip", "rflags", "cr2", "cr3"):
        if (value := getattr(record, name)) is not None:
            named[name.upper()] = value
    lines += [f"  {line}" for line in _register_rows(named)]
    if record.processor:
        lines.append(f"  on processor {record.processor}")
    return "\n".join(lines)


def damage(event: "Damage | records.Malformed | records.SequenceGap") -> str:
    """What is wrong with a recording at one place, in one line."""
    if isinstance(event, records.SequenceGap):
        what = f"{event.lost} records are missing" if event.lost else "a record came again, or too late"
        return f"byte {event.offset}: {what}: number {event.got} where {event.expected} should be"
    if isinstance(event, records.Malformed):
        return f"byte {event.offset}: a record that is not as the schema says: {plain(event.why)}"
    shown = event.data[:24].hex(" ") + (" ..." if len(event.data) > 24 else "")
    return f"byte {event.offset}: {len(event.data)} damaged bytes: {plain(event.why)}: {shown}"


# Failures --------------------------------------------------------------------------------------------


def failure(
    expected: "ExpectedGuest",
    exits: Sequence[records.Exit],
    end: Optional[records.GuestEnd],
    guest: "Guest",
    circumstances: Circumstances = NOTHING_KNOWN,
    options: str = "",
) -> str:
    """How a guest's run differs from its expected trace: expected and actual a
    line each, the differing fields marked, the SDM section, and the command that
    runs this guest alone (`options`: what to add to it, such as MACHINE=qemu).
    """
    differences = compare(expected, exits, end, guest, circumstances)
    lines: list[str] = []
    shown = 0
    done: set[int] = set()
    for difference in differences:
        if difference.exit is not None and difference.exit in done:
            continue
        if shown == _SHOWN_DIFFERENCES:
            lines.append(f"... and more: {len(differences)} differences in all")
            break
        shown += 1
        lines += _difference_lines(difference, differences, expected, exits, guest, circumstances)
        if difference.exit is not None:
            done.add(difference.exit)
    sections = "; ".join(f'"{title}"' for title in expected.sections)
    lines.append(f"SDM: {sections}")
    command = f"make check GUEST={guest.name}"
    lines.append(f"repeat: {command} {options}".rstrip())
    return "\n".join(lines)


def _place(path: Path, line: Optional[int]) -> str:
    """A trace's line as editors understand it, relative to the project."""
    return f"{in_project(path)}:{line}" if line else str(in_project(path))


def _difference_lines(
    difference: Difference,
    differences: Sequence[Difference],
    expected: "ExpectedGuest",
    exits: Sequence[records.Exit],
    guest: "Guest",
    circumstances: Circumstances,
) -> list[str]:
    """One differing exit, or how the guest ended, in full."""
    where = _place(expected.path, difference.line or expected.line)
    if difference.exit is None or difference.kind in ("extra", "order") or difference.field == "head":
        heading = {
            "missing": "an exit is missing",
            "extra": f"exit {difference.exit} should not be",
            "order": f"exit {difference.exit} is out of order",
            "outcome": "the guest ended otherwise",
        }.get(difference.kind, "the trace and the guest's head disagree")
        return [
            f"{guest.name}: {heading} ({where})",
            f"  expected  {difference.expected}",
            f"  actual    {difference.actual}",
            f"            {'^' * len(difference.actual)}",
        ]
    number = difference.exit
    exit = exits[number]
    wrong = [item.field for item in differences if item.exit == number]
    kind = "the trace is wrong about" if difference.kind == "trace" else "differs in"
    heading = f"{guest.name}: exit {number}: {kind} {', '.join(wrong)} ({where})"
    wanted = _expected_exit(expected, exits, number, difference, guest)
    if wanted is None:
        return [heading, f"  actual    {exit_line(exit, guest, circumstances)}"]
    return [heading, *marked(cells(wanted, exit, guest, circumstances))]


def _expected_exit(
    expected: "ExpectedGuest",
    exits: Sequence[records.Exit],
    number: int,
    difference: Difference,
    guest: "Guest",
) -> Optional["ExpectedExit"]:
    """The trace's line for an actual exit."""
    if difference.line is None:
        return exit_port_exit(expected, exits[number])
    return next((exit for exit in expected.exits if exit.line == difference.line), None)


def marked(pieces: Sequence[Cell]) -> list[str]:
    """The pieces of one exit as three lines: expected, actual, and marks under what differs."""
    rows = ["  expected  ", "  actual    ", "            "]
    for number, piece in enumerate(pieces):
        width = max(len(piece.expected), len(piece.actual))
        gap = "" if piece.glued or not number else "  " if number <= 3 else " "
        mark = "^" * (len(piece.actual) or width) if piece.differs else ""
        for index, text in enumerate((piece.expected, piece.actual, mark)):
            rows[index] += gap + text.ljust(width)
    return [row.rstrip() for row in rows]

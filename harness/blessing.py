"""Writes expected traces from runs (`make bless`): a typing aid, not truth.

A run is only written down where its exits are those that the guest's author declared in its head. Comments,
and what the author left open or added, stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence

from harness.comparison import align, compare
from harness.expected import ExpectedGuest, TraceError, TraceFile, parse_trace
from harness.fields import NOTHING_KNOWN, Circumstances, reason_name, unusual_states
from harness.tables import TABLES
from harness.trace_lines import columns

if TYPE_CHECKING:
    from harness.guests import Guest
    from harness.records import Exit, GuestEnd


class BlessError(Exception):
    """A run must not be made the expected trace. The message says what differs from the guest's head."""


class Run(NamedTuple):
    """What one guest did: its exits and its end, as recorded."""

    guest: "Guest"
    exits: Sequence["Exit"]
    end: Optional["GuestEnd"]


def check_head(run: Run) -> None:
    """Demands that the run's exits are those that the guest's head declares, in order. Raises BlessError."""
    guest, end = run.guest, run.end
    outcome = TABLES.outcomes.get(end.outcome) if end else None
    if end is None or outcome is None or outcome.name in ("SKIPPED", "MALFORMED"):
        why = f"{outcome.name}: {end.detail}" if end and outcome else "the guest did not come to its end"
        raise BlessError(f"{guest.name}: there is nothing to bless: {why}")
    if guest.expect_vmfail is not None:
        if outcome.name != "VMFAIL" or end.instruction_error != guest.expect_vmfail:
            wanted = TABLES.instruction_errors[guest.expect_vmfail].name
            raise BlessError(
                f"{guest.name}: the head says EXPECT_VMFAIL {wanted}, but the guest ended {outcome.name}"
            )
        return
    exits = run.exits[:-1] if outcome.name == "EXIT_PORT" else run.exits
    declared = [f"{reason_name(item.reason)}, {guest.locate(item.address)}" for item in guest.expects]
    actual = [f"{reason_name(exit.basic_reason)}, {guest.locate(exit.rip)}" for exit in exits]
    if declared == actual:
        return
    lines = [f"{guest.name}: the exits are not those that its head declares; correct the head, or the guest:"]
    for number in range(max(len(declared), len(actual))):
        wanted = declared[number] if number < len(declared) else "nothing"
        came = actual[number] if number < len(actual) else "nothing"
        mark = "   " if wanted == came else "-> "
        lines.append(f"  {mark}exit {number}: EXPECT {wanted}; came {came}")
    raise BlessError("\n".join(lines))


def bless(
    existing: Optional[TraceFile], runs: Sequence[Run], circumstances: Circumstances = NOTHING_KNOWN
) -> str:
    """The text of a trace file in which the guests of `runs` (all of one file) are as recorded.

    Other guests' parts stay as they are. Of these guests' parts, comments,
    `_(reason)` and fields beyond duty are kept where the exits line up.
    Raises BlessError where a run is not what the guest's head declares.
    """
    parts: dict[str, list[str]] = {}
    if existing:
        parts = {name: _trimmed(part.lines) for name, part in existing.guests.items()}
    for run in runs:
        check_head(run)
        previous = existing.guests.get(run.guest.name) if existing else None
        parts[run.guest.name] = _blessed_part(run, previous, circumstances)
    preamble = _trimmed(existing.preamble) if existing else []
    blocks = ([preamble] if preamble else []) + list(parts.values())
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    _prove(text, runs, circumstances)
    return text


def _trimmed(lines: Sequence[str]) -> list[str]:
    """The lines without empty ones at the end."""
    result = list(lines)
    while result and not result[-1].strip():
        result.pop()
    return result


def _blessed_part(run: Run, previous: Optional[ExpectedGuest], circumstances: Circumstances) -> list[str]:
    """The lines of one guest's part."""
    assert run.end is not None
    outcome = TABLES.outcomes[run.end.outcome].name
    exits = list(run.exits[:-1] if outcome == "EXIT_PORT" else run.exits)
    titles = previous.sections if previous else run.guest.sections
    lines = [f"[{run.guest.name}]", *(f'section "{title}"' for title in titles)]
    pairs = align(previous.exits, exits, run.guest) if previous else [(None, j) for j in range(len(exits))]
    comments: list[list[str]] = []
    rows: list[list[str]] = []
    remarks: list[str] = []
    pending: list[str] = []
    for i, j in pairs:
        old = previous.exits[i] if previous and i is not None else None
        pending += old.comments if old else ()
        if j is None:
            continue
        if old and old.reason.number != exits[j].basic_reason:
            old = None
        comments.append(pending)
        rows.append(columns(exits[j], run.guest, old, circumstances))
        remarks.append(f"  {old.remark}" if old and old.remark else "")
        pending = []
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for before, row, remark in zip(comments, rows, remarks):
        head = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
        lines += [*before, f"{head}  {' '.join(row[3:])}".rstrip() + remark]
    if outcome == "VMFAIL":
        error = TABLES.instruction_errors.get(run.end.instruction_error)
        lines.append(f"VMFAIL {error.name if error else run.end.instruction_error}")
    end = f"end {outcome}"
    if outcome == "EXIT_PORT":
        end = " ".join([end, *map(str, unusual_states(run.exits[-1]))])
    return [*lines, *pending, *(previous.comments if previous else ()), end]


def _prove(text: str, runs: Sequence[Run], circumstances: Circumstances) -> None:
    """Demands that the new text accepts the runs it was made from. Raises BlessError."""
    for run in runs:
        path = Path(f"{run.guest.file}.trace")
        try:
            expected = parse_trace(text, path).guests[run.guest.name]
        except TraceError as error:
            raise BlessError(
                f"{run.guest.name}: what was recorded cannot be written as a trace: {error}"
            ) from None
        if differences := compare(expected, run.exits, run.end, run.guest, circumstances):
            first = differences[0]
            raise BlessError(
                f"{run.guest.name}: exit {first.exit}: {first.field} is {first.actual}, where the"
                f" architecture allows only {first.expected}: no trace can say that"
            )

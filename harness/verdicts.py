"""Verdicts: what the run of one micro-guest means for the machine.

PASS; FAIL: the machine is wrong; ERROR: we are wrong (a panic, lost records, a guest or a trace that is not
what it must be); SKIP: what the guest needs is missing; XFAIL: a deviation that is listed for this machine;
XPASS: a listed deviation that did not show. The pytest plugin and `make run` judge by this.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import display
from harness.comparison import Difference, compare
from harness.deviations import Deviation, applies, covers
from harness.expected import ExpectedGuest, TraceError, load_trace, trace_path
from harness.guests import Guest
from harness.machines import Identity
from harness.runs import GuestRun
from harness.tables import TABLES, in_project


class Status(enum.Enum):
    """The six verdicts."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    SKIP = "SKIP"
    XFAIL = "XFAIL"
    XPASS = "XPASS"

    @property
    def is_good(self) -> bool:
        """Whether the suite stays green with it."""
        return self not in (Status.FAIL, Status.ERROR, Status.XPASS)


class MissingTrace(TraceError):
    """There is no expected trace, or no part of it for this guest."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one guest: why, in one line (empty for PASS), and for a person who must look into it,
    `display`.
    """

    guest: str
    status: Status
    why: str = ""
    display: str = ""


@dataclass(frozen=True)
class Judge:
    """Judges runs on one machine by the expected traces in a folder and the list of the machine's deviations.
    `repeat` is what must be added to the command that runs a guest alone, to have it on the same machine.
    """

    traces: Path
    identity: Identity
    deviations: Sequence[Deviation] = ()
    repeat: str = ""

    def judge(self, run: GuestRun, guest: Guest) -> Verdict:
        """The verdict on the run of a guest."""
        if run.missing:
            return Verdict(guest.name, Status.SKIP, run.missing)
        if run.death or run.trouble or run.end is None:
            why = "; ".join(filter(None, [*run.trouble, run.death]))
            return self._error(run, why or "the record of its end is missing")
        outcome = TABLES.outcomes.get(run.end.outcome)
        if outcome is not None and outcome.name == "SKIPPED":
            return Verdict(guest.name, Status.SKIP, run.end.detail or outcome.meaning)
        if outcome is not None and outcome.name == "MALFORMED":
            return self._error(run, f"{outcome.meaning}: {run.end.detail}")
        try:
            expected = self._expected(guest)
        except MissingTrace as error:
            return self._error(
                run, f"{error}: write it, or have it written by `make bless GUEST={guest.name}`"
            )
        except TraceError as error:
            return self._error(run, f"{error}; correct it there")
        circumstances = run.circumstances
        differences = compare(expected, run.exits, run.end, guest, circumstances)
        picture = ""
        if differences:
            picture = display.failure(expected, run.exits, run.end, guest, circumstances, self.repeat)
        if any(difference.kind == "trace" for difference in differences):
            return Verdict(guest.name, Status.ERROR, _in_one_line(differences), picture)
        return self._weigh(guest, differences, picture)

    def _expected(self, guest: Guest) -> ExpectedGuest:
        """The guest's expected trace. Raises TraceError, which names the file."""
        path = trace_path(self.traces, guest.name)
        if not path.exists():
            raise MissingTrace(f"there is no expected trace {in_project(path)}")
        expected = load_trace(path).guests.get(guest.name)
        if expected is None:
            raise MissingTrace(f"{in_project(path)} has no part [{guest.name}]")
        return expected

    def _weigh(self, guest: Guest, differences: Sequence[Difference], picture: str) -> Verdict:
        """The verdict where all is in order but for these differences (or none)."""
        listed = [deviation for deviation in self.deviations if applies(deviation, guest.name, self.identity)]
        if not differences:
            if listed:
                entries = "; ".join(f"{entry.place}: {entry.summary}" for entry in listed)
                why = f"a deviation that is listed did not show: {entries}; take it off the list"
                return Verdict(guest.name, Status.XPASS, why, why)
            return Verdict(guest.name, Status.PASS)
        if covers(listed, differences):
            return Verdict(
                guest.name, Status.XFAIL, "; ".join(deviation.summary for deviation in listed), picture
            )
        return Verdict(guest.name, Status.FAIL, _in_one_line(differences), picture)

    def _error(self, run: GuestRun, why: str) -> Verdict:
        parts = [f"{run.guest}: {display.plain(why)}"]
        if run.panic is not None:
            parts.append(display.panic(run.panic))
        if run.exits and run.end is None:
            parts.append(f"exits before that: {len(run.exits)}")
        if run.console:
            parts.append("console:\n" + "\n".join(f"  {display.plain(line)}" for line in run.console[-20:]))
        parts.append(f"repeat: make check GUEST={run.guest} {self.repeat}".rstrip())
        return Verdict(run.guest, Status.ERROR, why, "\n".join(parts))


def _in_one_line(differences: Sequence[Difference]) -> str:
    first = differences[0]
    where = "" if first.exit is None else f"exit {first.exit}: "
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    return f"{where}expected {first.expected}, came {first.actual}{more}"

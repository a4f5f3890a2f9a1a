"""Cuts the records of one recording into the runs of its micro-guests.

`Collector` takes the events of harness.records in their order, live (harness.boots) or from a kept recording
(`make log`), and gives back each guest's run as soon as it is over. It judges nothing: harness.verdicts does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness import display
from harness.fields import Circumstances
from harness.records import (
    Catalogue,
    End,
    Event,
    Exit,
    GuestBegin,
    GuestEnd,
    Header,
    Malformed,
    Panic,
    SequenceGap,
)
from harness.tables import TABLES
from harness.wire import Damage, Text

_STOP_LINE = "exitscope: stop "


@dataclass
class GuestRun:
    """What one guest did, as far as it was recorded.

    `end` is None when the guest did not come to its end; `death` then says why, in words. `missing` says why
    a guest was never begun, when that is because the machine cannot run it. `trouble` are the places where
    the recording is damaged.
    """

    guest: str
    begin: GuestBegin | None = None
    exits: list[Exit] = field(default_factory=list)
    end: GuestEnd | None = None
    console: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    panic: Panic | None = None
    header: Header | None = None
    death: str = ""
    missing: str = ""

    @property
    def circumstances(self) -> Circumstances:
        """What the recording says about the whole of this run."""
        return Circumstances(
            self.header.capabilities if self.header else None, self.begin.controls if self.begin else None
        )


@dataclass(frozen=True)
class Stop:
    """Why the kernel ended: a name of stops.def, and its details."""

    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}" if self.detail else self.name


class Collector:
    """Collects the runs of one recording. `stop` is known once the kernel has ended the run properly;
    `trouble` is what was damaged outside the run of any guest.
    """

    def __init__(self) -> None:
        self.header: Header | None = None
        self.stop: Stop | None = None
        self.panic: Panic | None = None
        self.trouble: list[str] = []
        self._names: dict[int, str] = {}
        self._run: GuestRun | None = None
        self._loose: list[str] = []

    @property
    def current(self) -> str:
        """The guest that is running now; empty when there is none."""
        return self._run.guest if self._run else ""

    def feed(self, event: Event) -> Iterator[GuestRun]:
        """Takes the next event; gives the run that it completes, if any."""
        if isinstance(event, Text):
            self._text(event.line)
        elif isinstance(event, Header):
            # A second header: the machine was started anew (real hardware, by hand).
            yield from self._abandon("the machine was reset while it ran")
            self.header = event
        elif isinstance(event, Catalogue):
            self._names[event.index] = event.name
        elif isinstance(event, GuestBegin):
            yield from self._abandon("the record of its end was lost")
            self._run = GuestRun(event.name, begin=event, trouble=self._take_loose(), header=self.header)
        elif isinstance(event, Exit):
            self._open().exits.append(event)
        elif isinstance(event, GuestEnd):
            yield self._end(event)
        elif isinstance(event, Panic):
            self.panic = event
            if self._run:
                self._run.panic = event
        elif isinstance(event, End):
            stop = TABLES.stops.get(event.stop)
            self.stop = Stop(stop.name if stop else str(event.stop), event.detail)
        elif isinstance(event, (Damage, Malformed, SequenceGap)):
            self._note(display.damage(event))

    def finish(self, death: str) -> Iterator[GuestRun]:
        """The recording is over. A guest that was still running died with it; `death` says how."""
        yield from self._abandon(self._death(death))
        self.trouble += self._take_loose()

    def _death(self, death: str) -> str:
        if self.panic:
            return f"the kernel panicked: {self.panic.message}"
        if self.stop and self.stop.name != "DONE":
            return f"the kernel stopped: {self.stop}"
        return death

    def _text(self, line: str) -> None:
        if self._run:
            self._run.console.append(line)
        # The line of the stop is there even when the recorder was not yet up.
        _, found, stop = line.partition(_STOP_LINE)
        if found and self.stop is None:
            name, _, detail = stop.partition(":")
            self.stop = Stop(name.strip(), detail.strip())

    def _open(self) -> GuestRun:
        """The current run; a nameless one when the record of its begin was lost."""
        if self._run is None:
            self._run = GuestRun(
                "", trouble=[*self._take_loose(), "the record of its begin was lost"], header=self.header
            )
        return self._run

    def _end(self, end: GuestEnd) -> GuestRun:
        run = self._open()
        run.guest = run.guest or self._names.get(end.index, "")
        if end.exits != len(run.exits):
            run.trouble.append(f"the kernel counted {end.exits} exits, {len(run.exits)} were received")
        run.end = end
        self._run = None
        return run

    def _abandon(self, death: str) -> Iterator[GuestRun]:
        if self._run is not None:
            self._run.death = death
            run, self._run = self._run, None
            yield run

    def _note(self, trouble: str) -> None:
        (self._run.trouble if self._run else self._loose).append(trouble)

    def _take_loose(self) -> list[str]:
        loose, self._loose = self._loose, []
        return loose

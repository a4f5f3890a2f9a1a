"""Plans and runs the boots that the selected micro-guests need: as few as possible, and as many as it takes.

Guests that need more processors get a boot of their own, at the same time as the others. When the kernel or
the machine dies at a guest, a new boot goes on after it. Every boot either completes a guest or blames one,
so that there are at most as many boots as guests. Used by the command line and by the pytest plugin.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from harness.iso import image
from harness.machines import Boot, EndKind, Ending, Limits, Machine, MachineError
from harness.records import Event, Exit, Header, Reader
from harness.runs import Collector, GuestRun, Stop

# Stops of the kernel that say: this machine cannot run any guest.
_LACKING = ("NO_LONG_MODE", "NO_VMX", "VMX_LOCKED_OFF", "VMX_UNSUITABLE")
_NOT_RUN = "the kernel ended without having run it"
# How often a lock is tried, in seconds.
_LOCK_INTERVAL = 0.1
_IN_CATALOGUE_ORDER = ("", "forward")
# How many bytes the kernel takes as the value of a word (OPTION_TEXT_MAX in src/options.h, without the NUL).
LONGEST_VALUE = 4095


class RecordingError(Exception):
    """A recording cannot be written, or an old one not removed. Says which, and what to do."""


@dataclass(frozen=True)
class Planned:
    """A guest that is to run, and how many processors it needs."""

    guest: str
    processors: int = 1


@dataclass(frozen=True)
class Plan:
    """What is to run.

    `selected` are the guests, in the catalogue's order; `patterns` is how they were chosen, in the kernel's
    words, empty for the whole catalogue. `processors` is how many the machine is to have, 0: what each guest
    needs. `order` is the kernel's word (forward, reverse, shuffle:SEED; empty: forward). `catalogue` are the
    names of all guests that there are, selected or not; where it is empty, all variants of a file are named
    one by one.
    """

    selected: Sequence[Planned]
    patterns: str = ""
    processors: int = 0
    order: str = ""
    verbose: bool = False
    catalogue: Sequence[str] = ()


@dataclass
class BootReport:
    """One boot: how it ended, at which guest it died (empty: at none), and what was measured. Times are
    seconds since the machine was started.
    """

    name: str
    processors: int
    recording: Path
    ending: Ending | None = None
    header: Header | None = None
    stop: Stop | None = None
    died_at: str = ""
    trouble: list[str] = field(default_factory=list)
    guests: int = 0
    exits: int = 0
    exit_bytes: int = 0
    bytes: int = 0
    first_record: float = 0.0
    first_exit: float = 0.0
    last_exit: float = 0.0
    seconds: float = 0.0

    @property
    def problem(self) -> str:
        """What is wrong with the boot as a whole, beyond the run of any guest; empty when nothing is."""
        parts = list(self.trouble)
        if self.died_at:
            return "; ".join(parts)
        if self.ending is not None and self.ending.kind is not EndKind.CLEAN:
            parts.append(self.ending.detail or self.ending.kind.value)
        elif self.stop is None:
            parts.append("the machine ended without the kernel's last record")
        if self.stop is not None and self.stop.name != "DONE" and self.stop.name not in _LACKING:
            parts.append(f"the kernel stopped: {self.stop}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Seen:
    """An event of the recording, as it came, and the guest that was running (empty: none)."""

    event: Event
    guest: str


Happening = Seen | GuestRun | BootReport
# Makes the image of a build folder, with these words as the kernel's command line: iso.image, but for tests.
MakeImage = Callable[[Path, list[str]], Path]


@dataclass(frozen=True)
class Site:
    """Where boots happen: `build` is the folder with the kernel and the catalogue; the recordings go into
    `recordings`, one file a boot, the very bytes that came.
    """

    build: Path
    recordings: Path
    limits: Limits = Limits()
    make_image: MakeImage = image


class Session:
    """All boots of one plan, in the background: `start` it, then iterate over `happenings`, then `close`
    it.
    """

    def __init__(self, machine: Machine, plan: Plan, site: Site) -> None:
        self._recordings = site.recordings
        self._wait_limit = site.limits.overall
        self._lock: TextIO | None = None
        self._chains: list[_Chain] = []
        for processors, guests in _groups(machine, plan):
            after = self._chains[0].sends if self._chains else None
            self._chains.append(_Chain(machine, plan, site, guests, processors, after))

    def start(self) -> None:
        """Starts the machines, one for each number of processors that is needed. The recordings of the
        session before are removed; one that still goes on in another process is waited for. Raises
        MachineError when that takes too long, RecordingError when a recording cannot be removed.
        """
        self._recordings.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self._recordings / "lock", self._wait_limit)
        for old in self._recordings.glob("*.bin"):
            try:
                old.unlink(missing_ok=True)
            except OSError as error:
                raise RecordingError(f"{old} is in the way: {error.strerror}: remove it") from error
        for chain in self._chains:
            chain.start()

    def happenings(self) -> Iterator[Happening]:
        """What happens, live: first all of the boots with the fewest processors, then those with more. Raises
        MachineError or ImageError when a machine cannot be booted at all, RecordingError when what it sends
        cannot be kept.
        """
        for chain in self._chains:
            yield from chain.happenings()

    def close(self) -> None:
        """Ends machines that still run, and leaves the recordings to others. May be called more than once."""
        for chain in self._chains:
            chain.abort()
        for chain in self._chains:
            if chain.is_alive():
                chain.join()
        if self._lock is not None:
            self._lock.close()


def _locked(path: Path, limit: float) -> TextIO:
    """Takes the lock on a file, which closing it gives back; waits for it so many seconds."""
    file = path.open("w")
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= deadline:
                file.close()
                raise MachineError(f"another run holds {path.parent}: wait for its end") from None
            time.sleep(_LOCK_INTERVAL)


def _death(ending: Ending) -> str:
    """Why a guest has no end in the recording, as far as the machine's own end says it."""
    if ending.kind is EndKind.CLEAN:
        return (
            "the records stop here, though the machine ended as the kernel asked: the serial port fell silent"
        )
    return ending.detail or ending.kind.value


def _groups(machine: Machine, plan: Plan) -> list[tuple[int, list[str]]]:
    """The guests that share boots: a number of processors, and the guests in the catalogue's order."""
    if plan.processors or not machine.takes_image:
        groups = {plan.processors or 1: [planned.guest for planned in plan.selected]}
    else:
        groups = {}
        for planned in plan.selected:
            groups.setdefault(planned.processors, []).append(planned.guest)
    return sorted(groups.items())


def _portion(guests: Sequence[str], catalogue: Sequence[str]) -> tuple[list[str], list[str]]:
    """The first of the guests, as many as a word can name: their patterns, and they themselves. All variants
    of one file are named by the file.
    """
    files: dict[str, set[str]] = {}
    for name in catalogue:
        files.setdefault(name.partition(".")[0], set()).add(name)
    everything = set(guests)
    named: dict[str, list[str]] = {}
    for guest in guests:
        file = guest.partition(".")[0]
        whole = len(files.get(file, ())) > 1 and files[file] <= everything
        named.setdefault(file if whole else guest, []).append(guest)
    patterns: list[str] = []
    taken: list[str] = []
    length = 0
    for pattern, names in named.items():
        length += len(pattern) + (1 if patterns else 0)
        if length > LONGEST_VALUE:
            break
        patterns.append(pattern)
        taken += names
    return patterns, taken


def _opened(path: Path) -> BinaryIO:
    """A new recording. Raises RecordingError."""
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written: {error.strerror}: see to that, and run again"
        ) from error


def _keep(recording: BinaryIO, chunk: bytes) -> None:
    """Writes what came to the recording. Raises RecordingError."""
    try:
        if recording.write(chunk) != len(chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise RecordingError(
            f"{recording.name} cannot be written: {error.strerror}: make room, and run again"
        ) from error


class _Chain(threading.Thread):
    """The boots, one after another, of the guests that share a number of processors.

    The first chain gets the user's own patterns as the kernel's command line, and skips the guests that need
    more processors; the others name their guests. They start `after` the first one `sends` its first record:
    a person who watches waits for that. Where one command line cannot name all, they run in portions.
    """

    def __init__(
        self,
        machine: Machine,
        plan: Plan,
        site: Site,
        guests: list[str],
        processors: int,
        after: threading.Event | None,
    ) -> None:
        super().__init__(name=f"boots with {processors} processors", daemon=True)
        self._machine = machine
        self._plan = plan
        self._site = site
        self._own = frozenset(guests)
        self._remaining = list(guests)
        self._processors = processors
        self._after = after
        self.sends = threading.Event()
        self._current: Boot | None = None
        self._aborted = threading.Event()
        self._queue: queue.SimpleQueue[Happening | Exception | None] = queue.SimpleQueue()

    def abort(self) -> None:
        """Ends the machine that runs now, and boots no other. Called from another thread."""
        self._aborted.set()
        if (boot := self._current) is not None:
            boot.abort()

    def happenings(self) -> Iterator[Happening]:
        while (happening := self._queue.get()) is not None:
            if isinstance(happening, Exception):
                raise happening
            yield happening

    def run(self) -> None:
        try:
            if self._after is not None:
                self._after.wait()
            self._run_boots()
        except Exception as error:  # whatever it is, it is for the thread that waits
            self._queue.put(error)
        finally:
            self.sends.set()
            self._queue.put(None)

    def _run_boots(self) -> None:
        number = 0
        while self._remaining and not self._aborted.is_set():
            number += 1
            before = len(self._remaining)
            words, portion = self._words(again=number > 1)
            report = self._boot(number, words)
            if self._aborted.is_set():
                return
            self._queue.put(report)
            if not self._machine.takes_image:
                self._give_up(missing="the recording has no such guest (it was not chosen in the boot menu)")
            elif report.stop and report.stop.name in _LACKING:
                self._give_up(missing=report.stop.detail or report.stop.name)
            elif len(self._remaining) == before:
                self._give_up(death=report.problem or _NOT_RUN)
            elif report.stop and report.stop.name == "DONE":
                self._give_up(death=report.problem or _NOT_RUN, guests=portion)

    def _words(self, again: bool) -> tuple[list[str], list[str]]:
        """The kernel's command line for the next boot, and those of the guests that remain which it chooses;
        `again`: some ran in the boots before.
        """
        plan = self._plan
        forward = plan.order in _IN_CATALOGUE_ORDER
        words = []
        portion = list(self._remaining)
        if self._after is not None or (again and not forward) or len(plan.patterns) > LONGEST_VALUE:
            # The kernel reverses each portion, and so the last of them must come first.
            step = -1 if plan.order == "reverse" else 1
            patterns, portion = _portion(portion[::step], plan.catalogue)
            words.append("guests=" + ",".join(patterns[::step]))
        else:
            if plan.patterns:
                words.append(f"guests={plan.patterns}")
            if again:
                words.append(f"from={self._remaining[0]}")
        if plan.order:
            words.append(f"order={plan.order}")
        if plan.verbose:
            words.append("verbose")
        return words, portion

    def _boot(self, number: int, words: list[str]) -> BootReport:
        made = self._site.make_image(self._site.build, words) if self._machine.takes_image else Path()
        name = f"{self._machine.identity.name}-{self._processors}p-{number}"
        report = BootReport(name, self._processors, self._site.recordings / f"{name}.bin")
        reader, collector = Reader(), Collector()
        started = time.monotonic()
        boot = self._machine.boot(made, self._processors, self._site.limits)
        with _opened(report.recording) as recording, boot:
            self._current = boot
            for chunk in iter(()) if self._aborted.is_set() else iter(boot):
                _keep(recording, chunk)
                report.bytes += len(chunk)
                for event in reader.feed(chunk):
                    self._take(report, collector, event, time.monotonic() - started)
                if collector.stop is not None:
                    boot.farewell()
        self._current = None
        if self._aborted.is_set():
            return report
        for event in reader.finish():
            self._take(report, collector, event, time.monotonic() - started)
        report.ending = boot.ending
        report.seconds = time.monotonic() - started
        for run in collector.finish(_death(report.ending)):
            report.died_at = run.guest
            self._complete(report, run)
        report.header, report.stop, report.trouble = collector.header, collector.stop, collector.trouble
        return report

    def _take(self, report: BootReport, collector: Collector, event: Event, now: float) -> None:
        if isinstance(event, Header) and not report.first_record:
            report.first_record = now
            self.sends.set()
        if isinstance(event, Exit):
            report.first_exit = report.first_exit or now
            report.last_exit = now
            report.exits += 1
            report.exit_bytes += event.size
        runs = list(collector.feed(event))
        guest = collector.current or (runs[-1].guest if runs else "")
        if not guest or guest in self._own:
            self._queue.put(Seen(event, guest))
        for run in runs:
            self._complete(report, run)

    def _complete(self, report: BootReport, run: GuestRun) -> None:
        """Hands on the run of a guest that belongs to this chain; the kernel skips those that belong to
        another.
        """
        report.guests += 1
        if run.guest in self._remaining:
            self._remaining.remove(run.guest)
            self._queue.put(run)

    def _give_up(self, death: str = "", missing: str = "", guests: Sequence[str] | None = None) -> None:
        """Those of the guests that remain (by default all of them) will not be run any more."""
        for guest in list(self._remaining):
            if guests is None or guest in guests:
                self._remaining.remove(guest)
                self._queue.put(GuestRun(guest, death=death, missing=missing))

"""What the command line and the pytest plugin have in common: the options that choose a machine and guests,
and the way from there to verdicts.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import machines
from harness.boots import BootReport, Happening, Plan, Planned, Session, Site
from harness.deviations import load_deviations
from harness.guests import Guest, load_guests, matches
from harness.machines import Limits, Machine
from harness.runs import GuestRun
from harness.tables import PROJECT
from harness.verdicts import Judge, Status, Verdict

BUILD = PROJECT / "build"
RECORDINGS = BUILD / "recordings"
TRACES = PROJECT / "tests/expected"
DEVIATIONS = PROJECT / "tests/deviations"
# As in src/arch/x86_64/processor.h.
PROCESSOR_LIMIT = 16


class SelectionError(Exception):
    """No guest is called so; says which ones have a similar name."""


@dataclass(frozen=True)
class Options:
    """What a person may choose. Empty and 0: the default."""

    machine: str = "bochs"
    model: str = ""
    processors: int = 0
    bochs: str = "bochs-bin"
    qemu: str = "qemu-system-x86_64"
    guest: str = ""
    order: str = ""
    time_limit: float = Limits.overall

    @property
    def repeat(self) -> str:
        """What to add to a make command, to have the same machine again."""
        defaults = Options()
        return " ".join(
            f"{name.upper()}={getattr(self, name)}"
            for name in ("machine", "model", "processors", "bochs", "qemu")
            if getattr(self, name) != getattr(defaults, name)
        )

    def choose_machine(self) -> Machine:
        """The machine, checked. Raises MachineError."""
        return machines.choose(
            self.machine, model=self.model, bochs=self.bochs, qemu=self.qemu, runs=BUILD / "runs"
        )


# The options as the command line and pytest take them: name, default, help.
ARGUMENTS = (
    ("--machine", "bochs", "bochs, qemu, qemu-tcg or serial:DEVICE"),
    ("--model", "", "the processor model; an unknown one lists them all"),
    ("--processors", "", "how many processors; default: what the guests need"),
    ("--bochs", "bochs-bin", "another Bochs"),
    ("--qemu", "qemu-system-x86_64", "another QEMU"),
    ("--guest", "", "which guests: names or patterns, separated by commas"),
    ("--order", "", "in which order: forward, reverse or shuffle:SEED"),
    ("--time-limit", str(Limits.overall), "how many seconds a boot may take"),
)


def options(values: dict[str, str]) -> Options:
    """Options from the values of ARGUMENTS, by name without dashes. Raises SelectionError for one that is no
    number, or too great a one.
    """
    try:
        processors = int(values["processors"] or 0)
        time_limit = float(values["time_limit"])
        if processors < 0 or time_limit <= 0:
            raise ValueError
    except ValueError:
        raise SelectionError("--processors and --time-limit must be numbers, and not negative") from None
    if processors > PROCESSOR_LIMIT:
        raise SelectionError(f"--processors {processors}: the kernel starts at most {PROCESSOR_LIMIT}")
    texts = {name: values[name] for name in ("machine", "model", "bochs", "qemu", "guest", "order")}
    return Options(processors=processors, time_limit=time_limit, **texts)


def select(guests: Iterable[Guest], patterns: str) -> list[Guest]:
    """The guests that match one of the patterns (all where the text is empty), in their order. Raises
    SelectionError where a pattern matches none.
    """
    everything = list(guests)
    wanted = _patterns(patterns)
    for pattern in wanted:
        if not any(matches(guest.name, pattern) for guest in everything):
            names = {guest.name for guest in everything} | {guest.file for guest in everything}
            near = difflib.get_close_matches(pattern, sorted(names), n=5, cutoff=0.4)
            advice = f"; near to it: {', '.join(near)}" if near else "; `python3 -m harness list` shows all"
            raise SelectionError(f"no guest matches {pattern!r}{advice}")
    return [
        guest for guest in everything if not wanted or any(matches(guest.name, pattern) for pattern in wanted)
    ]


def _patterns(text: str) -> list[str]:
    """The patterns that stand in a text, separated by commas. Raises SelectionError where it has none, but
    is not empty.
    """
    patterns = [pattern.strip() for pattern in text.split(",") if pattern.strip()]
    if text and not patterns:
        raise SelectionError(f"{text!r} names no guest: write names or patterns, separated by commas")
    return patterns


def with_guests(chosen: Options, patterns: str) -> Options:
    """The same options with other patterns."""
    return dataclasses.replace(chosen, guest=patterns)


def plan(guests: Iterable[Guest], chosen: Options, catalogue: Iterable[str] = ()) -> Plan:
    """The plan to run these guests, which `chosen.guest` selects, as chosen. `catalogue` are the names of all
    guests that there are.
    """
    selected = [Planned(guest.name, guest.processors) for guest in guests]
    patterns = ",".join(_patterns(chosen.guest))
    return Plan(
        selected,
        patterns=patterns,
        processors=chosen.processors,
        order=chosen.order,
        catalogue=list(catalogue),
    )


class Job:
    """One session of boots on one machine, judged as it goes on: start it, iterate, close it."""

    def __init__(self, machine: Machine, guests: Sequence[Guest], chosen: Options) -> None:
        self.machine = machine
        self.verdicts: list[Verdict] = []
        self.reports: list[BootReport] = []
        self._guests = {guest.name: guest for guest in guests}
        deviations = load_deviations(DEVIATIONS / f"{machine.identity.name}.toml")
        self._judge = Judge(TRACES, machine.identity, deviations, chosen.repeat)
        site = Site(BUILD, RECORDINGS, Limits(overall=chosen.time_limit))
        self._session = Session(machine, plan(guests, chosen, all_guests()), site)

    def start(self) -> None:
        self._session.start()

    def close(self) -> None:
        self._session.close()

    def happenings(self) -> Iterator[Happening | Verdict]:
        """What happens, live. After each GuestRun comes its verdict."""
        for happening in self._session.happenings():
            yield happening
            if isinstance(happening, BootReport):
                self.reports.append(happening)
            elif isinstance(happening, GuestRun):
                verdict = self._judge.judge(happening, self._guests[happening.guest])
                self.verdicts.append(verdict)
                yield verdict

    @property
    def problems(self) -> list[str]:
        """What was wrong with boots as a whole, and is no guest's fault."""
        return [f"{report.name}: {report.problem}" for report in self.reports if report.problem]

    @property
    def is_good(self) -> bool:
        """Whether all is as it should be."""
        return not self.problems and all(verdict.status.is_good for verdict in self.verdicts)


def all_guests() -> Mapping[str, Guest]:
    """Every guest of the catalogue. Raises GuestError."""
    return guests_of(BUILD)


@functools.cache
def guests_of(build: Path) -> Mapping[str, Guest]:
    """The guests of a build folder, by name; read once. Raises GuestError."""
    return load_guests(build / "guests")


def counts(verdicts: Iterable[Verdict]) -> str:
    """`12 PASS, 1 FAIL`: how many verdicts of each kind there are."""
    found = [verdict.status for verdict in verdicts]
    return ", ".join(f"{found.count(status)} {status.value}" for status in Status if status in found)

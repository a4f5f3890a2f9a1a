"""The command line, `python3 -m harness COMMAND`: what `make run`, `make log`, `make bless` and others
call.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness import bench, jobs, new_guest
from harness.blessing import BlessError, Run, bless
from harness.boots import Happening, RecordingError, Seen
from harness.deviations import DeviationError
from harness.display import Log
from harness.expected import TraceError, load_trace, trace_path
from harness.guests import Guest, GuestError
from harness.iso import ImageError
from harness.machines import MachineError
from harness.records import Catalogue, Header, read_records
from harness.runs import Collector, GuestRun
from harness.tables import PROJECT, TableError
from harness.verdicts import Status, Verdict

_CHUNK = 65536
_DETAILS = "print registers and controls too"
# What a person can have done wrong; shown without a traceback.
_MISUSE = (
    BlessError,
    DeviationError,
    GuestError,
    ImageError,
    MachineError,
    RecordingError,
    TableError,
    TraceError,
    jobs.SelectionError,
    new_guest.NewGuestError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, 1 when a guest did not do what it should, 2 for
    misuse.
    """
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    # To be told to end is the same as to be interrupted: machines are ended, and files removed.
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return command(parsed)
    except _MISUSE as error:
        print(f"harness: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads any more: Python's own complaint about it would reach nobody
        return 1
    except OSError as error:
        # No room on the disk, mostly; a folder that may not be written; a file where a folder must be.
        print(
            f"harness: {error.filename or 'a file'}: {error.strerror}: see to that, and run again",
            file=sys.stderr,
        )
        return 2
    finally:
        signal.signal(signal.SIGTERM, former)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m harness", description="Runs and inspects micro-guests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    for name, command, text in (
        ("run", _run, "boot the machine and print every exit while it runs"),
        ("bless", _bless, "write the expected traces of guests from a run"),
        ("bench", _bench, "measure a run"),
    ):
        machine = add(name, command, text)
        for option, default, meaning in jobs.ARGUMENTS:
            machine.add_argument(option, default=default, help=meaning)
        if name == "run":
            machine.add_argument("--details", action="store_true", help=_DETAILS)
    log = add("log", _log, "print recordings again, decoded: the last session's, or those that are named")
    log.add_argument("recordings", nargs="*", type=Path, metavar="FILE")
    log.add_argument("--guest", default="", help="only these guests: names or patterns, separated by commas")
    log.add_argument("--details", action="store_true", help=_DETAILS)
    listing = add("list", _list, "list the guests of the catalogue")
    listing.add_argument(
        "--guest", default="", help="only these guests: names or patterns, separated by commas"
    )
    new = add("new-guest", _new_guest, "start a new micro-guest")
    for option in ("--name", "--reason", "--mode"):
        new.add_argument(option, required=True)
    return parser


def _options(parsed: argparse.Namespace) -> jobs.Options:
    names = [name.removeprefix("--").replace("-", "_") for name, _, _ in jobs.ARGUMENTS]
    return jobs.options({name: getattr(parsed, name) for name in names})


def _job(parsed: argparse.Namespace) -> tuple[jobs.Job, list[Guest]]:
    chosen = _options(parsed)
    guests = jobs.select(jobs.all_guests().values(), chosen.guest)
    return jobs.Job(chosen.choose_machine(), guests, chosen), guests


def _follow(job: jobs.Job, show: Callable[[Happening | Verdict], None]) -> None:
    """Runs a job to its end, and shows what happens."""
    try:
        job.start()
        for happening in job.happenings():
            show(happening)
    finally:
        job.close()


def _run(parsed: argparse.Namespace) -> int:
    job, guests = _job(parsed)
    log = Log(sys.stdout, {guest.name: guest for guest in guests}, parsed.details)

    def show(happening: Happening | Verdict) -> None:
        if isinstance(happening, Seen):
            log.event(happening.event)
        elif isinstance(happening, Verdict) and happening.status is not Status.SKIP:
            print(f"  {happening.status.value:<5} ({len(job.verdicts)} of {len(guests)})", flush=True)

    print(f"machine: {job.machine.identity}", flush=True)
    _follow(job, show)
    _summarize(job)
    return 0 if job.is_good else 1


def _summarize(job: jobs.Job) -> None:
    """What to look into, and the counts."""
    for verdict in job.verdicts:
        if not verdict.status.is_good:
            print(f"\n{verdict.status.value} {verdict.guest}\n{verdict.display}")
    for status in (Status.XFAIL, Status.SKIP):
        for why, names in _grouped(job.verdicts, status).items():
            print(f"{status.value} {_few(names)}: {why}")
    for problem in job.problems:
        print(f"ERROR {problem}")
    print(f"{len(job.verdicts)} guests: {jobs.counts(job.verdicts)}")


def _grouped(verdicts: Iterable[Verdict], status: Status) -> dict[str, list[str]]:
    """The guests with one verdict by the reason for it: a machine without VMX gives the same for all."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.status is status:
            found.setdefault(verdict.why, []).append(verdict.guest)
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} more"


def _log(parsed: argparse.Namespace) -> int:
    paths = parsed.recordings or sorted(jobs.RECORDINGS.glob("*.bin"))
    if not paths:
        raise jobs.SelectionError("there is no recording yet: `make run` makes one")
    guests = jobs.all_guests()
    chosen = {guest.name for guest in jobs.select(guests.values(), parsed.guest)}
    for path in paths:
        _log_one(path, guests, chosen if parsed.guest else None, parsed.details)
    return 0


def _log_one(path: Path, guests: Mapping[str, Guest], chosen: set[str] | None, details: bool) -> None:
    """Prints one recording. With `chosen` only those guests, and nothing of what lies between guests."""
    collector = Collector()
    log = Log(sys.stdout, guests, details)
    try:
        opened = path.open("rb")
    except OSError as error:
        raise jobs.SelectionError(f"{path}: {error.strerror}") from error
    with opened as recording:
        print(f"recording: {path}")
        for event in read_records(iter(lambda: recording.read(_CHUNK), b"")):
            before = collector.current
            runs = [run.guest for run in collector.feed(event)]
            guest = collector.current or (runs[-1] if runs else before)
            if chosen is None or guest in chosen or isinstance(event, (Header, Catalogue)):
                log.event(event)


def _list(parsed: argparse.Namespace) -> int:
    guests = jobs.select(jobs.all_guests().values(), parsed.guest)
    width = max(len(guest.name) for guest in guests)
    for guest in guests:
        print(f"{guest.name:<{width}}  {guest.mode.name:<8}  {guest.reason.name}")
    return 0


def _new_guest(parsed: argparse.Namespace) -> int:
    for path in new_guest.create(PROJECT, parsed.name, parsed.reason, parsed.mode):
        print(f"wrote {path.relative_to(PROJECT)}")
    print(new_guest.next_steps(parsed.name))
    return 0


def _bless(parsed: argparse.Namespace) -> int:
    if not parsed.guest:
        raise jobs.SelectionError("say which guests are to be blessed: GUEST=name")
    job, guests = _job(parsed)
    runs: dict[str, GuestRun] = {}

    def keep(happening: Happening | Verdict) -> None:
        if isinstance(happening, GuestRun):
            runs[happening.guest] = happening

    _follow(job, keep)
    refused = 0
    for guest in guests:
        try:
            _bless_one(guest, runs[guest.name])
        except (BlessError, TraceError) as error:
            print(error, file=sys.stderr)
            refused += 1
    return 1 if refused else 0


def _bless_one(guest: Guest, run: GuestRun) -> None:
    """Writes one guest's part of its trace file; the other parts stay as they are."""
    if wrong := "; ".join([*run.trouble, *filter(None, (run.death, run.missing))]):
        raise BlessError(f"{guest.name}: there is nothing to bless: {wrong}")
    path = trace_path(jobs.TRACES, guest.name)
    existing = load_trace(path) if path.exists() else None
    text = bless(existing, [Run(guest, run.exits, run.end)], run.circumstances)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        print(f"{guest.name}: {path.name} says so already")
        return
    path.write_text(text, encoding="utf-8")
    print(f"{guest.name}: wrote its part of {path.name}: now hold every field against the SDM")


def _bench(parsed: argparse.Namespace) -> int:
    job, _ = _job(parsed)
    _follow(job, lambda happening: None)
    print(f"machine: {job.machine.identity}")
    print("\n".join(bench.report(job.reports)))
    return 0

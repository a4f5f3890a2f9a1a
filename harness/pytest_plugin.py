"""The pytest plugin: one test for each micro-guest, found in the guests' own files, and one for each unit
test in C.

All selected guests are run in the background, from the moment when pytest knows which tests there are; the
other tests run meanwhile, and the guests' tests come last. pyproject.toml loads it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr
from _pytest.terminal import TerminalReporter

from harness import jobs
from harness.deviations import DeviationError
from harness.guests import Guest, GuestError, load_file
from harness.machines import MachineError
from harness.tables import PROJECT
from harness.verdicts import Status, Verdict

_GUESTS = PROJECT / "guests/asm"
_UNIT_TESTS = PROJECT / "tests/unit"
_UNIT_TEST_LIMIT = 120.0
_NICENESS = 10

OPTIONS = pytest.StashKey[jobs.Options]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("exitscope", "the machine that runs the micro-guests")
    for name, default, text in jobs.ARGUMENTS:
        group.addoption(name, default=default, help=text)


def pytest_configure(config: pytest.Config) -> None:
    # To be told to end is the same as to be interrupted: machines are ended, and files removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = [name.removeprefix("--").replace("-", "_") for name, _, _ in jobs.ARGUMENTS]
    try:
        config.stash[OPTIONS] = jobs.options({name: config.getoption(name) for name in names})
    except jobs.SelectionError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".S" and file_path.parent == _GUESTS:
        return GuestFile.from_parent(parent, path=file_path)  # type: ignore[no-any-return]
    if file_path.match("test_*.c") and file_path.parent == _UNIT_TESTS:
        return UnitTestFile.from_parent(parent, path=file_path)  # type: ignore[no-any-return]
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the guests' tests last, leaves only those that --guest asks for, and adds the test of the boots as
    such.
    """
    tests = [item for item in items if isinstance(item, GuestItem)]
    others = [item for item in items if not isinstance(item, GuestItem)]
    # A guest that could not be read is an error already; nothing will be run then.
    if tests and not tests[0].session.testsfailed:
        try:
            chosen = {
                guest.name
                for guest in jobs.select((test.guest for test in tests), config.stash[OPTIONS].guest)
            }
        except jobs.SelectionError as error:
            raise pytest.UsageError(str(error)) from error
        config.hook.pytest_deselected(items=[test for test in tests if test.name not in chosen])
        tests = [test for test in tests if test.name in chosen]
        boots = BootsItem.from_parent(tests[0].session, name="boots")
        items[:] = [*others, *tests, boots]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts the machine."""
    guests = [item.guest for item in session.items if isinstance(item, GuestItem)]
    if not guests or session.config.option.collectonly or session.testsfailed:
        return
    try:
        session.config.stash[BACKGROUND] = background = Background(guests, session.config.stash[OPTIONS])
    except (MachineError, DeviationError, GuestError) as error:
        raise pytest.UsageError(str(error)) from error
    background.start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if background := session.config.stash.get(BACKGROUND, None):
        background.job.close()


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if background := config.stash.get(BACKGROUND, None):
        for line in background.summary():
            terminalreporter.write_line(line)


def step_back() -> None:
    """Leaves the processors to the tests that run meanwhile: the machines that this thread starts inherit its
    niceness.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Background(threading.Thread):
    """Runs the guests, and keeps their verdicts for the tests that ask for them. `whole`: they are the whole
    catalogue.
    """

    def __init__(self, guests: list[Guest], chosen: jobs.Options) -> None:
        super().__init__(name="guests", daemon=True)
        self.whole = len(guests) == len(jobs.all_guests())
        # The kernel gets patterns; a selection by pytest itself (-k, or a test's name) becomes a list of
        # names.
        names = "" if self.whole else ",".join(guest.name for guest in guests)
        self.job = jobs.Job(chosen.choose_machine(), guests, jobs.with_guests(chosen, chosen.guest or names))
        self._verdicts: dict[str, Verdict] = {}
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._over = False

    def run(self) -> None:
        step_back()
        try:
            self.job.start()
            for happening in self.job.happenings():
                if isinstance(happening, Verdict):
                    with self._changed:
                        self._verdicts[happening.guest] = happening
                        self._changed.notify_all()
        except Exception as error:  # it is for the tests that wait
            self._error = error
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def verdict(self, guest: str) -> Verdict:
        """The verdict on a guest: waits for it. The boots have limits, and so this has."""
        with self._changed:
            self._changed.wait_for(lambda: guest in self._verdicts or self._over)
        return self._verdicts.get(guest) or Verdict(
            guest, Status.ERROR, display=f"it was never run: {self._error}"
        )

    def problems(self) -> list[str]:
        """What was wrong with the boots as a whole; waits for their end."""
        self.join()
        return self.job.problems + ([f"{self._error}"] if self._error else [])

    def summary(self) -> Iterator[str]:
        """What ran on which machine, and once more clearly what this machine cannot do at all."""
        yield f"machine: {self.job.machine.identity}; guests: {jobs.counts(self.job.verdicts) or 'none'}"
        for report in self.job.reports:
            if report.stop is not None and report.stop.name not in ("DONE", "PANIC"):
                yield f"{report.name}: the kernel ran no guest: {report.stop}"


class GuestFile(pytest.File):
    """A micro-guest's source file; the guests are read from the ELF file that was built from it."""

    def collect(self) -> Iterator[GuestItem]:
        try:
            guests = load_file(jobs.BUILD / "guests" / f"{self.path.stem}.elf")
        except GuestError as error:
            raise self.CollectError(str(error)) from error
        for guest in guests:
            yield GuestItem.from_parent(self, name=guest.name, guest=guest)


class GuestItem(pytest.Item):
    """The test of one micro-guest."""

    def __init__(self, *, guest: Guest, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.guest = guest

    def setup(self) -> None:
        """What goes wrong here is an error, and not a failure: it is ours."""
        verdict = self.config.stash[BACKGROUND].verdict(self.guest.name)
        if verdict.status is Status.ERROR:
            pytest.fail(verdict.display, pytrace=False)
        if verdict.status is Status.SKIP:
            pytest.skip(verdict.why)
        self.verdict = verdict

    def runtest(self) -> None:
        if self.verdict.status is Status.XFAIL:
            pytest.xfail(self.verdict.why)
        if not self.verdict.status.is_good:
            pytest.fail(self.verdict.display, pytrace=False)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """A known deviation needs no trace through our own code, and a trace takes long to make."""
        if isinstance(excinfo.value, pytest.xfail.Exception):
            return self.verdict.why
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.guest.name


class BootsItem(pytest.Item):
    """The test of the boots themselves: each ended as it should, and lost nothing outside the run of any
    guest.
    """

    def setup(self) -> None:
        if problems := self.config.stash[BACKGROUND].problems():
            pytest.fail("\n".join(problems), pytrace=False)

    def runtest(self) -> None:
        pass

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return _GUESTS, None, self.name


class UnitTestFile(pytest.File):
    """A unit test in C: a program that the Makefile has built."""

    def collect(self) -> Iterator[UnitTestItem]:
        yield UnitTestItem.from_parent(self, name=self.path.stem)


class UnitTestItem(pytest.Item):
    """Runs the program; cmocka's own output says which test of it failed."""

    def runtest(self) -> None:
        program = jobs.BUILD / "unit" / self.name
        if not program.exists():
            pytest.fail(f"{program} is missing: run make", pytrace=False)
        done = subprocess.run(
            [program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_UNIT_TEST_LIMIT,
            check=False,
        )
        if done.returncode != 0:
            output = done.stdout.decode(errors="replace")
            pytest.fail(f"{program} ended with status {done.returncode}\n{output}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


BACKGROUND = pytest.StashKey[Background]()

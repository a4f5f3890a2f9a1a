"""Boots that tests ask for beside that of the catalogue: they run in the background, from the moment when
pytest knows that a test needs them, and the tests that use them come last.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import jobs
from harness.boots import BootReport, Session, Site
from harness.machines import Limits, choose
from harness.pytest_plugin import BACKGROUND, OPTIONS
from harness.records import read_records
from harness.runs import Collector, GuestRun
from harness.tables import PROJECT

# As they are before any test replaces them: the boots run meanwhile.
BUILD = jobs.BUILD
# A guest that never exits is ended by the kernel long before this.
LIMITS = Limits(overall=60.0)
# Paged by 4-level, PAE and 32-bit tables; and one that cannot run without EPT.
WITHOUT_EPT = ("cpuid", "ud2.long64", "ud2.pae32", "ud2.paged32", "ud2.real16", "ept_read.nothing")


@dataclasses.dataclass(frozen=True)
class Booted:
    """What came of a session of boots: the runs of its guests by name, in the order in which they ended."""

    runs: dict[str, GuestRun]
    reports: list[BootReport]


def boot(options: jobs.Options, site: Site) -> Booted:
    """Runs the guests of a build folder that need no second processor, on the machine of these options."""
    machine = choose(
        options.machine,
        model=options.model,
        bochs=options.bochs,
        qemu=options.qemu,
        runs=site.recordings / "runs",
    )
    if not machine.takes_image:
        pytest.skip(f"{machine.identity} boots no image of ours")
    guests = [guest for guest in jobs.guests_of(site.build).values() if guest.processors == 1]
    session = Session(machine, jobs.plan(guests, options), site)
    runs: dict[str, GuestRun] = {}
    reports: list[BootReport] = []
    session.start()
    try:
        for happening in session.happenings():
            if isinstance(happening, GuestRun):
                runs[happening.guest] = happening
            elif isinstance(happening, BootReport):
                reports.append(happening)
    finally:
        session.close()
    return Booted(runs, reports)


def _in_order(order: str) -> Callable[[jobs.Options, Path], Booted]:
    """Boots the whole catalogue, in this order."""

    def start(options: jobs.Options, folder: Path) -> Booted:
        return boot(dataclasses.replace(options, order=order, guest=""), Site(BUILD, folder, LIMITS))

    return start


def _unruly(options: jobs.Options, folder: Path) -> Booted:
    """Boots the guests of tests/guests, which crash the kernel and worse."""
    everything = dataclasses.replace(options, order="", guest="")
    return boot(everything, Site(BUILD / "unruly", folder, LIMITS))


def _without_ept(options: jobs.Options, folder: Path) -> Booted:
    """Boots a few guests on a processor model that has neither EPT nor a VMX-preemption timer."""
    few = jobs.Options(bochs=options.bochs, model="bx_generic", guest=",".join(WITHOUT_EPT))
    return boot(few, Site(BUILD, folder, LIMITS))


def _for_people(options: jobs.Options, folder: Path) -> Booted:
    """Boots the image with the boot menu, on a machine that has no VMX. The menu does not wait: an emulator
    takes all of a processor to wait.
    """
    menu = (PROJECT / "grub.cfg").read_bytes()
    waiting, hurried = b"\nset timeout=3\n", b"\nset timeout=0\n"
    image = (BUILD / "exitscope.iso").read_bytes()
    assert waiting in menu and image.count(menu) == 1
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "exitscope.iso"
    copy.write_bytes(image.replace(menu, menu.replace(waiting, hurried)))
    site = Site(BUILD, folder, LIMITS, make_image=lambda build, words: copy)
    return boot(jobs.Options(machine="qemu-tcg", qemu=options.qemu), site)


# The fixtures, and what each of them boots.
_BOOTS: dict[str, Callable[[jobs.Options, Path], Booted]] = {
    "unruly_guests": _unruly,
    "image_for_people": _for_people,
    "without_ept": _without_ept,
    "in_order": _in_order(""),
    "in_order_again": _in_order(""),
    "reversed_order": _in_order("reverse"),
    "shuffled_order": _in_order("shuffle:20241"),
}
_started = pytest.StashKey[dict[str, Future[Booted]]]()
_pool = pytest.StashKey[ThreadPoolExecutor]()
_folder = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def _needs(item: pytest.Item) -> list[str]:
    return [name for name in getattr(item, "fixturenames", ()) if name in _BOOTS]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: bool(_needs(item)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = {name for item in session.items for name in _needs(item)}
    if _catalogue_is_booted(session.config):
        wanted.discard("in_order")
    if not wanted or session.config.option.collectonly or session.testsfailed:
        return
    pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="boots", initializer=_step_back)
    options = session.config.stash[OPTIONS]
    session.config.stash[_folder] = folder = tempfile.TemporaryDirectory(prefix="exitscope-")
    session.config.stash[_started] = {
        name: pool.submit(start, options, Path(folder.name) / name)
        for name, start in _BOOTS.items()
        if name in wanted
    }
    session.config.stash[_pool] = pool


def _step_back() -> None:
    """Leaves the processors to the tests that run meanwhile: a thread's machines inherit its niceness."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if pool := session.config.stash.get(_pool, None):
        pool.shutdown(cancel_futures=True)
        session.config.stash[_folder].cleanup()


def _catalogue_is_booted(config: pytest.Config) -> bool:
    """Whether the guests' own tests run the whole catalogue in its order."""
    background = config.stash.get(BACKGROUND, None)
    return background is not None and background.whole and not config.stash[OPTIONS].order


def _catalogue(config: pytest.Config) -> Booted:
    """What the guests' own tests have recorded with one processor."""
    background = config.stash[BACKGROUND]
    background.join()
    reports = [report for report in background.job.reports if report.processors == 1]
    runs = {}
    for report in reports:
        collector = Collector()
        for event in read_records([report.recording.read_bytes()]):
            runs |= {run.guest: run for run in collector.feed(event)}
    selected = [guest.name for guest in jobs.all_guests().values() if guest.processors == 1]
    return Booted({name: runs[name] for name in selected}, reports)


@pytest.fixture(scope="session")
def in_order(request: pytest.FixtureRequest) -> Booted:
    """The whole catalogue in its own order."""
    if _catalogue_is_booted(request.config):
        return _catalogue(request.config)
    return request.config.stash[_started]["in_order"].result()


def _fixture(name: str) -> Callable[[pytest.FixtureRequest], Booted]:
    @pytest.fixture(scope="session", name=name)
    def result(request: pytest.FixtureRequest) -> Booted:
        return request.config.stash[_started][name].result()

    return result


unruly_guests = _fixture("unruly_guests")
image_for_people = _fixture("image_for_people")
without_ept = _fixture("without_ept")
in_order_again = _fixture("in_order_again")
reversed_order = _fixture("reversed_order")
shuffled_order = _fixture("shuffled_order")

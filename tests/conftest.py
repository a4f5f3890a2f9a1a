"""What runs in the background, from the moment when pytest knows its tests: boots that tests ask for beside
that of the catalogue (those tests come last), and tests marked `ahead`, which only wait for other programs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from harness import jobs
from harness.boots import BootReport, Session, Site
from harness.iso import image
from harness.machines import Limits, choose
from harness.pytest_plugin import BACKGROUND, OPTIONS, step_back
from harness.records import read_records
from harness.runs import Collector, GuestRun
from harness.tables import PROJECT

# What hypothesis found once is kept as a test of its own, not in a database beside the tests.
settings.register_profile("exitscope", database=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))
settings.load_profile("exitscope")

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


def _kept(name: str, boots: Callable[[jobs.Options, Path], Booted]) -> Callable[[jobs.Options, Path], Booted]:
    """Boots, unless a session before has kept the recording of the very same image on the very same
    machine: a boot takes long, and gives the same bytes again (which is a test, too).
    """

    def start(options: jobs.Options, folder: Path) -> Booted:
        kept = BUILD / "kept-recordings" / _same_image_and_machine(options)
        recording = kept / f"{name}.bin"
        if not recording.exists():
            booted = boots(options, folder)
            if len(booted.reports) != 1 or booted.reports[0].problem:
                return booted
            for old in kept.parent.glob("*"):
                if old != kept:
                    shutil.rmtree(old, ignore_errors=True)
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(booted.reports[0].recording, recording.with_suffix(".new"))
            recording.with_suffix(".new").rename(recording)
        report = BootReport(recording.stem, 1, recording)
        return Booted(_runs([report]), [report])

    return start


def _runs(reports: list[BootReport]) -> dict[str, GuestRun]:
    """The runs of the guests that need no second processor, from kept recordings, in the order of the run."""
    own = {guest.name for guest in jobs.all_guests().values() if guest.processors == 1}
    runs = {}
    for report in reports:
        collector = Collector()
        for event in read_records([report.recording.read_bytes()]):
            runs |= {run.guest: run for run in collector.feed(event) if run.guest in own}
    return runs


def _same_image_and_machine(options: jobs.Options) -> str:
    """A digest of all that a recording depends on: the image, the emulator, and how the harness starts it."""
    emulator = Path(shutil.which(options.bochs) or options.bochs)
    changed = emulator.stat().st_mtime_ns if emulator.exists() else 0
    facts = [image(BUILD, []).name, options.machine, options.model, str(emulator), str(changed)]
    facts += [path.read_text() for path in sorted((PROJECT / "harness/machines").glob("*.py"))]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:20]


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
    content = (BUILD / "exitscope.iso").read_bytes()
    assert waiting in menu and content.count(menu) == 1
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "exitscope.iso"
    copy.write_bytes(content.replace(menu, menu.replace(waiting, hurried)))
    site = Site(BUILD, folder, LIMITS, make_image=lambda build, words: copy)
    return boot(jobs.Options(machine="qemu-tcg", qemu=options.qemu), site)


# The fixtures, and what each of them boots.
_BOOTS: dict[str, Callable[[jobs.Options, Path], Booted]] = {
    "unruly_guests": _unruly,
    "image_for_people": _for_people,
    "without_ept": _kept("without-ept", _without_ept),
    "in_order": _in_order(""),
    "in_order_again": _kept("forward", _in_order("")),
    "reversed_order": _kept("reverse", _in_order("reverse")),
    "shuffled_order": _kept("shuffle", _in_order("shuffle:20241")),
}
_ahead = pytest.StashKey[dict[str, Future[None]]]()
_started = pytest.StashKey[dict[str, Future[Booted]]]()
_ahead_pool = pytest.StashKey[ThreadPoolExecutor]()
_pool = pytest.StashKey[ThreadPoolExecutor]()
_folder = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def _needs(item: pytest.Item) -> list[str]:
    return [name for name in getattr(item, "fixturenames", ()) if name in _BOOTS]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: bool(_needs(item)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_ahead] = {}
    if session.config.option.collectonly or session.testsfailed:
        return
    _start_marked_tests(session)
    _start_boots(session)


def _start_marked_tests(session: pytest.Session) -> None:
    """One after another, in their order: they may build on each other."""
    marked = [item for item in session.items if item.get_closest_marker("ahead")]
    if marked:
        session.config.stash[_ahead_pool] = pool = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="ahead"
        )
        for item in marked:
            assert isinstance(item, pytest.Function)
            session.config.stash[_ahead][item.nodeid] = pool.submit(item.obj)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    future = pyfuncitem.config.stash[_ahead].get(pyfuncitem.nodeid)
    if future is None:
        return None
    future.result()
    return True


def _start_boots(session: pytest.Session) -> None:
    wanted = {name for item in session.items for name in _needs(item)}
    if _catalogue_is_booted(session.config):
        wanted.discard("in_order")
    if not wanted:
        return
    pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="boots", initializer=step_back)
    options = session.config.stash[OPTIONS]
    session.config.stash[_folder] = folder = tempfile.TemporaryDirectory(prefix="exitscope-")
    session.config.stash[_started] = {
        name: pool.submit(start, options, Path(folder.name) / name)
        for name, start in _BOOTS.items()
        if name in wanted
    }
    session.config.stash[_pool] = pool


def pytest_sessionfinish(session: pytest.Session) -> None:
    if pool := session.config.stash.get(_ahead_pool, None):
        pool.shutdown(cancel_futures=True)
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
    return Booted(_runs(reports), reports)


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

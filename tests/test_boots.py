"""Boots and runs: how the guests of a plan come to their runs, whatever the kernel and the machine do
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from harness import boots
from harness.boots import BootReport, Plan, Planned, RecordingError, Seen, Session, Site
from harness.machines import Ending, EndKind, Limits, MachineError
from harness.records import Exit, read_records
from harness.runs import Collector, GuestRun
from harness.tables import PROJECT
from tests.fakes import FakeMachine, Recording

CATALOGUE = ["alpha", "beta", "gamma", "delta"]
DIED = Ending(EndKind.DIED, "the emulator crashed")
Kernel = Callable[[list[str], int], Iterator[bytes]]


def no_image(build: Path, words: list[str]) -> Path:
    """Instead of an image, the fake machine gets a path whose name is the kernel's command line."""
    return Path(" ".join(words) or " ")


def site(folder: Path) -> Site:
    return Site(folder, folder, make_image=no_image)


def chosen(words: Sequence[str]) -> list[str]:
    """What a kernel runs by its command line; like ours, as far as these tests need it."""
    options = dict(word.partition("=")[::2] for word in words)
    guests = options["guests"].split(",") if options.get("guests") else list(CATALOGUE)
    if "from" in options:
        guests = guests[guests.index(options["from"]) :]
    return guests[::-1] if options.get("order") == "reverse" else guests


def kernel(dies_at: Sequence[str] = (), ending: Ending | None = DIED, panics: bool = False) -> Kernel:
    """A kernel that runs the chosen guests, with one exit each, and dies at some of them."""

    def run(words: list[str], processors: int) -> Iterator[bytes]:
        recording = Recording()
        yield recording.text("GRUB") + recording.record("HEADER", guests=len(CATALOGUE))
        for guest in chosen(words):
            index = CATALOGUE.index(guest)
            yield recording.begin(index, guest)
            yield recording.record("EXIT", number=0, reason=10)
            if guest in dies_at:
                if panics:
                    yield recording.record("PANIC", message="page fault")
                    yield recording.stop("PANIC")
                    return None
                return ending
            yield recording.end(index, exits=1)
        yield recording.stop()
        return None

    return run


def session(machine: FakeMachine, tmp_path: Path, plan: Plan) -> tuple[dict[str, GuestRun], list[BootReport]]:
    """Runs a plan to its end. A guest must not have two runs."""
    runs: dict[str, GuestRun] = {}
    reports = []
    running = Session(machine, plan, site(tmp_path))
    running.start()
    for happening in running.happenings():
        if isinstance(happening, GuestRun):
            assert happening.guest not in runs
            runs[happening.guest] = happening
        elif isinstance(happening, BootReport):
            reports.append(happening)
    running.close()
    return runs, reports


def plan(*guests: str, order: str = "", patterns: str = "") -> Plan:
    return Plan([Planned(guest) for guest in guests or CATALOGUE], order=order, patterns=patterns)


def test_one_boot_for_all(tmp_path: Path) -> None:
    machine = FakeMachine(kernel())
    runs, reports = session(machine, tmp_path, plan())
    assert list(runs) == CATALOGUE
    assert all(run.end and len(run.exits) == 1 and not run.death and not run.trouble for run in runs.values())
    assert machine.boots == [([], 1)]
    assert [report.problem for report in reports] == [""]
    assert (reports[0].guests, reports[0].exits) == (4, 4)


def test_the_recording_is_kept_byte_for_byte(tmp_path: Path) -> None:
    _, reports = session(FakeMachine(kernel()), tmp_path, plan())
    assert reports[0].recording.read_bytes() == b"".join(kernel()([], 1))


def test_recordings_of_the_session_before_are_removed(tmp_path: Path) -> None:
    session(FakeMachine(kernel(), "old"), tmp_path, plan())
    session(FakeMachine(kernel(), "new"), tmp_path, plan())
    assert [path.name for path in tmp_path.glob("*.bin")] == ["new-1p-1.bin"]


def test_after_a_crash_the_next_boot_goes_on(tmp_path: Path) -> None:
    machine = FakeMachine(kernel(dies_at=["beta", "delta"]))
    runs, reports = session(machine, tmp_path, plan())
    assert list(runs) == CATALOGUE
    assert [guest for guest, run in runs.items() if run.end] == ["alpha", "gamma"]
    assert runs["beta"].death == "the emulator crashed"
    assert len(runs["beta"].exits) == 1
    assert machine.boots == [([], 1), (["from=gamma"], 1)]
    assert [(report.died_at, report.problem) for report in reports] == [("beta", ""), ("delta", "")]


def test_after_a_crash_in_another_order_the_rest_is_named(tmp_path: Path) -> None:
    machine = FakeMachine(kernel(dies_at=["gamma"]))
    runs, _ = session(machine, tmp_path, plan(order="reverse"))
    assert set(runs) == set(CATALOGUE)
    assert machine.boots == [(["order=reverse"], 1), (["guests=alpha,beta", "order=reverse"], 1)]


def test_what_one_command_line_cannot_name_is_run_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boots, "LONGEST_VALUE", len("alpha,beta"))
    every = ",".join(CATALOGUE)
    machine = FakeMachine(kernel())
    runs, reports = session(machine, tmp_path, plan(patterns=every))
    assert [guest for guest, run in runs.items() if run.end] == CATALOGUE
    assert [words for words, _ in machine.boots] == [
        ["guests=alpha,beta"],
        ["guests=gamma"],
        ["guests=delta"],
    ]
    assert not any(report.problem for report in reports)
    machine = FakeMachine(kernel(dies_at=["gamma"]))
    runs, _ = session(machine, tmp_path, plan(patterns=every, order="reverse"))
    assert list(runs) == ["delta", "gamma", "beta", "alpha"]
    assert [words[0] for words, _ in machine.boots] == [
        "guests=delta",
        "guests=beta,gamma",
        "guests=alpha,beta",
    ]


def test_a_portion_that_leaves_out_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boots, "LONGEST_VALUE", len("alpha,beta"))

    def forgetful(words: list[str], processors: int) -> Iterator[bytes]:
        return kernel()([words[0].removesuffix(",beta")], processors)

    runs, _ = session(FakeMachine(forgetful), tmp_path, plan(patterns=",".join(CATALOGUE)))
    assert [guest for guest, run in runs.items() if run.death] == ["beta"]
    assert list(runs) == CATALOGUE


def test_a_file_stands_for_all_of_its_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boots, "LONGEST_VALUE", 10)

    def idle(words: list[str], processors: int) -> Iterator[bytes]:
        yield Recording().stop()

    machine = FakeMachine(idle)
    names = ["one.a", "one.b", "two.a", "three"]
    selected = [Planned(name) for name in names]
    everything = Plan(selected, patterns=",".join(names), catalogue=[*names, "two.b"])
    session(machine, tmp_path, everything)
    assert machine.boots == [(["guests=one,two.a"], 1)]


def test_the_longest_value_is_the_kernel_s() -> None:
    text = (PROJECT / "src/options.h").read_text()
    assert f"#define OPTION_TEXT_MAX {boots.LONGEST_VALUE + 1}\n" in text


def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    def full(build: Path, words: list[str]) -> Path:
        (tmp_path / "fake-1p-1.bin").symlink_to("/dev/full")
        return no_image(build, words)

    running = Session(FakeMachine(kernel()), plan(), Site(tmp_path, tmp_path, make_image=full))
    running.start()
    with pytest.raises(RecordingError, match="fake-1p-1.bin cannot be written: No space left on device"):
        list(running.happenings())
    running.close()


def test_a_folder_where_a_recording_should_be(tmp_path: Path) -> None:
    (tmp_path / "old.bin").mkdir()
    running = Session(FakeMachine(kernel()), plan(), site(tmp_path))
    with pytest.raises(RecordingError, match="old.bin is in the way"):
        running.start()
    running.close()


def test_a_serial_port_that_fell_silent_is_told_from_a_death(tmp_path: Path) -> None:
    runs, _ = session(FakeMachine(kernel(dies_at=["delta"], ending=None)), tmp_path, plan())
    assert "the serial port fell silent" in runs["delta"].death


def test_a_panic_is_the_guests_death(tmp_path: Path) -> None:
    runs, reports = session(FakeMachine(kernel(dies_at=["beta"], panics=True)), tmp_path, plan())
    assert runs["beta"].death == "the kernel panicked: page fault"
    assert runs["beta"].panic is not None
    assert runs["delta"].end
    assert [(report.died_at, report.problem) for report in reports] == [("beta", ""), ("", "")]


def test_every_guest_dies(tmp_path: Path) -> None:
    machine = FakeMachine(kernel(dies_at=CATALOGUE))
    runs, _ = session(machine, tmp_path, plan())
    assert all(run.death for run in runs.values())
    assert len(machine.boots) == len(CATALOGUE)


@pytest.mark.parametrize("sent", [b"", b"nonsense\r\n", b"\xc0\xc0\xc0", bytes(range(256)) * 4])
def test_a_machine_that_never_begins_a_guest_is_booted_once(sent: bytes, tmp_path: Path) -> None:
    def silent(words: list[str], processors: int) -> Iterator[bytes]:
        yield sent
        return Ending(EndKind.SILENT, "sent nothing for 15 s")

    machine = FakeMachine(silent)
    runs, reports = session(machine, tmp_path, plan())
    assert len(machine.boots) == 1
    assert all("sent nothing for 15 s" in run.death for run in runs.values())
    assert list(runs) == CATALOGUE


def test_a_kernel_that_leaves_out_a_guest(tmp_path: Path) -> None:
    def forgetful(words: list[str], processors: int) -> Iterator[bytes]:
        return kernel()(["guests=alpha,gamma"], processors)

    machine = FakeMachine(forgetful)
    runs, _ = session(machine, tmp_path, plan())
    assert len(machine.boots) == 1
    assert [guest for guest, run in runs.items() if run.death] == ["beta", "delta"]


def test_a_machine_without_vmx(tmp_path: Path) -> None:
    def lacking(words: list[str], processors: int) -> Iterator[bytes]:
        yield b"GRUB\r\nexitscope: stop NO_VMX: CPUID.1:ECX bit 5 is clear\r\n"

    runs, reports = session(FakeMachine(lacking), tmp_path, plan())
    assert {run.missing for run in runs.values()} == {"CPUID.1:ECX bit 5 is clear"}
    assert reports[0].problem == ""


def test_guests_with_more_processors_get_their_own_boot(tmp_path: Path) -> None:
    machine = FakeMachine(kernel())
    two = Plan([Planned("alpha"), Planned("beta", 2), Planned("gamma"), Planned("delta", 2)])
    runs, reports = session(machine, tmp_path, two)
    assert list(runs) == ["alpha", "gamma", "beta", "delta"]
    assert sorted(machine.boots) == [([], 1), (["guests=beta,delta"], 2)]
    assert [report.recording.name for report in reports] == ["fake-1p-1.bin", "fake-2p-1.bin"]


def test_a_wished_number_of_processors_holds_for_all(tmp_path: Path) -> None:
    machine = FakeMachine(kernel())
    session(
        machine, tmp_path, Plan([Planned("alpha"), Planned("beta", 2)], patterns="alpha,beta", processors=3)
    )
    assert machine.boots == [(["guests=alpha,beta"], 3)]


def test_events_come_with_their_guest(tmp_path: Path) -> None:
    running = Session(FakeMachine(kernel()), plan("alpha", patterns="alpha"), site(tmp_path))
    running.start()
    seen = [happening for happening in running.happenings() if isinstance(happening, Seen)]
    assert [event.guest for event in seen if isinstance(event.event, Exit)] == ["alpha"]
    assert seen[0].guest == ""


def test_two_sessions_do_not_share_a_folder(tmp_path: Path) -> None:
    first, second = (
        Session(FakeMachine(kernel()), plan(), Site(tmp_path, tmp_path, Limits(overall=0.05), no_image))
        for _ in range(2)
    )
    first.start()
    with pytest.raises(MachineError, match="another run"):
        second.start()
    first.close()
    second.start()
    second.close()


def test_an_error_in_the_background_reaches_the_caller(tmp_path: Path) -> None:
    class Broken(FakeMachine):
        def boot(self, image: Path, processors: int, limits: Limits) -> None:  # type: ignore[override]
            raise MachineError("no such thing")

    running = Session(Broken(kernel()), plan(), site(tmp_path))
    running.start()
    with pytest.raises(MachineError, match="no such thing"):
        list(running.happenings())


class TestCollector:
    """Recordings that lost something on their way."""

    @staticmethod
    def collect(*parts: bytes) -> tuple[list[GuestRun], Collector]:
        collector = Collector()
        runs = [run for event in read_records(parts) for run in collector.feed(event)]
        return runs + list(collector.finish("the end")), collector

    @staticmethod
    def parts() -> list[bytes]:
        """Two guests: begin, exit, end of each, after a header and the catalogue."""
        recording = Recording()
        return [
            recording.record("HEADER"),
            recording.record("CATALOGUE", index=0, name="one"),
            recording.record("CATALOGUE", index=1, name="two"),
            recording.begin(0, "one"),
            recording.record("EXIT"),
            recording.end(0, exits=1),
            recording.begin(1, "two"),
            recording.record("EXIT"),
            recording.end(1, exits=1),
            recording.stop(),
        ]

    def test_whole(self) -> None:
        runs, collector = self.collect(*self.parts())
        assert [(run.guest, len(run.exits), run.trouble) for run in runs] == [("one", 1, []), ("two", 1, [])]
        assert str(collector.stop) == "DONE"

    @pytest.mark.parametrize("lost", range(3, 9))
    def test_one_record_lost(self, lost: int) -> None:
        parts = self.parts()
        del parts[lost]
        runs, collector = self.collect(*parts)
        assert [run.guest for run in runs] == ["one", "two"]
        assert any(run.trouble or run.death for run in runs) or collector.trouble

    @pytest.mark.parametrize("flipped", range(3, 9))
    def test_one_record_damaged(self, flipped: int) -> None:
        parts = self.parts()
        parts[flipped] = parts[flipped][:4] + bytes([parts[flipped][4] ^ 1]) + parts[flipped][5:]
        runs, collector = self.collect(*parts)
        assert [run.guest for run in runs] == ["one", "two"]
        assert any("damaged" in trouble for run in runs for trouble in run.trouble + [run.death]) or any(
            "damaged" in trouble for trouble in collector.trouble
        )

    @pytest.mark.parametrize("repeated", range(3, 9))
    def test_one_record_repeated(self, repeated: int) -> None:
        parts = self.parts()
        parts.insert(repeated, parts[repeated])
        runs, collector = self.collect(*parts)
        assert any(run.trouble for run in runs) or collector.trouble

    def test_a_reset_in_the_middle(self) -> None:
        runs, _ = self.collect(*self.parts()[:5], *self.parts())
        assert [(run.guest, run.death) for run in runs] == [
            ("one", "the machine was reset while it ran"),
            ("one", ""),
            ("two", ""),
        ]

    def test_console_text_belongs_to_its_guest(self) -> None:
        parts = self.parts()
        parts.insert(4, b"hello\r\n")
        runs, _ = self.collect(*parts)
        assert [run.console for run in runs] == [["hello"], []]

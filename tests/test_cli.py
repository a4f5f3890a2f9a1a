"""The command line, on a machine that only seems to be one: what it prints, and its exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import jobs
from harness.cli import main
from harness.guests import Guest
from harness.tables import PROJECT
from tests.fakes import FakeMachine, Recording
from tests.samples import assemble_sample, exit_item, exit_port

TRACE = """\
[sample]
section "Instructions That Cause VM Exits Unconditionally"
CPUID      first   `cpuid`         length=2
CR_ACCESS  second  `mov cr0, rax`  length=3 qualification={control_register=CR0 access=mov_to_cr register=RAX}
end EXIT_PORT
"""


class FakeHardware(FakeMachine):
    """Boots no image of ours, so that none needs to be made."""

    takes_image = False


class Workbench:
    """A build folder with the sample guest, and a machine that runs it; it makes so many `exits`, and
    `length` is what it says of the second."""

    def __init__(self, folder: Path, guest: Guest) -> None:
        self.folder = folder
        self.guest = guest
        self.exits = 3
        self.length = 3
        self.trace = folder / "sample.trace"
        self.trace.write_text(TRACE)

    def kernel(self, words: list[str], processors: int) -> Iterator[bytes]:
        recording = Recording()
        first, second = (self.guest.labels.resolve(label) for label in ("first", "second"))
        exits = [
            exit_item("CPUID", rip=first, instruction=b"\x0f\xa2", instruction_length=2),
            exit_item(
                "CR_ACCESS", number=1, rip=second, instruction=b"\x0f\x22\xc0", instruction_length=self.length
            ),
            exit_port(self.guest.labels.resolve("second+0xb"), number=2).item,
        ]
        yield recording.text("GRUB") + recording.record("HEADER", guests=1, selected=1, schema=1)
        yield recording.record("CATALOGUE", name="sample", digest=self.guest.digest)
        yield recording.begin(0, "sample")
        for exit in exits[: self.exits]:
            yield recording.item(exit)
        yield recording.end(0, exits=self.exits)
        yield recording.stop()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Guest]:
    folder = tmp_path_factory.mktemp("build")
    return folder, assemble_sample(folder)


@pytest.fixture
def bench(tmp_path: Path, built: tuple[Path, Guest], monkeypatch: pytest.MonkeyPatch) -> Workbench:
    bench = Workbench(tmp_path, built[1])
    monkeypatch.setattr(jobs, "BUILD", built[0])
    monkeypatch.setattr(jobs, "RECORDINGS", tmp_path)
    monkeypatch.setattr(jobs, "TRACES", tmp_path)
    monkeypatch.setattr(jobs.Options, "choose_machine", lambda options: FakeHardware(bench.kernel))
    return bench


@pytest.fixture
def run(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*arguments: str) -> tuple[int, str]:
        status = main(arguments)
        output = capsys.readouterr()
        return status, output.out + output.err

    return call


Run = Callable[..., tuple[int, str]]


def test_run_prints_every_exit_and_the_verdicts(run: Run) -> None:
    status, output = run("run")
    assert status == 0
    assert "machine: fake 1.0 model" in output
    for text in ("CPUID", "first", "mov cr0, rax", "qualification={control_register=CR0", "(1 of 1)"):
        assert text in output
    assert output.endswith("1 guests: 1 PASS\n")


def test_run_shows_what_failed(run: Run, bench: Workbench) -> None:
    bench.length = 4
    status, output = run("run", "--guest", "sam*")
    assert status == 1
    assert "FAIL sample" in output
    assert "make check GUEST=sample" in output
    assert output.endswith("1 guests: 1 FAIL\n")


def test_empty_patterns_do_not_count(run: Run) -> None:
    chosen = jobs.Options(guest=",sample , ,")
    assert [guest.name for guest in jobs.select(jobs.all_guests().values(), chosen.guest)] == ["sample"]
    assert jobs.plan([], chosen).patterns == "sample"


def test_run_with_details_prints_registers(run: Run) -> None:
    assert "RSP" not in run("run")[1]
    assert "RSP" in run("run", "--details")[1]


def test_log_prints_the_last_recording_again(run: Run) -> None:
    assert run("log")[0] == 2
    run("run")
    status, output = run("log")
    assert status == 0
    assert "recording: " in output and "mov cr0, rax" in output
    assert "mov cr0, rax" in run("log", "--guest", "sample")[1]


def test_a_file_in_the_way_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.bin").mkdir()
    status, output = run("run")
    assert status == 2
    assert "old.bin is in the way: " in output


def test_a_file_that_cannot_be_made_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recordings"
    folder.write_text("no folder")
    monkeypatch.setattr(jobs, "RECORDINGS", folder)
    status, output = run("run")
    assert status == 2
    assert f"harness: {folder}: File exists: see to that" in output


def test_log_of_a_named_file_that_is_anything_at_all(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(256)) * 8)
    assert run("log", str(path))[0] == 0
    assert run("log", str(tmp_path / "none"))[0] == 2


def test_bless_writes_what_the_head_declares(run: Run, bench: Workbench) -> None:
    bench.trace.unlink()
    status, output = run("bless", "--guest", "sample")
    assert status == 0
    assert "SDM" in output
    assert bench.trace.read_text() == TRACE
    assert "says so already" in run("bless", "--guest", "sample")[1]


def test_bless_refuses_what_the_head_does_not_declare(run: Run, bench: Workbench) -> None:
    bench.trace.unlink()
    bench.exits = 1
    status, output = run("bless", "--guest", "sample")
    assert status == 1
    assert "EXPECT CR_ACCESS" in output
    assert not bench.trace.exists()


def test_bless_needs_a_guest(run: Run) -> None:
    status, output = run("bless")
    assert status == 2
    assert "GUEST=name" in output


def test_list(run: Run) -> None:
    assert run("list") == (0, "sample  LONG64    CPUID\n")


def test_bench(run: Run) -> None:
    status, output = run("bench")
    assert status == 0
    for text in ("exits recorded a second", "bytes an exit record", "to first record"):
        assert text in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("run", "--guest", "smaple"), "no guest matches 'smaple'; near to it: sample"),
        (("run", "--guest", ","), "',' names no guest"),
        (("list", "--guest", " "), "' ' names no guest"),
        (("run", "--processors", "many"), "must be numbers"),
        (("run", "--processors", "99"), "--processors 99: the kernel starts at most 16"),
        (("run", "--time-limit", "0"), "must be numbers"),
        (("new-guest", "--name", "", "--reason", "CPUID", "--mode", "LONG64"), "NAME=: a guest's name"),
        (("new-guest", "--name", "x", "--reason", "CUPID", "--mode", "LONG64"), "did you mean CPUID"),
    ],
)
def test_misuse_is_told_from_failure(arguments: tuple[str, ...], message: str, run: Run) -> None:
    status, output = run(*arguments)
    assert status == 2
    assert message in output


def test_the_limit_of_processors_is_the_kernel_s() -> None:
    text = (PROJECT / "src/arch/x86_64/processor.h").read_text()
    assert f"#define PROCESSOR_LIMIT {jobs.PROCESSOR_LIMIT}\n" in text


def test_an_unknown_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--machine", "vax"]) == 2
    assert "there is no machine 'vax'" in capsys.readouterr().err

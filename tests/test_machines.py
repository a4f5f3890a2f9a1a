"""The machines: what the harness does when an emulator is missing, dies, hangs, or sends anything at all."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from harness import machines
from harness.machines import Boot, Ending, EndKind, Limits, Machine, MachineError
from harness.machines.serial import Serial
from tests.fakes import fake_bochs

SHORT = Limits(overall=0.3, silence=0.15, farewell=0.05)


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)


def choose(name: str, tmp_path: Path, *, model: str = "", bochs: str = "none", qemu: str = "none") -> Machine:
    return machines.choose(name, model=model, bochs=bochs, qemu=qemu, runs=tmp_path / "runs")


def bochs(tmp_path: Path, body: str, **build: object) -> Machine:
    return choose("bochs", tmp_path, bochs=str(fake_bochs(tmp_path, body, **build)))  # type: ignore[arg-type]


def run(boot: Boot) -> tuple[bytes, Ending]:
    with boot:
        data = b"".join(boot)
    return data, boot.ending


def test_a_clean_run_gives_all_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "head -c 300000 /dev/zero > serial")
    data, ending = run(machine.boot(tmp_path / "image", 1, Limits()))
    assert data == bytes(300000)
    assert ending == Ending(EndKind.CLEAN)
    assert list((tmp_path / "runs").iterdir()) == []


def test_identity(tmp_path: Path) -> None:
    assert str(bochs(tmp_path, "").identity) == "bochs 9.9 tigerlake"


def test_the_configuration_is_written_for_this_build(tmp_path: Path) -> None:
    machine = bochs(
        tmp_path, 'cat bochsrc > serial; echo "$@" > serial', debugger=False, displays="sdl nogui"
    )
    text = run(machine.boot(tmp_path / "image", 2, Limits()))[0].decode()
    assert "display_library: nogui\n" in text
    assert "model=tigerlake, count=2," in text
    assert text.endswith("\n-q -f bochsrc\n")


def test_the_debugger_is_told_to_start_where_there_is_one(tmp_path: Path) -> None:
    machine = bochs(tmp_path, 'cat "$5" > serial')
    assert run(machine.boot(tmp_path / "image", 1, Limits()))[0] == b"c\nq\n"


def test_death_is_told_from_a_clean_end(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "echo half > serial; echo '[CPU0] >>PANIC<< out of luck' >&2; exit 3")
    data, ending = run(machine.boot(tmp_path / "image", 1, Limits()))
    assert data == b"half\n"
    assert ending.kind is EndKind.DIED
    assert "status 3: out of luck" in ending.detail


def test_a_triple_fault_is_named(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "echo 'CPU0: exception(): 3rd (13) exception with no resolution' >&2; exit 1")
    assert "triple fault" in run(machine.boot(tmp_path / "image", 1, Limits()))[1].detail


def test_a_signal_is_named(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "kill -SEGV $$")
    assert "signal SIGSEGV" in run(machine.boot(tmp_path / "image", 1, Limits()))[1].detail


def test_silence_is_limited_and_the_folder_is_kept(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "echo start > serial; sleep 100")
    data, ending = run(machine.boot(tmp_path / "image", 1, SHORT))
    assert data == b"start\n"
    assert ending.kind is EndKind.SILENT
    (kept,) = (tmp_path / "runs").iterdir()
    assert kept.name.startswith("failed-") and (kept / "bochsrc").exists()
    assert str(kept) in ending.detail


def test_old_folders_are_removed(tmp_path: Path) -> None:
    nobody = "4194305"  # greater than any process id can be
    names = [f"failed-{nobody}-old", f"failed-{nobody}-new", f"run-{nobody}-left", f"run-{os.getpid()}-used"]
    folders = [tmp_path / "runs" / name for name in names]
    for folder in folders:
        folder.mkdir(parents=True)
    os.utime(folders[0], (0, 0))
    machine = bochs(tmp_path, "true")
    run(machine.boot(tmp_path / "image", 1, Limits()))
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {names[1], names[3]}


def test_babble_is_limited(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "while :; do echo babble; sleep 0.02; done > serial")
    started = time.monotonic()
    data, ending = run(machine.boot(tmp_path / "image", 1, SHORT))
    assert data.startswith(b"babble\nbabble\n")
    assert ending.kind is EndKind.TIME_OUT
    assert time.monotonic() - started < 3


def test_a_machine_that_does_not_end_after_the_last_word_is_ended(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "echo last > serial; while :; do echo more > serial; sleep 0.01; done")
    boot = machine.boot(tmp_path / "image", 1, Limits(farewell=0.05))
    with boot:
        for _ in boot:
            boot.farewell()
    assert boot.ending == Ending(EndKind.CLEAN)


def test_everything_that_was_started_is_killed(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "sleep 100 & echo $! > serial; wait")
    data, _ = run(machine.boot(tmp_path / "image", 1, SHORT))
    deadline = time.monotonic() + 2
    while _runs(int(data)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(int(data))


def _runs(process: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_abort_from_another_thread(tmp_path: Path) -> None:
    machine = bochs(tmp_path, "sleep 100")
    boot = machine.boot(tmp_path / "image", 1, Limits())
    with boot:
        threading.Timer(0.1, boot.abort).start()
        assert b"".join(boot) == b""


def test_no_such_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="bochs, qemu, qemu-tcg, serial:DEVICE"):
        choose("vax", tmp_path)


@pytest.mark.parametrize("name", ["bochs", "qemu-tcg"])
def test_a_missing_program_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="there is no program 'none'"):
        choose(name, tmp_path)


def test_a_program_that_is_no_bochs(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="is it a Bochs"):
        choose("bochs", tmp_path, bochs="true")


def test_an_unknown_model_lists_the_models(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no processor model 'z80'; it has tigerlake 486"):
        choose("bochs", tmp_path, bochs=str(fake_bochs(tmp_path, "")), model="z80")


def test_no_usable_display(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="none of the display libraries term nogui x sdl2 sdl"):
        bochs(tmp_path, "", displays="x rfb")


def test_missing_rom_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.machines.bochs._BIOS_NAMES", ("no-such-rom",))
    with pytest.raises(MachineError, match="no BIOS .no-such-rom. in .*install bochsbios"):
        bochs(tmp_path, "")


def test_a_build_with_its_own_rom_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "BIOS-bochs-latest").touch()
    monkeypatch.setenv("BXSHARE", str(tmp_path))
    machine = bochs(tmp_path, "cat bochsrc > serial")
    assert (
        f'file="{tmp_path}/BIOS-bochs-latest"'
        in run(machine.boot(tmp_path / "image", 1, Limits()))[0].decode()
    )


def test_kvm_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.machines.qemu._KVM", tmp_path / "kvm")
    with pytest.raises(MachineError, match="no VMX|no /dev/kvm"):
        choose("qemu", tmp_path, qemu="true")


def test_another_program_is_no_qemu(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="yes is no QEMU"):
        choose("qemu-tcg", tmp_path, qemu="/usr/bin/yes")


class TestSerial:
    """The serial port of real hardware; a pseudo-terminal stands for it."""

    LIMITS = Limits(overall=1.0, silence=0.1)

    @pytest.fixture
    def port(self) -> tuple[int, Path]:
        other_end, port = os.openpty()
        return other_end, Path(os.ttyname(port))

    def test_reads_until_the_last_word(self, port: tuple[int, Path]) -> None:
        other_end, device = port
        boot = Serial(device, "").boot(Path(), 1, self.LIMITS)
        received = b""
        with boot:
            os.write(other_end, bytes(range(256)))
            for chunk in boot:
                received += chunk
                if len(received) == 256:
                    boot.farewell()
        assert received == bytes(range(256))
        assert boot.ending == Ending(EndKind.CLEAN)

    def test_silence_is_limited(self, port: tuple[int, Path]) -> None:
        other_end, device = port
        boot = Serial(device, "").boot(Path(), 1, self.LIMITS)
        with boot:
            os.write(other_end, b"x")
            assert b"".join(boot) == b"x"
        assert boot.ending.kind is EndKind.SILENT

    def test_the_first_byte_may_take_longer(self, port: tuple[int, Path]) -> None:
        other_end, device = port
        boot = Serial(device, "", first_byte_limit=5.0).boot(Path(), 1, self.LIMITS)
        threading.Timer(0.15, os.write, (other_end, b"x")).start()
        assert run(boot)[0] == b"x"

    def test_the_other_end_goes_away(self) -> None:
        other_end, port = os.openpty()
        device = Path(os.ttyname(port))
        os.close(port)
        boot = Serial(device, "").boot(Path(), 1, self.LIMITS)
        with boot:
            os.close(other_end)
            assert list(boot) == []
        assert boot.ending.kind is EndKind.DIED

    def test_what_is_no_port(self, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="No such file"):
            choose("serial:/dev/no-such-port", tmp_path)
        with pytest.raises(MachineError, match="is no serial port"):
            choose(f"serial:{tmp_path}", tmp_path)
        with pytest.raises(MachineError, match="/dev/null is no serial port"):
            run(choose("serial:/dev/null", tmp_path).boot(Path(), 1, Limits()))

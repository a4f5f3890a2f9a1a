"""QEMU: with KVM and nested VMX on a host that has them, or with TCG, which has no VMX at all.

TCG is there to prove that the kernel boots, and says clearly what is missing.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.machines.base import Boot, Ending, EndKind, Identity, Limits, MachineError
from harness.machines.process import ProcessBoot, last_words, serial_path, signal_name

_KVM = Path("/dev/kvm")
_NESTED = Path("/sys/module/kvm_intel/parameters/nested")
_PROBE_LIMIT = 20.0


class Qemu:
    """A QEMU program with one accelerator, "kvm" or "tcg", at a processor model."""

    takes_image = True

    def __init__(self, program: str, accelerator: str, model: str, runs: Path) -> None:
        self._program = program
        self._accelerator = accelerator
        self._model = model or ("host" if accelerator == "kvm" else "max")
        self._runs = runs

    @functools.cached_property
    def identity(self) -> Identity:
        found = re.search(r"version (\S+)", self._ask("--version"))
        name = "qemu" if self._accelerator == "kvm" else "qemu-tcg"
        return Identity(name, found[1] if found else "of unknown version", self._model)

    def check(self) -> None:
        if self._accelerator == "kvm":
            _check_nested_vmx()
        if "QEMU emulator version" not in self._ask("--version"):
            raise MachineError(f"qemu: {self._path} is no QEMU, by its --version: say QEMU=PATH")
        models = re.findall(
            r"^(?:x86 )?\s*(\S+)", self._ask("-cpu", "help").partition("\n\n")[0], re.MULTILINE
        )[1:]
        if self._model not in models:
            raise MachineError(
                f"qemu: {self.identity.version} has no processor model {self._model!r}; it has "
                + " ".join(models)
            )

    def boot(self, image: Path, processors: int, limits: Limits) -> Boot:
        def command(folder: Path) -> list[str | Path]:
            (folder / "image.iso").symlink_to(image.resolve())
            model = f"{self._model},+vmx" if self._accelerator == "kvm" else self._model
            return [
                *(self._path, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
                *(
                    "-machine",
                    "pc",
                    "-accel",
                    self._accelerator,
                    "-cpu",
                    model,
                    "-smp",
                    str(processors),
                    "-m",
                    "64",
                ),
                *("-cdrom", "image.iso", "-boot", "d", "-no-reboot"),
                *("-chardev", f"file,id=serial,path={serial_path(folder).name}", "-serial", "chardev:serial"),
                *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
            ]

        return ProcessBoot(self._runs, command, _judge, limits)

    @functools.cached_property
    def _path(self) -> str:
        path = shutil.which(self._program)
        if path is None:
            raise MachineError(
                f"qemu: there is no program {self._program!r}; install qemu-system-x86, or say QEMU=PATH"
            )
        return str(Path(path).absolute())

    @functools.cache
    def _ask(self, *arguments: str) -> str:
        try:
            asked = subprocess.run(
                [self._path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PROBE_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MachineError(f"qemu: {self._path} cannot be run: {error}") from error
        return asked.stdout.decode(errors="replace")


def _check_nested_vmx() -> None:
    """Whether a guest of this host can use VMX; if not, what is missing."""
    if not re.search(r"^flags\s*:.* vmx\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
        raise MachineError(
            "qemu: this host's processor has no VMX (no `vmx` in /proc/cpuinfo), so that KVM can give none"
        )
    if not _KVM.exists():
        raise MachineError("qemu: there is no /dev/kvm: load the module kvm_intel")
    if not os.access(_KVM, os.R_OK | os.W_OK):
        raise MachineError("qemu: /dev/kvm may not be opened by this user: join the group kvm")
    if not _NESTED.exists() or _NESTED.read_text().strip() not in ("Y", "1"):
        raise MachineError("qemu: nested VMX is off: load kvm_intel with nested=1")


def _judge(status: int, folder: Path) -> Ending:
    """What it means that QEMU has ended by itself: isa-debug-exit makes the status odd."""
    if status > 0 and status % 2 == 1 and not (folder / "stderr.txt").stat().st_size:
        return Ending(EndKind.CLEAN)
    if status == 0:
        return Ending(EndKind.DIED, "the kernel made the processor reset (a triple fault)")
    return Ending(EndKind.DIED, f"QEMU ended with {signal_name(status)}: {last_words(folder / 'stderr.txt')}")

"""Bochs: the default machine, because it needs no VT-x and gives the same bytes in every run.

Debian's build has the internal debugger, SMP and the `term` display; another build (BOCHS=PATH) may have
neither, so that what it can do is asked of the program itself.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.machines.base import Boot, Ending, EndKind, Identity, Limits, MachineError
from harness.machines.process import ProcessBoot, last_words, serial_path, signal_name

DEFAULT_MODEL = "tigerlake"
# Emulated instructions a second. The serial port is paced by emulated time: the fewer instructions make up a
# second, the less real time a byte takes.
_INSTRUCTIONS_PER_SECOND = 1_000_000
# `rfb` is not among them: it would open a network port.
_DISPLAYS = ("term", "nogui", "x", "sdl2", "sdl")
_NEED_A_SCREEN = ("x", "sdl2", "sdl")
_BIOS_NAMES = ("BIOS-bochs-latest",)
_VGA_BIOS_NAMES = ("VGABIOS-lgpl-latest.bin", "VGABIOS-lgpl-latest", "vgabios.bin")
_PROBE_LIMIT = 10.0
# TERM: the `term` display can hang on terminals that are more than dumb.
_ENVIRONMENT = {"TERM": "dumb"}
# `c` starts the machine; when the kernel asks for its end (port 0x8900), the debugger comes back and reads
# `q`.
_DEBUGGER_COMMANDS = "c\nq\n"

# The second drive is there because the BIOS waits long for one that is not.
_CONFIGURATION = """\
config_interface: textconfig
display_library: {display}
cpu: model={model}, count={processors}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=0
memory: guest=64, host=64
romimage: file="{bios}", options=fastboot
vgaromimage: file="{vga_bios}"
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=image.iso, status=inserted
ata0-slave: type=cdrom, path=none, status=ejected
boot: cdrom
clock: sync=none, time0=946684800
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
com1: enabled=1, mode=file, dev={serial}
speaker: enabled=0
"""


class Bochs:
    """A Bochs program, at a processor model."""

    takes_image = True

    def __init__(self, program: str, model: str, runs: Path) -> None:
        self._program = program
        self._model = model or DEFAULT_MODEL
        self._runs = runs

    @functools.cached_property
    def identity(self) -> Identity:
        found = re.search(r"Bochs x86 Emulator (\S+)", _ask(self._path, "--help", "cpu"))
        return Identity("bochs", found[1] if found else "of unknown version", self._model)

    @functools.cached_property
    def models(self) -> list[str]:
        """The processor models that this Bochs knows."""
        text = _ask(self._path, "--help", "cpu").partition("Supported CPU models:")[2]
        return re.findall(r"^([a-z0-9_]+)$", text, re.MULTILINE)

    def check(self) -> None:
        if not self.models:
            raise MachineError(f"bochs: `{self._path} --help cpu` lists no processor models: is it a Bochs?")
        if self._model not in self.models:
            raise MachineError(
                f"bochs: {self.identity.version} has no processor model {self._model!r}; it has "
                + " ".join(self.models)
            )
        self._bios, self._vga_bios, self._display  # noqa: B018: each says what is missing

    def boot(self, image: Path, processors: int, limits: Limits) -> Boot:
        def command(folder: Path) -> list[str | Path]:
            # A relative name for the image: its path may hold what Bochs takes for the end of an option.
            (folder / "image.iso").symlink_to(image.resolve())
            (folder / "bochsrc").write_text(
                _CONFIGURATION.format(
                    display=self._display,
                    model=self._model,
                    processors=processors,
                    ips=_INSTRUCTIONS_PER_SECOND,
                    bios=self._bios,
                    vga_bios=self._vga_bios,
                    serial=serial_path(folder).name,
                )
            )
            words: list[str | Path] = [self._path, "-q", "-f", "bochsrc"]
            if self._has_debugger:
                (folder / "debugger-commands").write_text(_DEBUGGER_COMMANDS)
                words += ["-rc", "debugger-commands"]
            return words

        return ProcessBoot(self._runs, command, _judge, limits, _ENVIRONMENT)

    @functools.cached_property
    def _path(self) -> str:
        path = shutil.which(self._program)
        if path is None:
            raise MachineError(
                f"bochs: there is no program {self._program!r}; install Bochs, or say BOCHS=PATH"
            )
        return str(Path(path).absolute())

    @functools.cached_property
    def _has_debugger(self) -> bool:
        return "-rc " in _ask(self._path, "--help")

    @functools.cached_property
    def _display(self) -> str:
        """The first display library that this Bochs has and that needs nobody to look at it."""
        for display in _DISPLAYS:
            if display in _NEED_A_SCREEN and not os.environ.get("DISPLAY"):
                continue
            if _has_display(self._path, display):
                return display
        raise MachineError(f"bochs: {self._path} has none of the display libraries {' '.join(_DISPLAYS)}")

    @functools.cached_property
    def _bios(self) -> Path:
        return self._rom("BIOS", _BIOS_NAMES)

    @functools.cached_property
    def _vga_bios(self) -> Path:
        return self._rom("VGA BIOS", _VGA_BIOS_NAMES)

    def _rom(self, what: str, names: tuple[str, ...]) -> Path:
        """A ROM file: of this build if it brings its own, else the system's."""
        program = Path(self._path).resolve().parent
        folders = [
            program.parent / "share/bochs",
            program / "bios",
            Path("/usr/share/bochs"),
            Path("/usr/share/vgabios"),
        ]
        if "BXSHARE" in os.environ:
            folders.insert(0, Path(os.environ["BXSHARE"]))
        for folder in folders:
            for name in names:
                if (folder / name).is_file():
                    return folder / name
        raise MachineError(
            f"bochs: no {what} ({' or '.join(names)}) in {', '.join(map(str, folders))}; "
            "install bochsbios and vgabios, or set BXSHARE to the folder that has it"
        )


@functools.cache
def _ask(path: str, *arguments: str) -> str:
    """What a Bochs prints when it is called so; both of its outputs."""
    try:
        asked = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PROBE_LIMIT,
            env={**os.environ, **_ENVIRONMENT},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"bochs: {path} cannot be run: {error}") from error
    return asked.stdout.decode(errors="replace")


@functools.cache
def _has_display(path: str, display: str) -> bool:
    """Whether a Bochs has a display library. It reads its configuration line by line, and stops at the first
    error: here the last line at latest.
    """
    with tempfile.NamedTemporaryFile("w", prefix="exitscope-", suffix=".bochsrc") as configuration:
        configuration.write(f"display_library: {display}\ncpu: model=none_such\n")
        configuration.flush()
        return f"display library '{display}' not available" not in _ask(path, "-q", "-f", configuration.name)


def _judge(status: int, folder: Path) -> Ending:
    """What it means that Bochs has ended by itself."""
    if status == 0:
        return Ending(EndKind.CLEAN)
    output = "".join(
        (folder / name).read_text(errors="replace")
        for name in ("stderr.txt", "stdout.txt", "bochs.log")
        if (folder / name).exists()
    )
    if "exception with no resolution" in output:
        return Ending(EndKind.DIED, "the kernel made the processor shut down (a triple fault)")
    panic = re.search(r">>PANIC<< (.*)", output)
    detail = panic[1] if panic else last_words(folder / "stderr.txt")
    return Ending(EndKind.DIED, f"Bochs ended with {signal_name(status)}: {detail}")

"""Runs an emulator as a child process with its serial port on a pipe: for Bochs and QEMU.

Every wait has a limit, only the child that was started here is killed (with the processes that it started
itself, its process group), and each run has a folder of its own, `run-PROCESS-...` by the harness's process
id, which is kept as `failed-PROCESS-...` when the run ended badly.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from harness.machines.base import Ending, EndKind, Limits
from harness.tables import in_project

_READ_SIZE = 65536
# How long the folder of a run is kept that ended badly, in seconds.
_KEEP_TIME = 3600.0
# Emulators write byte by byte: to wait a moment, in seconds, saves the decoder from getting them so.
_BATCH_INTERVAL = 0.005


class ProcessBoot:
    """One run of an emulator.

    The serial port is a named pipe in the run's folder: the emulator opens it like a file (`serial_path`).
    `command` is given the folder and returns the command line; it may put files there. `judge` is given the
    exit status (negative: the signal that ended it) and the folder when the emulator has ended by itself, and
    says how that is to be taken.
    """

    def __init__(
        self,
        runs: Path,
        command: Callable[[Path], Sequence[str | Path]],
        judge: Callable[[int, Path], Ending],
        limits: Limits,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._runs = runs
        self._command = command
        self._judge = judge
        self._limits = limits
        self._environment = environment
        self._ending: Ending | None = None
        self._farewell: float | None = None
        self._aborted = False

    @property
    def ending(self) -> Ending:
        assert self._ending is not None, "the machine still runs"
        return self._ending

    def farewell(self) -> None:
        if self._farewell is None:
            self._farewell = time.monotonic()

    def abort(self) -> None:
        self._aborted = True
        try:
            signal.pidfd_send_signal(self._process_handle, signal.SIGKILL)
        except OSError:
            pass  # it has ended, or even been left

    def __enter__(self) -> ProcessBoot:
        self._runs.mkdir(parents=True, exist_ok=True)
        self._remove_old_folders()
        self.folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=self._runs))
        os.mkfifo(serial_path(self.folder))
        # Opened for writing too, so that the pipe has no end before the emulator has opened it.
        self._serial = os.open(serial_path(self.folder), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        command = [str(word) for word in self._command(self.folder)]
        # When the harness is killed, the emulator must not go on alone.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        with (self.folder / "stdout.txt").open("wb") as stdout, (self.folder / "stderr.txt").open(
            "wb"
        ) as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **(self._environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
        self._process_handle = os.pidfd_open(self._process.pid)
        return self

    def __iter__(self) -> Iterator[bytes]:
        poll = select.poll()
        poll.register(self._serial, select.POLLIN)
        poll.register(self._process_handle, select.POLLIN)
        started = heard = time.monotonic()
        while True:
            deadline, kind = min(
                (started + self._limits.overall, EndKind.TIME_OUT),
                (heard + self._limits.silence, EndKind.SILENT),
                key=lambda limit: limit[0],
            )
            if self._farewell is not None and self._farewell + self._limits.farewell < deadline:
                deadline, kind = self._farewell + self._limits.farewell, EndKind.CLEAN
            ready = [handle for handle, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]
            if self._serial in ready:
                heard = time.monotonic()
                time.sleep(_BATCH_INTERVAL)
                yield os.read(self._serial, _READ_SIZE)
            elif self._process_handle in ready:
                self._ending = self._judged()
                return
            if time.monotonic() >= deadline:
                self._ending = Ending(kind, self._limit_detail(kind))
                return

    def _judged(self) -> Ending:
        """How the emulator ended by itself. What it does after the kernel's last word is its own affair."""
        if self._farewell is not None:
            return Ending(EndKind.CLEAN)
        # Only looked at: until it is reaped, its process id cannot become another's.
        result = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        assert result is not None
        status = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
        return self._judge(status, self.folder)

    def _limit_detail(self, kind: EndKind) -> str:
        if kind is EndKind.SILENT:
            return f"sent nothing for {self._limits.silence:g} s, and was killed"
        if kind is EndKind.TIME_OUT:
            return f"ran for more than {self._limits.overall:g} s, and was killed"
        return ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The emulator, if it still runs, and what it may have started. It is not reaped yet, so the id is
        # still its own.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._process_handle)
        os.close(self._serial)
        if self._ending is not None and self._ending.kind is not EndKind.CLEAN and not self._aborted:
            kept = self.folder.rename(self._runs / self.folder.name.replace("run", "failed", 1))
            detail = f"{self._ending.detail} (its files are in {in_project(kept)})"
            self._ending = Ending(self._ending.kind, detail)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_old_folders(self) -> None:
        """Removes what harnesses that were killed left behind, and what bad ends did long ago."""
        for folder in self._runs.glob("*-*"):
            kind, process, *_ = folder.name.split("-")
            try:
                is_old = time.time() - folder.stat().st_mtime > _KEEP_TIME
            except FileNotFoundError:
                continue  # another harness was faster
            if is_old if kind == "failed" else not Path("/proc", process).exists():
                shutil.rmtree(folder, ignore_errors=True)


def serial_path(folder: Path) -> Path:
    """Where the emulator of a run finds the pipe that is its serial port."""
    return folder / "serial"


def last_words(path: Path, lines: int = 5) -> str:
    """The last lines of a log file, joined into one, for a message."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "; ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())


def signal_name(status: int) -> str:
    """`status 3` or `signal SIGSEGV`, from what Popen.wait returns."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"

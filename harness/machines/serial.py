"""Real hardware, or any other machine that somebody else boots: reads its serial port.

The ISO image is booted by hand on that machine; which guests run is chosen in its boot menu.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from harness.machines.base import Boot, Ending, EndKind, Identity, Limits, MachineError

_SPEED = termios.B115200
_READ_SIZE = 4096
# There may be a firmware that tests gigabytes of memory, and a person who looks for the power button.
_FIRST_BYTE_LIMIT = 600.0
# How soon an abort is noticed, in seconds.
_POLL_INTERVAL = 0.2


class Serial:
    """A serial port of this host, whose other end is the machine."""

    takes_image = False

    def __init__(self, device: Path, model: str, first_byte_limit: float = _FIRST_BYTE_LIMIT) -> None:
        self._device = device
        self._first_byte_limit = first_byte_limit
        self.identity = Identity("serial", "", model)

    def check(self) -> None:
        try:
            if not stat.S_ISCHR(self._device.stat().st_mode):
                raise MachineError(f"serial: {self._device} is no serial port")
        except OSError as error:
            raise MachineError(f"serial: {self._device}: {error.strerror}") from error
        if not os.access(self._device, os.R_OK | os.W_OK):
            raise MachineError(
                f"serial: {self._device} may not be opened by this user: join its group (dialout)"
            )

    def boot(self, image: Path, processors: int, limits: Limits) -> Boot:
        return SerialBoot(self._device, limits, self._first_byte_limit)


class SerialBoot:
    """What comes over a serial port, from when it is opened until the kernel's last record."""

    def __init__(self, device: Path, limits: Limits, first_byte_limit: float) -> None:
        self._device = device
        self._limits = limits
        self._first_byte_limit = first_byte_limit
        self._ending: Ending | None = None
        self._said_farewell = False
        self._aborted = False

    @property
    def ending(self) -> Ending:
        assert self._ending is not None, "the port is still read"
        return self._ending

    def farewell(self) -> None:
        self._said_farewell = True

    def abort(self) -> None:
        self._aborted = True

    def __enter__(self) -> SerialBoot:
        try:
            self._port = os.open(self._device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise MachineError(f"serial: {self._device}: {error.strerror}") from error
        try:
            self._former = termios.tcgetattr(self._port)
        except termios.error as error:
            os.close(self._port)
            raise MachineError(f"serial: {self._device} is no serial port") from error
        raw = termios.CS8 | termios.CREAD | termios.CLOCAL
        control = list(self._former[6])
        control[termios.VMIN], control[termios.VTIME] = 0, 0
        termios.tcsetattr(self._port, termios.TCSANOW, [0, 0, raw, 0, _SPEED, _SPEED, control])
        return self

    def __iter__(self) -> Iterator[bytes]:
        started = time.monotonic()
        heard: float | None = None
        poll = select.poll()
        poll.register(self._port, select.POLLIN)
        while not self._said_farewell and not self._aborted:
            if heard is None:
                deadline, kind = started + self._first_byte_limit, EndKind.SILENT
            else:
                deadline, kind = min(
                    (started + self._first_byte_limit + self._limits.overall, EndKind.TIME_OUT),
                    (heard + self._limits.silence, EndKind.SILENT),
                    key=lambda limit: limit[0],
                )
            events = poll.poll(min(_POLL_INTERVAL, max(0.0, deadline - time.monotonic())) * 1000)
            try:
                chunk = os.read(self._port, _READ_SIZE)
            except BlockingIOError:
                chunk = b""
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                chunk = b""
                events = [(self._port, select.POLLHUP)]
            if not chunk and any(event & (select.POLLHUP | select.POLLERR) for _, event in events):
                # The other end of a pseudo-terminal has gone, or the USB adapter was pulled out.
                self._ending = Ending(EndKind.DIED, f"{self._device} was closed at its other end")
                return
            if chunk:
                heard = time.monotonic()
                yield chunk
            elif time.monotonic() >= deadline:
                self._ending = Ending(
                    kind, "the serial port was silent" if kind is EndKind.SILENT else "ran for too long"
                )
                return
        self._ending = Ending(EndKind.CLEAN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            termios.tcsetattr(self._port, termios.TCSANOW, self._former)
        except termios.error:
            pass  # the other end has gone, and with it the port's settings
        os.close(self._port)

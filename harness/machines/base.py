"""What a machine is: something that boots an image and sends bytes over a serial port until it ends.

Every machine of this package gives the same things, so that the rest of the harness does not care which one
it is. Used by harness.boots, which plans the boots, and by the machines themselves.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol


class MachineError(Exception):
    """The machine cannot be used as asked: it is missing, or lacks what was asked for. Says what to do."""


class EndKind(enum.Enum):
    """How a machine ended."""

    CLEAN = "ended by itself, as the kernel asked"
    DIED = "died"
    SILENT = "sent nothing for too long"
    TIME_OUT = "ran for too long"


@dataclass(frozen=True)
class Ending:
    """How a boot ended: the kind, and in words what is known about it (empty when it ended well)."""

    kind: EndKind
    detail: str = ""


@dataclass(frozen=True)
class Identity:
    """Which machine this is, for the header of a report and for the list of deviations."""

    name: str
    version: str
    model: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.version, self.model) if part)


@dataclass(frozen=True)
class Limits:
    """How long a machine may run, in seconds: altogether, without sending a byte, and after its last
    record.
    """

    overall: float = 300.0
    silence: float = 15.0
    farewell: float = 1.0


class Boot(Protocol):
    """One boot of a machine. Iterating over it gives the serial port's bytes as they come, until the machine
    ends.
    """

    def __enter__(self) -> Boot:
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ...

    def __iter__(self) -> Iterator[bytes]:
        ...

    def farewell(self) -> None:
        """The kernel has said its last word: a machine that goes on for longer than the limit is ended, and
        that counts as a clean end.
        """

    def abort(self) -> None:
        """Ends the iteration soon, however the machine is. Called from another thread."""

    @property
    def ending(self) -> Ending:
        """How the machine ended; only after the iteration is over."""


class Machine(Protocol):
    """A machine that can be booted, any number of times, and several times at once."""

    @property
    def identity(self) -> Identity:
        """Name, version and processor model."""

    @property
    def takes_image(self) -> bool:
        """Whether the machine boots the image it is given. Real hardware does not: somebody boots it by hand,
        so that neither the guests nor the number of processors can be chosen, and there is no second boot.
        """

    def check(self) -> None:
        """Raises MachineError when the machine cannot be used here."""

    def boot(self, image: Path, processors: int, limits: Limits) -> Boot:
        """Boots the ISO image with so many processors. The machine runs until the boot's context is left."""

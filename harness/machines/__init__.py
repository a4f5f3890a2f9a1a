"""The machines that the kernel can run on, and the choice among them by name.

`bochs` is the default; `qemu` uses KVM with nested VMX; `qemu-tcg` has no VMX; `serial:DEVICE` is real
hardware.
"""

from __future__ import annotations

from pathlib import Path

from harness.machines.base import Boot, Ending, EndKind, Identity, Limits, Machine, MachineError
from harness.machines.bochs import Bochs
from harness.machines.qemu import Qemu
from harness.machines.serial import Serial

__all__ = ["Boot", "EndKind", "Ending", "Identity", "Limits", "Machine", "MachineError", "NAMES", "choose"]

NAMES = ("bochs", "qemu", "qemu-tcg", "serial:DEVICE")


def choose(name: str, *, model: str, bochs: str, qemu: str, runs: Path) -> Machine:
    """The machine of this name. `model` may be empty: the machine's default. `runs` is the folder for its
    runs' files.

    Raises MachineError when there is no such machine, or when it cannot be used here.
    """
    machine: Machine
    kind, _, device = name.partition(":")
    if name == "bochs":
        machine = Bochs(bochs, model, runs)
    elif name == "qemu":
        machine = Qemu(qemu, "kvm", model, runs)
    elif name == "qemu-tcg":
        machine = Qemu(qemu, "tcg", model, runs)
    elif kind == "serial" and device:
        machine = Serial(Path(device), model)
    else:
        raise MachineError(f"there is no machine {name!r}; there are {', '.join(NAMES)}")
    machine.check()
    return machine

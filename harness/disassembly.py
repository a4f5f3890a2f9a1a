"""The instruction at an exit, in words: Capstone, and an
overlay for the instructions that its version 4 does not know.

The live log and the expected traces show instructions as this module writes them. Instructions are read in
the mode that the guest was in: 16-, 32- or 64-bit code.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from harness.records import Exit


class Instruction(NamedTuple):
    """An instruction as text, and its length in bytes; the length is 0 for bytes that are no instruction."""

    text: str
    size: int


def code_size(exit: "Exit") -> int:
    """The size of the code that the guest runs: 16, 32 or 64
    bits (SDM, "Code-Segment Descriptors", CS.L and CS.D).
    """
    if exit.efer >> 10 & 1 and exit.cs_access_rights >> 13 & 1:
        return 64
    return 32 if exit.cs_access_rights >> 14 & 1 else 16


def disassemble_exit(exit: "Exit") -> Instruction:
    """The instruction at the exit's RIP, from the bytes that the record holds."""
    return disassemble(exit.instruction or b"", exit.rip, code_size(exit))


@lru_cache(maxsize=1 << 16)
def disassemble(code: bytes, address: int, bits: int) -> Instruction:
    """The first instruction of `code`, which stands at `address` in code of `bits` bits (16, 32 or 64)."""
    if not code:
        return Instruction("(no bytes)", 0)
    known = _overlay(code, bits)
    if known is not None:
        return known
    code = _operand_size_last(code)
    for _, size, mnemonic, operands in _capstone(bits).disasm_lite(code, address, 1):
        return Instruction(f"{mnemonic} {operands}".rstrip(), size)
    return Instruction(f"(bytes {code.hex(' ')})", 0)


# INS, OUTS, MOVS, CMPS, STOS, LODS and SCAS behind REP or REPNE and an operand-size prefix.
_REPEATED = re.compile(rb"\x66([\xf2\xf3])[\x6d\x6f\xa5\xa7\xab\xad\xaf]")


def _operand_size_last(code: bytes) -> bytes:
    """The same instruction, with the prefixes of a repeated string instruction in the order in which
    Capstone 4 does not lose the operand size; their order means nothing (SDM, "Instruction Prefixes").
    """
    match = _REPEATED.match(code)
    return code if match is None else match[1] + b"\x66" + code[2:]


@lru_cache(maxsize=None)
def _capstone(bits: int) -> Any:
    """Capstone for one size of code, loaded when it is first needed."""
    import capstone

    mode = {16: capstone.CS_MODE_16, 32: capstone.CS_MODE_32, 64: capstone.CS_MODE_64}[bits]
    return capstone.Cs(capstone.CS_ARCH_X86, mode)


# The overlay: instructions by mandatory prefix, opcode after 0F, and form (SDM volume 2, opcode of each
# instruction). Whole ModRM bytes of 0F 01, without operands.
_PLAIN = {
    (b"", 0xC0): "enclv",
    (b"", 0xC5): "pconfig",
    (b"", 0xC6): "wrmsrns",
    (b"\xf2", 0xC6): "rdmsrlist",
    (b"\xf3", 0xC6): "wrmsrlist",
    (b"", 0xCF): "encls",
    (b"\x66", 0xCC): "tdcall",
    (b"\x66", 0xCD): "seamret",
    (b"\x66", 0xCE): "seamops",
    (b"\x66", 0xCF): "seamcall",
}
# 0F AE /6 with a register: 32-bit general register.
_WAIT = {b"\x66": "tpause", b"\xf2": "umwait", b"\xf3": "umonitor"}
# 0F 38 F8: with a memory operand, and with two registers.
_ENQUEUE = {b"\xf2": "enqcmd", b"\xf3": "enqcmds"}
_USER_MSR = {b"\xf2": "urdmsr", b"\xf3": "uwrmsr"}
# VEX map 7, W0: by VEX.pp (2 is F3, 3 is F2) and opcode, all with an imm32 and one register.
_VEX = {(3, 0xF8): "urdmsr", (2, 0xF8): "uwrmsr", (3, 0xF6): "rdmsr", (2, 0xF6): "wrmsrns"}

_PREFIXES = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"
_REGISTERS = "ax cx dx bx sp bp si di".split()


def _register(number: int, bits: int) -> str:
    """The name of a general register of 16, 32 or 64 bits."""
    if number >= 8:
        return f"r{number}" + {16: "w", 32: "d", 64: ""}[bits]
    return {16: "", 32: "e", 64: "r"}[bits] + _REGISTERS[number]


def _overlay(code: bytes, bits: int) -> Optional[Instruction]:
    """An instruction that Capstone 4 misreads or does not
    know; None for all others, and for one that is cut short.
    """
    start = 0
    while start < len(code) and code[start] in _PREFIXES:
        start += 1
    prefixes = code[:start]
    rex = 0
    if bits == 64 and start < len(code) and code[start] & 0xF0 == 0x40:
        rex = code[start]
        start += 1
    if code[start : start + 1] == b"\xc4" and not prefixes and not rex:
        return _vex(code, bits)
    if code[start : start + 1] != b"\x0f" or len(code) < start + 3:
        return None
    # The last of F2 and F3 decides; 66 counts where neither stands.
    repeat = [bytes((byte,)) for byte in prefixes if byte in b"\xf2\xf3"]
    mandatory = repeat[-1] if repeat else b"\x66" if b"\x66" in prefixes else b""
    opcode, modrm = code[start + 1], code[start + 2]
    if opcode == 0x01 and (mandatory, modrm) in _PLAIN:
        return Instruction(_PLAIN[mandatory, modrm], start + 3)
    if opcode == 0xAE and modrm >> 3 == 0b11110 and mandatory in _WAIT:
        size = 32
        if mandatory == b"\xf3":  # UMONITOR's register is an address
            size = _address_size(prefixes, bits)
        return Instruction(f"{_WAIT[mandatory]} {_register(modrm & 7 | (rex & 1) << 3, size)}", start + 3)
    if opcode == 0x38 and len(code) > start + 3:
        return _map_38(code, start, prefixes, mandatory, rex, bits)
    return None


def _address_size(prefixes: bytes, bits: int) -> int:
    """The address size of an instruction in code of `bits` bits."""
    return {16: 32, 32: 16, 64: 32}[bits] if b"\x67" in prefixes else bits


def _map_38(
    code: bytes, start: int, prefixes: bytes, mandatory: bytes, rex: int, bits: int
) -> Optional[Instruction]:
    """The instructions of the overlay whose opcode starts 0F 38; `start` is where the 0F stands."""
    opcode, modrm = code[start + 2], code[start + 3]
    is_memory = modrm < 0xC0
    reg = modrm >> 3 & 7 | (rex & 4) << 1
    rm = modrm & 7 | (rex & 1) << 3
    if opcode == 0xDC and mandatory == b"\xf3" and not is_memory:
        return Instruction(f"loadiwkey xmm{reg}, xmm{rm}", start + 4)
    if opcode != 0xF8 or mandatory not in _ENQUEUE:
        return None
    if not is_memory:
        order = (rm, reg) if mandatory == b"\xf2" else (reg, rm)
        operands = ", ".join(_register(number, 64) for number in order)
        return Instruction(f"{_USER_MSR[mandatory]} {operands}", start + 4)
    # The operands are those of LEA, with a register of the address size: let Capstone read that.
    size = _address_size(prefixes, bits)
    kept = bytes(byte for byte in prefixes if byte not in b"\x66\xf2\xf3\xf0")
    if bits == 64:
        head = kept + bytes((rex & 0x47 | 0x40 | (8 if size == 64 else 0),))
    else:
        head = kept + (b"\x66" if size != bits else b"")
    lea = head + b"\x8d" + code[start + 3 :]
    for _, length, _, operands in _capstone(bits).disasm_lite(lea, 0, 1):
        operands = re.sub(r", (\w+ ptr )?", ", zmmword ptr ", operands, count=1)
        return Instruction(f"{_ENQUEUE[mandatory]} {operands}", length - len(head) - 1 + start + 3)
    return None


def _vex(code: bytes, bits: int) -> Optional[Instruction]:
    """The instructions of the overlay that are VEX-encoded in map 7; they exist in 64-bit mode only."""
    if bits != 64 or len(code) < 9 or code[1] & 0x1F != 7:
        return None
    name = _VEX.get((code[2] & 3, code[3]))
    # VEX.vvvv must be 1111, W and L 0; ModRM must be a register with extension 0.
    if name is None or code[2] & 0xFC != 0x78 or code[4] >> 3 != 0b11000:
        return None
    register = _register(code[4] & 7 | (~code[1] >> 5 & 1) << 3, 64)
    immediate = f"{int.from_bytes(code[5:9], 'little'):#x}"
    operands = (register, immediate) if "rd" in name else (immediate, register)
    return Instruction(f"{name} {', '.join(operands)}", 9)

"""harness.disassembly: the instruction at an exit in each size of code, Capstone's gaps filled."""

from __future__ import annotations

import pytest

from harness.disassembly import Instruction, code_size, disassemble, disassemble_exit
from tests.samples import make_exit


@pytest.mark.parametrize(
    "code, bits, text",
    [
        ("0fa2", 64, "cpuid"),
        ("0f22c0", 64, "mov cr0, rax"),
        ("0f22c0", 32, "mov cr0, eax"),
        ("440f20c0", 64, "mov rax, cr8"),
        ("66ef", 64, "out dx, ax"),
        ("ef", 16, "out dx, ax"),
        ("f36e", 16, "rep outsb dx, byte ptr [si]"),
        ("66f36d", 64, "rep insw word ptr [rdi], dx"),
        ("f3666d", 64, "rep insw word ptr [rdi], dx"),
        ("66f36f", 16, "rep outsd dx, dword ptr [si]"),
        ("a000001000", 32, "mov al, byte ptr [0x100000]"),
        ("0f0b", 64, "ud2"),
        ("cc", 64, "int3"),
        ("f4", 64, "hlt"),
        ("0f01d1", 64, "xsetbv"),
        ("0faef0", 64, "mfence"),
        ("0f01c1", 64, "vmcall"),
        # The overlay: SDM volume 2, and the manuals of the extensions where that has none.
        ("f20faef0", 64, "umwait eax"),
        ("660faef1", 64, "tpause ecx"),
        ("f3410faef1", 64, "umonitor r9"),
        ("660f01cf", 64, "seamcall"),
        ("660f01cc", 64, "tdcall"),
        ("0f01cf", 64, "encls"),
        ("0f01c0", 64, "enclv"),
        ("0f01c5", 64, "pconfig"),
        ("f30f38dcca", 64, "loadiwkey xmm1, xmm2"),
        ("f20f38f806", 64, "enqcmd rax, zmmword ptr [rsi]"),
        ("67f20f38f806", 64, "enqcmd eax, zmmword ptr [esi]"),
        ("f3440f38f84c8610", 64, "enqcmds r9, zmmword ptr [rsi + rax*4 + 0x10]"),
        ("f20f38f804", 16, "enqcmd ax, zmmword ptr [si]"),
        ("f20f01c6", 64, "rdmsrlist"),
        ("f30f01c6", 64, "wrmsrlist"),
        ("0f01c6", 64, "wrmsrns"),
        ("f2410f38f8c1", 64, "urdmsr r9, rax"),
        ("f30f38f8c1", 64, "uwrmsr rax, rcx"),
        ("c4e77bf8c110000000", 64, "urdmsr rcx, 0x10"),
        ("c4e77af8c110000000", 64, "uwrmsr 0x10, rcx"),
        ("c4c77bf6c1f0110000", 64, "rdmsr r9, 0x11f0"),
        ("c4e77af6c110000000", 64, "wrmsrns 0x10, rcx"),
    ],
)
def test_instructions(code: str, bits: int, text: str) -> None:
    data = bytes.fromhex(code)
    assert disassemble(data, 0x8000, bits) == Instruction(text, len(data))
    assert disassemble(data + b"\x90" * 4, 0x8000, bits) == Instruction(text, len(data))


@pytest.mark.parametrize("code", ["ffff", "f20f", "f20f38", "f20f38f8", "c4e77b", "66", "0f", "f20f38f884"])
def test_bytes_that_are_no_whole_instruction_are_shown_as_bytes(code: str) -> None:
    data = bytes.fromhex(code)
    assert disassemble(data, 0, 64) == Instruction(f"(bytes {data.hex(' ')})", 0)


def test_an_exit_without_bytes() -> None:
    assert disassemble_exit(make_exit("CPUID")).text == "(no bytes)"


@pytest.mark.parametrize(
    "access_rights, efer, bits",
    [
        (0xA09B, 0x500, 64),
        (0xC09B, 0x500, 32),
        (0xC09B, 0, 32),
        (0x009B, 0, 16),
        (0x00F3, 0, 16),
        (0xA09B, 0, 16),  # CS.L means nothing outside IA-32e mode
    ],
)
def test_the_size_of_code(access_rights: int, efer: int, bits: int) -> None:
    assert code_size(make_exit("CPUID", cs_access_rights=access_rights, efer=efer)) == bits


def test_targets_of_jumps_are_addresses() -> None:
    exit = make_exit("PREEMPTION_TIMER", rip=0x8010, instruction=bytes.fromhex("ebfe"))
    assert disassemble_exit(exit).text == "jmp 0x8010"

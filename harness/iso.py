"""Makes the ISO images that emulators boot: the kernel, the catalogue and one kernel command line.

Unlike build/exitscope.iso, which is for people, such an image holds the smallest possible GRUB, without a
menu, so that it boots in half the time. Images are kept in build/images by their content, so that a second
run makes nothing. Used by harness.boots.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_GRUB_FOLDER = Path("/usr/lib/grub/i386-pc")
# What GRUB needs to read the image. This part is compressed, and an emulator takes long to decompress it; all
# the rest of GRUB lies in the image as it is.
_BUILT_IN_MODULES = ("biosdisk", "iso9660")
_GRUB_COMMANDS = """\
insmod multiboot2
multiboot2 /boot/kernel.elf {words}
module2 /boot/catalogue.a
boot
"""
# What a word of the kernel's command line may consist of: nothing that GRUB's parser takes for something
# else.
_WORD = re.compile(r"[A-Za-z0-9_.,*?=:-]+")
_KEPT_IMAGES = 24
_LIMIT = 60.0
# Dates in the image must not make two images of the same content differ.
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "946684800"}


class ImageError(Exception):
    """The image cannot be made: something was not built, or a tool failed."""


def image(build: Path, words: list[str]) -> Path:
    """The image of what lies in the folder `build`, with these words as the kernel's command line."""
    for word in words:
        if not _WORD.fullmatch(word):
            raise ImageError(f"{word!r} cannot be a word of the kernel's command line")
    contents = {"kernel.elf": build / "kernel-stripped.elf", "catalogue.a": build / "catalogue.a"}
    digest = hashlib.sha256("\0".join(words).encode())
    for path in contents.values():
        if not path.exists():
            raise ImageError(f"{path} is missing: run `make` first")
        digest.update(b"\0" + hashlib.sha256(path.read_bytes()).digest())
    images = build / "images"
    made = images / f"{digest.hexdigest()[:20]}.iso"
    if made.exists():
        made.touch()
        return made
    images.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=images) as folder:
        root = Path(folder) / "root"
        modules = root / "boot/grub/i386-pc"
        modules.mkdir(parents=True)
        for module in _with_dependencies("multiboot2"):
            shutil.copyfile(_GRUB_FOLDER / f"{module}.mod", modules / f"{module}.mod")
        for name, path in contents.items():
            shutil.copyfile(path, root / "boot" / name)
        commands = Path(folder) / "commands"
        commands.write_text(_GRUB_COMMANDS.format(words=" ".join(words)))
        _run(
            *(
                "grub-mkimage",
                "--format=i386-pc-eltorito",
                f"--directory={_GRUB_FOLDER}",
                "--prefix=/boot/grub",
            ),
            *(f"--config={commands}", f"--output={root / 'boot/grub.img'}", *_BUILT_IN_MODULES),
        )
        unfinished = Path(folder) / "image.iso"
        _run(
            *("xorriso", "-as", "mkisofs", "-quiet", "-o", str(unfinished)),
            *("-b", "boot/grub.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", str(root)),
        )
        unfinished.rename(made)
    _forget_oldest(images)
    return made


def _with_dependencies(module: str) -> set[str]:
    """A module of GRUB, and all that it needs."""
    try:
        lines = (_GRUB_FOLDER / "moddep.lst").read_text().splitlines()
    except OSError as error:
        raise ImageError(f"GRUB for BIOS machines is missing (Debian: grub-pc-bin): {error}") from error
    needs = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
    found: set[str] = set()
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += needs.get(name, [])
    return found


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT,
            env={**os.environ, **_ENVIRONMENT},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        raise ImageError(f"{command[0]} failed: {done.stdout.decode(errors='replace').strip()}")


def _forget_oldest(images: Path) -> None:
    kept = sorted(images.glob("*.iso"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_KEPT_IMAGES:]:
        path.unlink(missing_ok=True)

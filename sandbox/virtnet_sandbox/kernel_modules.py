# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel modules a guest needs, in the form its `modprobe` reads."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from .cpio import File

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def collect(tree: Path, wanted: Iterable[str]) -> dict[str, File]:
    """The wanted modules with all they depend on, and a modules.dep for them.

    What the tree does not have is built into the kernel: which parts are, changes from release to release.
    """
    version = tree.name
    files = {path.name.split(".")[0].replace("-", "_"): path for path in tree.rglob("*.ko*")}
    content: dict[str, bytes] = {}
    depends: dict[str, list[str]] = {}

    def add(name: str) -> None:
        if name in content or name not in files:
            return
        content[name] = _unpacked(files[name])
        match = _DEPENDS.search(content[name])
        names = match.group(1).decode().replace("-", "_").split(",") if match else []
        depends[name] = [other for other in names if other in files]
        for other in depends[name]:
            add(other)

    def all_below(name: str) -> list[str]:
        """In the order of modules.dep: what has to be loaded first stands last."""
        found: list[str] = []
        for other in depends[name]:
            for one in (other, *all_below(other)):
                if one in found:
                    found.remove(one)
                found.append(one)
        return found

    for name in wanted:
        add(name)
    listing = "".join(
        f"{name}.ko: {' '.join(f'{other}.ko' for other in all_below(name))}".rstrip() + "\n" for name in content
    )
    result = {f"lib/modules/{version}/{name}.ko": File(data) for name, data in content.items()}
    result[f"lib/modules/{version}/modules.dep"] = File(listing.encode())
    return result


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".ko":
        return data
    if path.suffix == ".xz":
        return lzma.decompress(data)
    raise ValueError(f"{path}: this compression of kernel modules is not known")

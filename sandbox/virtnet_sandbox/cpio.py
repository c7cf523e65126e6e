# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a cpio archive in the kernel's `newc` format, without needing device nodes or a cpio program."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class Link:
    target: str


def archive(entries: Mapping[str, File | Link]) -> bytes:
    """Paths are relative; the folders on the way are added."""
    parts: list[bytes] = []
    folders: set[str] = set()
    for path, entry in entries.items():
        steps = path.split("/")[:-1]
        for depth in range(1, len(steps) + 1):
            folder = "/".join(steps[:depth])
            if folder not in folders:
                folders.add(folder)
                parts.append(_record(len(parts) + 1, folder, stat.S_IFDIR | 0o755, b""))
        if isinstance(entry, Link):
            mode, content = stat.S_IFLNK | 0o777, entry.target.encode()
        else:
            mode, content = stat.S_IFREG | (0o755 if entry.executable else 0o644), entry.content
        parts.append(_record(len(parts) + 1, path, mode, content))
    parts.append(_record(0, "TRAILER!!!", 0, b""))
    return b"".join(parts)


def _record(number: int, name: str, mode: int, content: bytes) -> bytes:
    links = 2 if stat.S_ISDIR(mode) else 1
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + encoded) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)

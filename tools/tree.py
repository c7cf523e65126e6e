# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Know the files of this tree: those that git tracks and new ones that it does not ignore.

    python3 tools/tree.py [--shipped] list            print the files
    python3 tools/tree.py [--shipped] digest          print a hash of their names, modes and contents
    python3 tools/tree.py [--shipped] copy DIRECTORY  make DIRECTORY an exact copy of them

With --shipped, what galaxy.yml leaves out of the collection is left out. The system's Python, which has yaml, runs it.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

import yaml

ROOT = Path(__file__).resolve().parent.parent
# What a copy may hold beyond the files: the history that some tools ask for, and the tools' own caches and results.
KEPT_IN_COPY = {".git", ".ansible", ".mypy_cache", ".ruff_cache", "tests/output"}


def files() -> list[PurePath]:
    """Return the tree's files, relative to its root."""
    # The tree often belongs to an ordinary user while root builds it. git refuses that unless it is told.
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    listing = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        output = subprocess.run(listing, check=True, stdout=subprocess.PIPE).stdout
        names = {PurePath(os.fsdecode(name)) for name in output.split(b"\0") if name}
    else:
        names = set(walk())
    # A file that was deleted but not yet committed is still in git's list.
    return sorted(name for name in names if os.path.lexists(ROOT / name) and not (ROOT / name).is_dir())


def walk() -> Iterator[PurePath]:
    """Yield every file below the root that no line of .gitignore matches, for a tree without git."""
    lines = (ROOT / ".gitignore").read_text().split()
    ignored = [line.strip("/") for line in lines if not line.startswith("#")] + [".git"]
    for directory, subdirectories, names in os.walk(ROOT):
        here = PurePath(directory).relative_to(ROOT)
        subdirectories[:] = [name for name in subdirectories if not matches(here / name, ignored)]
        yield from (here / name for name in names if not matches(here / name, ignored))


def matches(path: PurePath, patterns: list[str]) -> bool:
    """Tell whether a pattern fits the path from the root or its last part."""
    return any(fnmatch.fnmatch(str(path), pattern) or fnmatch.fnmatch(path.name, pattern) for pattern in patterns)


def shipped(names: list[PurePath]) -> list[PurePath]:
    """Return the files that `ansible-galaxy collection build` would take."""
    left_out = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]

    def is_left_out(name: PurePath) -> bool:
        prefixes = [name, *name.parents]
        return any(fnmatch.fnmatch(str(prefix), pattern) for prefix in prefixes for pattern in left_out)

    return [name for name in names if not is_left_out(name)]


def digest(names: list[PurePath]) -> str:
    """Return a hash that changes when a file appears, vanishes or changes."""
    total = hashlib.sha256()
    for name in names:
        path = ROOT / name
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        mode = path.lstat().st_mode
        total.update(f"{name}\0{mode:o}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def copy(names: list[PurePath], target: Path) -> None:
    """Make the target hold the files and nothing else. Unchanged files are left alone, so that caches stay good."""
    wanted = {str(name) for name in names}
    for directory, subdirectories, present in os.walk(target):
        here = PurePath(directory).relative_to(target)
        subdirectories[:] = [name for name in subdirectories if str(here / name) not in KEPT_IN_COPY]
        links = [name for name in subdirectories if (Path(directory) / name).is_symlink()]
        for name in [*present, *links]:
            if str(here / name) not in wanted:
                (Path(directory) / name).unlink()
    for path in names:
        source, destination = ROOT / path, target / path
        if not same(source, destination):
            remove(destination)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination, follow_symlinks=False)
    # A folder whose last file went must go too: an empty role or package would still be seen.
    for directory, _subdirectories, _present in os.walk(target, topdown=False):
        if PurePath(directory).relative_to(target).parts[:1] != (".git",) and not os.listdir(directory):
            os.rmdir(directory)


def same(source: Path, destination: Path) -> bool:
    """Tell whether the destination is an up to date copy."""
    if not os.path.lexists(destination):
        return False
    one, other = source.lstat(), destination.lstat()
    return (one.st_mode, one.st_size, one.st_mtime_ns) == (other.st_mode, other.st_size, other.st_mtime_ns)


def remove(path: Path) -> None:
    """Remove whatever is at the path, also a folder where a file is to come."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("verb", choices=["list", "digest", "copy"])
    parser.add_argument("directory", nargs="?", type=Path)
    arguments = parser.parse_args()
    names = files()
    if arguments.shipped:
        names = shipped(names)
    if arguments.verb == "list":
        sys.stdout.write("".join(f"{name}\n" for name in names))
    elif arguments.verb == "digest":
        sys.stdout.write(f"{digest(names)}\n")
    elif arguments.directory is None:
        parser.error("copy needs a DIRECTORY")
    else:
        arguments.directory.mkdir(parents=True, exist_ok=True)
        copy(names, arguments.directory)


if __name__ == "__main__":
    main()

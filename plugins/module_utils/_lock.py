# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One run changes the host at a time: a lock the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import LockTimeout, VirtNetError

# Longer than a task of many network starts takes (about half a second each), shorter than an administrator's patience.
TIMEOUT_S = 300.0
_POLL_S = 0.1


def _directory() -> str:
    """Private to the user: a lock in a world-writable folder could be taken, or replaced by a link, by anyone."""
    base = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    path = os.path.join(base, "virtnet.hypervisor")
    try:
        with contextlib.suppress(FileExistsError):  # What exists is looked at below.
            os.makedirs(path, mode=0o700)
        status = os.lstat(path)
    except OSError as error:
        raise VirtNetError(
            f"The folder {path} for the lock cannot be made: {error.strerror}. Run as root (become)"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise VirtNetError(f"{path} is not a folder of this user. Remove it and run again")
    return path


@contextlib.contextmanager
def host_lock(timeout: float = TIMEOUT_S) -> Iterator[None]:
    """Hold the host's lock. Raises LockTimeout, naming the holder, when it is not free within ``timeout`` seconds."""
    path = os.path.join(_directory(), "lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise VirtNetError(f"The lock {path} cannot be opened: {error.strerror}. Remove it and run again") from error
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise LockTimeout(
                    f"Another run of this collection (process {holder}) has held {path} for over {timeout:.0f} s. "
                    "Wait for it or end it, then run again"
                )
            time.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)

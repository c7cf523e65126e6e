# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox on another kernel: Debian's User-Mode Linux, an ordinary program that boots in two seconds.

It has what the kernel of a machine for continuous integration often lacks: 802.1Q devices and bridges that filter
VLANs. Its root file system is the host's (hostfs), and in it a sandbox opens as it does without it.

See https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import kernel
from .requirements import SEARCH_PATH, NotReady
from .signals import FORWARDED

_HERE = Path(__file__).resolve().parents[1]
_INIT = _HERE / "kernel-init"
_MEMORY = "2048M"
_PROGRAM = "linux.uml"


def check() -> None:
    """Raises NotReady."""
    missing = [each for each in (_PROGRAM, "modprobe") if shutil.which(each, path=SEARCH_PATH) is None]
    if missing:
        raise NotReady(f"these programs are missing for --kernel: {', '.join(missing)}. Run: make setup")


def run(command: list[str], *, tie_to_parent: bool) -> int:
    """Exit code of the command, run in a sandbox on that kernel."""
    if tie_to_parent:
        kernel.die_with_parent()
    with tempfile.TemporaryDirectory(prefix="virtnet-kernel-") as name:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if key != "TMPDIR"}
        if not os.isatty(1):
            # The console is a terminal, whatever is behind it.
            environment.update(TERM="dumb", NO_COLOR="1")
        # The end of what is piped into a terminal would not arrive.
        call = {"folder": os.getcwd(), "command": command, "environment": environment, "interactive": os.isatty(0)}
        (folder / "call.json").write_text(json.dumps(call), encoding="utf-8")
        return _boot(folder)


def _boot(folder: Path) -> int:
    log = folder / "kernel.log"
    console = os.dup(0), os.dup(1)
    with open(log, "wb") as file:
        # In a process namespace of its own: with its first process all others end, however that one ends.
        process = subprocess.Popen(
            [
                *("unshare", "--pid", "--mount-proc", "--fork", "--kill-child", "--"),
                *(_program(), f"mem={_MEMORY}", "rootfstype=hostfs", "rw", f"init={_INIT}", "con=null"),
                *(f"con0=fd:{console[0]},fd:{console[1]}", "quiet", "loglevel=0", "panic=-1", f"VIRTNET_CALL={folder}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=console,
            env={"PATH": SEARCH_PATH, "TMPDIR": "/dev/shm", "HOME": str(folder)},
            start_new_session=True,
        )
        for number in FORWARDED:
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
        try:
            process.wait()
        finally:
            process.kill()
            process.wait()
    try:
        return int((folder / "exit").read_text(encoding="ascii"))
    except (OSError, ValueError):
        said = log.read_text(encoding="utf-8", errors="replace")
        print(f"sandbox/run: the kernel ended before the command did. It said:\n{said}", file=sys.stderr)
        return 70


def _program() -> str:
    return shutil.which(_PROGRAM, path=SEARCH_PATH) or _PROGRAM

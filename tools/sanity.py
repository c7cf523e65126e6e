# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity --local` over a copy of the tree in build/sanity.

ansible-test works only inside a folder named ansible_collections/virtnet/hypervisor, and it resolves links, hence the
copy. The tests that depend on the Python version run for every supported version that this machine has. Arguments go
to ansible-test: `make test-sanity ARGS='--test validate-modules'` runs one test. build/venv's Python runs this script.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ansible_test._internal.constants import SUPPORTED_PYTHON_VERSIONS
from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import REQUIREMENTS_SCRIPT_PATH, get_venv_packages

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "build/venv"
COPY = ROOT / "build/sanity/ansible_collections/virtnet/hypervisor"

# ansible-test downloads a script that puts pip into an empty virtual environment. This does the same with the pip that
# comes with Python, so that the tests run where only a package index can be reached.
BOOTSTRAP = '''\
"""Put pip into an empty virtual environment, as the script that ansible-test would download here does."""

import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet"] + wanted))
'''


def main() -> int:
    """Copy the tree, see to pip and the Pythons, and run ansible-test."""
    with user_lock():
        subprocess.run(["/usr/bin/python3", str(ROOT / "tools/tree.py"), "copy", str(COPY)], check=True)
        if not (COPY / ".git").exists():
            # Without a history of its own, ansible-test would ask the tree's git, which ignores build/.
            subprocess.run(["git", "init", "--quiet", str(COPY)], check=True)
        provide_bootstrap()
        command = [str(VENV / "bin/ansible-test"), "sanity", "--local", "--requirements", "--color", "no"]
        environment = {**os.environ, "PATH": search_path()}
        return subprocess.run(
            [*command, *sys.argv[1:]], cwd=COPY, env=environment, check=False, stdin=subprocess.DEVNULL
        ).returncode


@contextlib.contextmanager
def user_lock() -> Iterator[None]:
    """Let one run at a time, of any tree, fill the cache that ansible-test keeps in the user's home."""
    directory = Path("~/.ansible/test").expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "virtnet.hypervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("sanity: waiting for another run to end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def provide_bootstrap() -> None:
    """Put our bootstrap script where ansible-test would cache its download, unless something is there."""
    tree = ast.parse(Path(REQUIREMENTS_SCRIPT_PATH).read_text())
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    for template in strings:
        if not template.endswith("/get_pip_%s.py"):
            continue
        for version in SUPPORTED_PYTHON_VERSIONS:
            pip = get_venv_packages(NativePythonConfig(version=version))["pip"]
            path = Path(template % pip.replace(".", "_")).expanduser()
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(BOOTSTRAP)


def search_path() -> str:
    """Return a PATH on which ansible-test finds every Python that works here, and none that does not.

    It takes the first pythonX.Y for its word, but a version manager's stand-in fails when that version is not chosen.
    """
    directories = [directory for directory in os.get_exec_path() if not has_broken_python(Path(directory))]
    managed = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for version in SUPPORTED_PYTHON_VERSIONS:
        name = f"python{version}"
        if shutil.which(name, path=os.pathsep.join(directories)) is None:
            found = [path for path in sorted(managed.glob(f"versions/{version}.*/bin/{name}")) if works(path)]
            # Last, so that nothing else in there hides a command of the system.
            directories += [str(path.parent) for path in found[-1:]]
    return os.pathsep.join([str(VENV / "bin"), *directories])


def has_broken_python(directory: Path) -> bool:
    """Tell whether a Python in the directory does not start."""
    candidates = [directory / f"python{version}" for version in SUPPORTED_PYTHON_VERSIONS]
    return any(not works(path) for path in candidates if path.exists())


def works(python: Path) -> bool:
    """Tell whether the Python starts."""
    return subprocess.run([python, "-I", "-c", ""], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

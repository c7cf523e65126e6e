# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may import what in plugins/, read from the sources themselves. A new room fails here until it is in ROOMS."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = "ansible_collections.virtnet.hypervisor.plugins.module_utils"
HEADER = """\
# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""


@dataclass(frozen=True)
class Room:
    """``purpose`` in a word, and what may be imported: rooms of this collection, and packages from outside of it.

    The standard library is free to all but the documentation, as far as LOCKED does not give a part of it to one room.
    """

    purpose: str
    rooms: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    standard_library: bool = True


# The longest fitting beginning of a path counts.
ROOMS = {
    "plugins/doc_fragments/": Room("documentation", standard_library=False),
    "plugins/filter/": Room("the filters", ("_model.",), ("ansible.errors.AnsibleFilterError",)),
    "plugins/modules/": Room("modules", ("",), ("ansible.module_utils.basic.AnsibleModule",), standard_library=False),
    "plugins/module_utils/_model/": Room("the model", ("_model.",)),
    "plugins/module_utils/_plan/": Room("the planner", ("_model.", "_plan.")),
    "plugins/module_utils/_link/": Room("the link room", ("_link.", "_model.", "_plan.", "_errors."), ("pyroute2.",)),
    "plugins/module_utils/_libvirt/": Room(
        "the libvirt room", ("_libvirt.", "_model.", "_plan.", "_errors."), ("libvirt.", "lxml.")
    ),
    "plugins/module_utils/_nft/": Room("the nft room", ("_nft.", "_model.", "_plan.", "_errors.")),
    "plugins/module_utils/_errors.py": Room("the errors"),
    "plugins/module_utils/_lock.py": Room("the lock", ("_errors.",)),
    "plugins/module_utils/_yaml.py": Room("the diff's YAML"),
    "plugins/module_utils/_params.py": Room("the argument specifications", ("_errors.", "_model.")),
    "plugins/module_utils/_deps.py": Room("the search for libraries", (), ("ansible.module_utils.",)),
    "plugins/module_utils/_run.py": Room(
        "the flow",
        ("_errors.", "_lock.", "_plan.outcome.", "_yaml."),
        ("ansible.module_utils.basic.AnsibleModule",),
    ),
    "plugins/module_utils/_bridge_task.py": Room("a task", ("",)),
    "plugins/module_utils/_network_task.py": Room("a task", ("",)),
    "plugins/module_utils/_network_info.py": Room("a task", ("",)),
    "plugins/module_utils/_vlan_task.py": Room("a task", ("",)),
}

# Parts of the standard library, and names, that belong to one place.
LOCKED = {
    "fcntl": (("_lock.py",), "the lock is the only file that locks"),
    "importlib": (("_deps.py",), "imports are written down, and only _deps looks for what may be missing"),
    "pkgutil": ((), "imports are written down"),
    "runpy": ((), "imports are written down"),
    "subprocess": (("_nft/",), "only the nft room runs programs"),
    "pty": ((), "no room runs programs"),
}
CALLS = {
    "__import__": (("_deps.py",), "imports are written down, and only _deps looks for what may be missing"),
    "eval": ((), "no text becomes code"),
    "exec": ((), "no text becomes code"),
    "compile": ((), "no text becomes code"),
}
LEAVING = ("exit_json", "fail_json", "fail_json_aws")
RUNS_PROGRAMS = ("system", "popen", "run_command", "execv", "execve", "execvp", "posix_spawn", "posix_spawnp")


def broken_rules(path: PurePosixPath, source: str) -> Iterator[str]:
    """What is wrong with a file, each in a sentence that says the rule."""
    room = next((ROOMS[each] for each in sorted(ROOMS, key=len, reverse=True) if str(path).startswith(each)), None)
    if room is None:
        yield f"{path} is in a new room. Say in ROOMS, in {Path(__file__).name}, what it is and may import."
        return
    if HEADER not in source[: len(HEADER) + 100]:
        yield f"{path} does not begin with the licence header that every file has."
    try:
        tree = ast.parse(source, feature_version=(3, 9))
    except SyntaxError as error:
        yield f"{path}, line {error.lineno}: this is no Python 3.9, which managed hosts may have."
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in imported(node):
                yield from wrong_import(path, room, node.lineno, name)
        else:
            yield from wrong_use(path, room, node)


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Full dotted names. A relative import keeps its dots, a wildcard its star."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)


def wrong_import(path: PurePosixPath, room: Room, line: int, name: str) -> Iterator[str]:
    where = f"{path}, line {line}: "
    if name.startswith("."):
        yield f"{where}imports are absolute, so that all can be found by their full name."
    elif name.endswith(".*"):
        yield f"{where}a wildcard import hides what is imported. Name it."
    elif name.startswith(HERE):
        inner = name[len(HERE) + 1 :] + "."
        if not inner.startswith(room.rooms):
            yield f"{where}{room.purpose} may not import {inner[:-1]}. {may_import(room)}"
    else:
        top = name.partition(".")[0]
        if top in LOCKED and not {path.name, path.parent.name + "/"} & set(LOCKED[top][0]):
            yield f"{where}{name} is not for here: {LOCKED[top][1]}."
        is_free = top == "__future__" or (room.standard_library and top in sys.stdlib_module_names)
        if not is_free and not f"{name}.".startswith(room.packages or "nothing at all"):
            yield f"{where}{room.purpose} may not import {name}. {may_import(room)}"


def may_import(room: Room) -> str:
    rooms = [f"{each}*".replace(".*", "") if each else "all of module_utils" for each in room.rooms]
    packages = [each.rstrip(".") for each in room.packages]
    library = ["the standard library"] if room.standard_library else []
    return f"It may import: {', '.join([*library, *rooms, *packages]) or 'nothing'}."


def wrong_use(path: PurePosixPath, room: Room, node: ast.AST) -> Iterator[str]:
    name = getattr(node, "id", None) if isinstance(node, ast.Name) else getattr(node, "attr", None)
    where = f"{path}, line {getattr(node, 'lineno', 0)}: "
    if name in CALLS and isinstance(node, ast.Name) and path.name not in CALLS[name][0]:
        yield f"{where}{name} is not for here: {CALLS[name][1]}."
    if name in LEAVING and room.purpose not in ("modules", "the flow", "the search for libraries"):
        yield f"{where}{name} is not for here: the engine raises, and only the flow, _deps and the modules leave."
    if name in RUNS_PROGRAMS and isinstance(node, ast.Attribute):
        yield f"{where}{name} is not for here: no room runs programs."


def sources() -> list[Path]:
    found = sorted((ROOT / "plugins").rglob("*.py"))
    assert found, "there is nothing to look at"
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_import_rules(path: Path) -> None:
    problems = list(broken_rules(PurePosixPath(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
    assert not problems, "\n" + "\n".join(problems)


def test_only_python_is_in_plugins() -> None:
    others = [path for path in (ROOT / "plugins").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert others == [], "what is no Python is not looked at here"


def test_every_rule_is_about_something() -> None:
    names = [str(path.relative_to(ROOT)) for path in sources()]
    unused = [each for each in ROOMS if not any(name.startswith(each) for name in names)]
    assert unused == [], "ROOMS has rooms that are not there any more"


ENGINE = "plugins/module_utils"


@pytest.mark.parametrize(
    ("path", "line", "sentence"),
    [
        (f"{ENGINE}/_model/a.py", "import libvirt", "the model may not import libvirt. It may import: the standard"),
        (f"{ENGINE}/_model/a.py", f"from {HERE}._plan import outcome", "the model may not import _plan.outcome"),
        (f"{ENGINE}/_model/a.py", f"from {HERE} import _plan", "the model may not import _plan"),
        (f"{ENGINE}/_model/a.py", "def f():\n    from ansible.errors import X", "the model may not import ansible"),
        (f"{ENGINE}/_plan/a.py", f"from {HERE}._errors import E", "the planner may not import _errors.E"),
        (f"{ENGINE}/_plan/a.py", f"from {HERE}._libvirt.read import r", "the planner may not import _libvirt.read.r"),
        (
            f"{ENGINE}/_plan/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lxml",
            "the planner may not import lxml",
        ),
        (f"{ENGINE}/_link/a.py", "import libvirt", "the link room may not import libvirt"),
        (f"{ENGINE}/_link/a.py", "import lxml.etree", "the link room may not import lxml.etree"),
        (f"{ENGINE}/_libvirt/a.py", "from pyroute2 import IPRoute", "the libvirt room may not import pyroute2"),
        (f"{ENGINE}/_network_task.py", "import libvirt", "a task may not import libvirt"),
        (f"{ENGINE}/_network_task.py", "from ansible.module_utils.basic import AnsibleModule", "may not import"),
        (f"{ENGINE}/_run.py", "from ansible.module_utils.basic import env_fallback", "the flow may not import ansible"),
        (f"{ENGINE}/_run.py", f"from {HERE}._libvirt.read import read", "the flow may not import _libvirt.read.read"),
        ("plugins/modules/a.py", "import os", "modules may not import os"),
        ("plugins/modules/a.py", "from ansible.module_utils.basic import *", "a wildcard import hides"),
        ("plugins/modules/a.py", "from ..module_utils import _run", "imports are absolute"),
        (f"{ENGINE}/_run.py", "import fcntl", "the lock is the only file that locks"),
        (f"{ENGINE}/_run.py", "import importlib", "only _deps looks for what may be missing"),
        (f"{ENGINE}/_run.py", "a = __import__('libvirt')", "only _deps looks for what may be missing"),
        (f"{ENGINE}/_link/a.py", "import subprocess", "only the nft room runs programs"),
        (f"{ENGINE}/_link/a.py", "import os\nos.system('ip link')", "no room runs programs"),
        (f"{ENGINE}/_libvirt/a.py", "def f(module):\n    module.fail_json(msg='')", "the engine raises"),
        (f"{ENGINE}/_yaml.py", "a = eval('1')", "no text becomes code"),
        (f"{ENGINE}/_yaml.py", "match 1:\n    case 1: pass", "this is no Python 3.9"),
        (f"{ENGINE}/_persist/read.py", "", "is in a new room. Say in ROOMS"),
        (f"{ENGINE}/_other.py", "", "is in a new room"),
        ("plugins/action/a.py", "", "is in a new room"),
    ],
)
def test_a_violation_is_told_with_its_rule(path: str, line: str, sentence: str) -> None:
    assert any(sentence in each for each in broken_rules(PurePosixPath(path), f"{HEADER}\n{line}\n"))


def test_a_missing_header_is_told() -> None:
    assert any("licence header" in each for each in broken_rules(PurePosixPath(f"{ENGINE}/_yaml.py"), "import json\n"))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (f"{ENGINE}/_model/a.py", f"import re\nfrom {HERE}._model import kinds"),
        (f"{ENGINE}/_plan/a.py", f"from {HERE}._model.network import Network"),
        (f"{ENGINE}/_link/a.py", "from pyroute2.netlink.exceptions import NetlinkError"),
        (f"{ENGINE}/_libvirt/a.py", "import libvirt\nfrom lxml import etree"),
        (f"{ENGINE}/_lock.py", "import fcntl"),
        (f"{ENGINE}/_network_task.py", f"from {HERE}._libvirt.read import read_hypervisor"),
        ("plugins/modules/a.py", f"from ansible.module_utils.basic import AnsibleModule\nfrom {HERE}._run import r"),
    ],
)
def test_what_is_allowed_passes(path: str, line: str) -> None:
    assert list(broken_rules(PurePosixPath(path), f"{HEADER}\nfrom __future__ import annotations\n{line}\n")) == []

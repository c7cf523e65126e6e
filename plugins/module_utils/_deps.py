# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Python libraries of the target: found, or looked for under the system's Python, or named in one clear error.

Distributions build the bindings (libvirt, lxml, pyroute2) for their own Python only, and Ansible may run modules with
another one. Then the module starts itself again under the system's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

_SYSTEM_PYTHONS = ("/usr/libexec/platform-python", "/usr/bin/python3")

# import name -> (what to install with pip, Debian's package)
_PACKAGES = {
    "libvirt": ("libvirt-python", "python3-libvirt"),
    "lxml": ("lxml", "python3-lxml"),
    "pyroute2": ("pyroute2 >= 0.5.14", "python3-pyroute2"),
}


def require(module: AnsibleModule, libraries: Sequence[str]) -> None:
    """Return when all ``libraries`` can be imported. Otherwise respawn, or fail naming each missing one."""
    missing = [name for name in libraries if not _importable(name)]
    if not missing:
        return
    if not has_respawned():
        # The rarest is libvirt's binding; where it is, the others are expected, and else named after the respawn.
        interpreter = probe_interpreters_for_module(_SYSTEM_PYTHONS, missing[0])
        if interpreter:
            respawn_module(interpreter)
    module.fail_json(
        msg=" ".join(
            missing_required_lib(f"{name} ({_PACKAGES[name][0]} on PyPI, {_PACKAGES[name][1]} on Debian)")
            for name in missing
        )
    )


def _importable(name: str) -> bool:
    try:
        # A package without its compiled part is found but cannot be imported: only the import tells.
        return importlib.util.find_spec(name) is not None and bool(__import__(name))
    except ImportError:
        return False

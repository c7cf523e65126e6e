# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The plan of one network while it is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import DeclaredNetwork, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenNetwork
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem, Step


@dataclass
class Draft:
    """``after`` is what the persistent definition becomes, None where the network goes away.

    ``pending`` is what runs and will be something else from the next start on.
    """

    declared: DeclaredNetwork
    seen: Optional[SeenNetwork]
    after: Optional[Network] = None
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pending: Mapping[str, Any] = field(default_factory=dict)
    restarts: bool = False

    def refuse(self, option: str, text: str) -> None:
        self.problems.append(Problem(f"network {self.declared.name!r}: {option}: {text}"))

    def warn(self, option: str, text: str) -> None:
        self.warnings.append(f"network {self.declared.name!r}: {option}: {text}")

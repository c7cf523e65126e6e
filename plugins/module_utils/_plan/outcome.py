# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a planner returns: steps in order, the difference they make, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One change at the backend. ``words`` say it to the user."""

    words: str


@dataclass(frozen=True)
class Difference:
    """What changes of one object, before and after, in the names of the options."""

    title: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """Why the declared state cannot be had.

    ``missing`` is for something that must exist first. An earlier task of the play may make it, and in check mode it
    has not: then it is a warning, or no play that builds on itself could be checked.
    """

    text: str
    missing: bool = False


@dataclass(frozen=True)
class Plan:
    steps: Sequence[Step] = ()
    differences: Sequence[Difference] = ()
    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()
    # Further values for the module's result, by name.
    result: Mapping[str, Any] = field(default_factory=dict)

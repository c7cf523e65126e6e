# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The errors of the engine. Each carries a message that is complete for the user: option, object, way out."""

from __future__ import annotations

from collections.abc import Sequence


class VirtNetError(Exception):
    """Base of all errors the engine raises on purpose."""


class InvalidDeclaration(VirtNetError):
    """What was declared cannot be had. Raised before anything is changed, with every problem found."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        count = len(self.problems)
        head = "Nothing was changed: " if count == 1 else f"Nothing was changed, {count} problems: "
        super().__init__(head + " | ".join(self.problems))


class Unreachable(VirtNetError):
    """The hypervisor or the kernel interface does not answer."""


class LockTimeout(VirtNetError):
    """Another run on this host holds the lock."""


class ReadFailed(VirtNetError):
    """The present state could not be read, so nothing was planned."""


class ApplyFailed(VirtNetError):
    """A step failed. The steps before it have been done; the next run continues from there."""


class VerifyFailed(VirtNetError):
    """All steps were done, but the state read afterwards is not the declared one."""

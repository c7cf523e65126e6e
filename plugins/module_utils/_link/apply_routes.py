# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Routes of the main table over rtnetlink."""

from __future__ import annotations

import errno
import time

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.route_messages import route_message
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import Socket
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route

# How long a new IPv6 address may search for duplicates before a route can use it as its source.
_PATIENCE = 10.0
_PAUSE = 0.1


def apply_route(route: Route, index: int, words: str, *, remove: bool = False) -> None:
    """Put or remove a route through the link with the index. Raises ApplyFailed with the kernel's reason."""
    request = route_message(route, index, remove=remove)
    deadline = time.monotonic() + _PATIENCE
    with Socket() as kernel:
        while True:
            (refused,) = kernel.change([request])
            if refused is None:
                return
            may_wait = refused.number == errno.EINVAL and ":" in (route.source or "")
            if not may_wait or time.monotonic() > deadline:
                raise ApplyFailed(f"the kernel refuses to {words}: {refused}")
            time.sleep(_PAUSE)

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The kernel's links over rtnetlink. The only file that imports pyroute2, so the quirks of its versions live here.

Works alike from pyroute2 0.5.14 (EL 9) to 0.9: results are wrapped in list(), attributes read with get_attr(), and
nothing is filtered in the kernel by kind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import Unreachable, VirtNetError
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.messages import LinkMessage, link_request, links
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import Socket

try:
    import pyroute2
    from pyroute2.netlink.exceptions import NetlinkError
except ImportError:
    pyroute2 = None
    NetlinkError = OSError


class Route:
    """The kernel's rtnetlink in the network namespace of this process, spelled as pyroute2 spells it.

    Addresses, forwarding entries and VLANs of ports go through pyroute2, links without it (see messages.py).
    """

    def __init__(self) -> None:
        self._library: Any = None
        self._kernel = Socket()

    def close(self) -> None:
        self._kernel.close()
        if self._library is not None:
            self._library.close()

    def __getattr__(self, name: str) -> Any:
        if self._library is None:
            self._library = pyroute2.IPRoute()
        return getattr(self._library, name)

    def link(self, command: str, **options: Any) -> None:
        """Change a link. Raises OSError with the kernel's reason."""
        (refusal,) = self._kernel.change([link_request(command, **options)])
        if refusal is not None:
            raise OSError(refusal.number, str(refusal))

    def get_links(self) -> list[LinkMessage]:
        return links(self._kernel)


@contextlib.contextmanager
def opened() -> Iterator[Route]:
    """A way to the kernel."""
    if pyroute2 is None:
        raise Unreachable(
            "The Python library pyroute2 (>= 0.5.14) is missing on the target, and the host's network devices are "
            "changed with it. Install it for the Python that runs modules (python3-pyroute2 on Debian)"
        )
    route = Route()
    try:
        yield route
    finally:
        route.close()


@contextlib.contextmanager
def netlink_errors(kind: type[VirtNetError], doing: str) -> Iterator[None]:
    """Turn the kernel's refusal into ``kind``, saying what was being done."""
    try:
        yield
    except (NetlinkError, OSError) as error:
        number = getattr(error, "code", 0)
        reason = os.strerror(number) if number in errno.errorcode else getattr(error, "strerror", "") or str(error)
        raise kind(f"the kernel refuses to {doing}: {reason}") from error


# enum rtm_type and the NLM_F_ flags, include/uapi/linux/rtnetlink.h and netlink.h.
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400

# Deleting is spelled with its flags: pyroute2 before 0.6.10 adds NLM_F_EXCL, which Linux 5.19 and newer take for
# NLM_F_BULK and refuse. See https://github.com/svinota/pyroute2/issues/923
DELETE_ADDRESS = (_RTM_DELADDR, _REQUEST | _ACK)
# Done again, it succeeds again.
PUT_ADDRESS = (_RTM_NEWADDR, _REQUEST | _ACK | _CREATE | _REPLACE)


def index_of(name: str) -> int:
    """Index of a link by its name. Raises VirtNetError where it has gone."""
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise VirtNetError(f"the device {name} is not there any more") from error

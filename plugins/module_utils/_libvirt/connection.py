# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Connections to libvirt, and its errors in the collection's terms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import Unreachable, VirtNetError

try:
    import libvirt
except ImportError:
    libvirt = None  # _deps.require() reports it before anything here is called.


def is_this_host(uri: str) -> bool:
    """Whether the URI is a real hypervisor on this host, so that its devices are the devices seen here."""
    parts = urlsplit(uri)
    return not parts.netloc and not parts.scheme.startswith("test")


@contextlib.contextmanager
def connected(uri: str) -> Iterator[libvirt.virConnect]:
    """An open connection. Raises Unreachable with the way out."""
    # By default libvirt also prints each error to stderr, which Ansible would show as module noise.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        connection = libvirt.open(uri)
    except libvirt.libvirtError as error:
        raise Unreachable(_unreachable(uri, error)) from error
    try:
        yield connection
    finally:
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()


def _unreachable(uri: str, error: libvirt.libvirtError) -> str:
    says = f"uri: libvirt does not answer at {uri!r}: {error}"
    # A wrong path in a URI is an "internal error" to libvirt; only its text tells.
    if error.get_error_code() in (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_ARG) or " URI " in str(error):
        return f"{says}. Give a URI that libvirt knows, such as qemu:///system, xen:///system or qemu+ssh://host/system"
    if is_this_host(uri):
        return (
            f"{says}. Start the daemon (systemctl start libvirtd, or virtqemud.socket and virtnetworkd.socket where "
            "libvirt is modular) and look at its log with journalctl -u libvirtd"
        )
    return f"{says}. Check that the host can be reached and that its libvirt daemon runs"


@contextlib.contextmanager
def libvirt_errors(kind: type[VirtNetError], doing: str) -> Iterator[None]:
    """Turn libvirt's error into ``kind``, saying what was being done."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise kind(f"libvirt refuses {doing}: {error}") from error

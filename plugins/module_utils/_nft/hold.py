# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A copy of a network's iptables rules that stands in while libvirt makes its own anew.

libvirt removes all rules of a network and inserts them again, one program run each, for every live change of a lease or
a range (networkUpdate() in src/network/bridge_driver.c). For a part of a second its chains refuse or do not translate
what they should pass. The copy is made and removed in one transaction per table, and stands right before libvirt's
chains, so that rules of others have their say before it as they have before libvirt's.

A file in /run tells of a copy that is in force, for the run after one that was killed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.program import program, run

_MARK = Path("/run/virtnet.hypervisor/firewall-held")
# libvirt's chains (src/network/network_iptables.c) and their copies. Each copy is called right before its original: a
# copy of what one network lets out must not come before what another one does not let in.
_COPIES = {
    chain: f"VIRTNET_{chain.partition('_')[2]}"
    for chain in ("LIBVIRT_FWX", "LIBVIRT_FWI", "LIBVIRT_FWO", "LIBVIRT_INP", "LIBVIRT_OUT", "LIBVIRT_PRT")
}
_FAMILIES = ("iptables", "ip6tables")


def can_hold() -> bool:
    """Whether this process may change rules, and the programs for it are there."""
    return os.geteuid() == 0 and all(
        program(f"{family}-{what}") for family in _FAMILIES for what in ("save", "restore")
    )


def is_held() -> bool:
    """Whether a run that was killed has left a copy."""
    return _MARK.exists()


def hold(bridge: str, subnets: Sequence[str]) -> None:
    """Put the copy of the rules about the bridge and the subnets (CIDR) in force. Raises ApplyFailed."""
    _MARK.parent.mkdir(mode=0o700, exist_ok=True)
    _MARK.touch(mode=0o600)
    try:
        for family in _FAMILIES:
            _restore(family, copy_of(_saved(family), bridge, subnets))
    except ApplyFailed:
        release()
        raise


def release() -> None:
    """Remove the copy, or what is there of it. Raises ApplyFailed."""
    for family in _FAMILIES:
        _restore(family, removal_from(_saved(family)))
    _MARK.unlink(missing_ok=True)


def copy_of(saved: str, bridge: str, subnets: Sequence[str]) -> str:
    """Input for iptables-restore --noflush that adds the copy to what iptables-save has printed."""
    lines: list[str] = []
    for table, _chains, rules in _tables(saved):
        copied = [(_COPIES[chain], rest) for chain, rest in rules if _is_about(chain, rest, bridge, subnets)]
        jumps = [jump for jump in _jumps(rules) if jump[2] in {copy for copy, _rest in copied}]
        chains = [copy for _base, _place, copy in jumps]
        if not chains:
            continue
        lines += [f"*{table}", *(f":{copy} - [0:0]" for copy in chains)]
        lines += [f"-A {copy} {rest}" for copy, rest in copied if copy in chains]
        # From the last to the first, so that none moves the place of another.
        lines += [f"-I {base} {place} -j {copy}" for base, place, copy in reversed(jumps)]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


def removal_from(saved: str) -> str:
    """Input for iptables-restore --noflush that removes our chains from what iptables-save has printed."""
    lines: list[str] = []
    for table, there, rules in _tables(saved):
        calls = [(chain, rest) for chain, rest in rules if _target(rest) in _COPIES.values()]
        chains = [copy for copy in _COPIES.values() if copy in there]
        if not chains:
            continue
        lines += [f"*{table}", *(f"-D {chain} {rest}" for chain, rest in calls)]
        lines += [f"-F {copy}" for copy in chains] + [f"-X {copy}" for copy in chains] + ["COMMIT"]
    return "".join(f"{line}\n" for line in lines)


Rule = tuple[str, str]  # Chain and the rest of the rule.


def _tables(saved: str) -> Iterator[tuple[str, list[str], list[Rule]]]:
    """Name, chains and rules of each table that iptables-save has printed."""
    for table, body in re.findall(r"^\*(\w+)\n(.*?)^COMMIT$", saved, re.MULTILINE | re.DOTALL):
        chains = re.findall(r"^:(\S+) ", body, re.MULTILINE)
        yield table, chains, re.findall(r"^-A (\S+) (.*)$", body, re.MULTILINE)


def _target(rest: str) -> str:
    return rest.rpartition("-j ")[2]


def _jumps(rules: Iterable[Rule]) -> list[tuple[str, int, str]]:
    """The places of the calls of libvirt's chains: (calling chain, position in it counted from 1, the copy's name)."""
    position: dict[str, int] = {}
    found = []
    for chain, rest in rules:
        position[chain] = position.get(chain, 0) + 1
        if chain not in _COPIES and _target(rest) in _COPIES:
            found.append((chain, position[chain], _COPIES[_target(rest)]))
    return found


def _is_about(chain: str, rest: str, bridge: str, subnets: Iterable[str]) -> bool:
    if chain not in _COPIES:
        return False
    named = [f"-i {bridge}", f"-o {bridge}", *(f"-s {subnet}" for subnet in subnets)]
    return any(re.search(rf"(?:^| ){re.escape(part)}(?: |$)", rest) for part in named)


def _saved(family: str) -> str:
    return run([program(f"{family}-save")])


def _restore(family: str, text: str) -> None:
    if text:
        run([program(f"{family}-restore"), "--noflush", "--wait"], text)

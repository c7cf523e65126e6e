# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the demo ends: what was made, and the way a packet took through it."""

from __future__ import annotations

_SUMMARY = """
==> Summary

    network    {network}, subnet of {gateway}/24, forward mode nat
    bridge     {bridge}
    tap        {tap}
    guest      {guest}
    MAC        {mac}
    lease      {lease}

{drawing}
The server outside saw {seen} where the guest has {address}.
The second run of the playbook reported changed=0.
The sandbox ends here, and everything above goes with it. Try your own: make sandbox CMD=bash
"""


def text(
    *,
    network: str,
    bridge: str,
    gateway: str,
    tap: str,
    guest: str,
    mac: str,
    address: str,
    lease: str,
    uplink: str,
    uplink_address: str,
    server: str,
    port: int,
    seen: str,
) -> str:
    drawing = _side_by_side(
        [
            ["guest", guest, "eth0", address],
            ["tap", tap],
            ["bridge", bridge, gateway, "DHCP and DNS"],
            ["uplink", uplink, uplink_address, "NAT"],
            ["outside", "TCP server", server, f"port {port}"],
        ]
    )
    return _SUMMARY.format(
        network=network,
        bridge=bridge,
        gateway=gateway,
        tap=tap,
        guest=guest,
        mac=mac,
        lease=lease,
        drawing="\n".join(drawing),
        seen=seen,
        address=address,
    )


def _side_by_side(boxes: list[list[str]]) -> list[str]:
    """Boxes of the same height, joined at their first rows. A terminal of 80 columns has to hold them."""
    height = max(len(box) for box in boxes)
    lines = [""] * (height + 2)
    for number, box in enumerate(boxes):
        width = max(len(row) for row in box)
        border = "+" + "-" * (width + 2) + "+"
        rows = [border, *(f"| {row:{width}} |" for row in (box + [""] * height)[:height]), border]
        for line, row in enumerate(rows):
            lines[line] += ("-" if line == 1 else " ") * bool(number) + row
    return lines

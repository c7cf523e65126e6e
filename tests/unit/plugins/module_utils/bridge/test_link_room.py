# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the link room makes of the kernel's answers, and what it asks for. pyroute2 is played by a stand-in."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed, ReadFailed, Unreachable
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import (
    apply,
    host_files,
    messages,
    netlink,
    read,
    rtnetlink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.link_record import attributes, read_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    Create,
    RemovePort,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import (
    Delete,
    PutAddress,
    RemoveAddress,
)


class Message(dict):  # type: ignore[type-arg]
    """A message or nested attribute: fields by key as pyroute2 has them, and by name; attributes by get_attr()."""

    def __init__(self, attrs: dict[str, Any], **fields: Any) -> None:
        super().__init__(fields)
        self.__dict__.update(fields)
        self._attrs = attrs

    def get_attr(self, name: str) -> Any:
        return self._attrs.get(name)


LINKS = {"br0": 5, "eth1": 6, "br1": 6}


class KernelError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Route:
    """Keeps what it is asked for. ``groups`` are how far each link's group is from the one that was set."""

    def __init__(self, groups: dict[int, int] | None = None) -> None:
        self.groups = {5: 0, 6: 0} if groups is None else groups
        self.asked: list[tuple[Any, ...]] = []

    def link(self, command: Any, **options: Any) -> list[Message]:
        self.asked.append((command, options))
        return []

    def addr(self, command: Any, **options: Any) -> list[Message]:
        self.asked.append((command, options))
        return []

    def get_links(self) -> list[Message]:
        group = next(options["group"] for command, options in self.asked if command == "set")
        return [Message({"IFLA_GROUP": group + offset}, index=index) for index, offset in self.groups.items()]


@pytest.fixture(autouse=True)
def _kernel_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "NetlinkError", KernelError)


@pytest.fixture(autouse=True)
def _links(monkeypatch: pytest.MonkeyPatch) -> None:
    def index_of(name: str) -> int:
        if name not in LINKS:
            raise OSError(errno.ENODEV, "No such device")
        return LINKS[name]

    monkeypatch.setattr(socket, "if_nametoindex", index_of)


STEPS = [
    (
        Create("", "br0", Bridge(mac="02:00:00:00:00:01", stp=True, forward_delay=4, ageing_time=0, priority=7)),
        [
            (
                "add",
                {
                    "ifname": "br0",
                    "kind": "bridge",
                    "state": "up",
                    "IFLA_ADDRESS": "02:00:00:00:00:01",
                    "IFLA_BR_STP_STATE": 1,
                    "IFLA_BR_FORWARD_DELAY": 400,
                    "IFLA_BR_AGEING_TIME": 0,
                    "IFLA_BR_PRIORITY": 7,
                },
            )
        ],
    ),
    (
        Create("", "br0", Bridge()),
        [("add", {"ifname": "br0", "kind": "bridge", "state": "up"})],
    ),
    (Change("", "br0", Bridge(mtu=1400)), [("set", {"index": 5, "IFLA_MTU": 1400})]),
    (
        Change("", "br0", Bridge(hello_time=1, max_age=6, stp=False)),
        [
            (
                "set",
                {
                    "index": 5,
                    "kind": "bridge",
                    "IFLA_BR_HELLO_TIME": 100,
                    "IFLA_BR_MAX_AGE": 600,
                    "IFLA_BR_STP_STATE": 0,
                },
            )
        ],
    ),
    (BringUp("", "br0", "eth1"), [("set", {"index": 6, "state": "up"})]),
    (AddPort("", "br0", "eth1"), [("set", {"index": 6, "master": 5, "state": "up"})]),
    (RemovePort("", "br0", "eth1"), [("set", {"index": 6, "master": 0})]),
    (
        PutAddress("", "br0", "192.0.2.1/24"),
        [((20, 0x505), {"index": 5, "address": "192.0.2.1", "prefixlen": 24, "broadcast": "192.0.2.255"})],
    ),
    (
        PutAddress("", "br0", "192.0.2.0/31"),
        [((20, 0x505), {"index": 5, "address": "192.0.2.0", "prefixlen": 31})],
    ),
    (
        PutAddress("", "br0", "2001:db8::1/64"),
        [((20, 0x505), {"index": 5, "address": "2001:db8::1", "prefixlen": 64})],
    ),
    (
        RemoveAddress("", "br0", "192.0.2.1/24"),
        [((21, 0x5), {"index": 5, "address": "192.0.2.1", "prefixlen": 24})],
    ),
    (Delete("", "br0"), [("del", {"index": 5})]),
]


@pytest.mark.parametrize(("step", "asked"), STEPS, ids=lambda value: type(value).__name__)
def test_steps(step: Any, asked: list[Any]) -> None:
    route = Route()
    apply.apply_bridge_step(route, step, {})
    assert route.asked == asked


def test_indexes_are_remembered() -> None:
    route, indexes = Route(), {"eth1": 6}
    apply.apply_bridge_step(route, AddPort("", "br0", "eth1"), indexes)
    assert indexes == {"br0": 5, "eth1": 6}
    apply.apply_bridge_step(route, Delete("", "br0"), indexes)
    assert indexes == {"eth1": 6}


def test_several_are_deleted_as_a_group() -> None:
    route = Route()
    apply.apply_bridge_step(route, Delete("", "br0", ("br1",)), {})
    group = route.asked[0][1]["group"]
    assert group >= 1 << 20
    assert route.asked == [
        ("set", {"index": 5, "group": group}),
        ("set", {"index": 6, "group": group}),
        ("del", {"group": group}),
    ]


@pytest.mark.parametrize("groups", [{5: 0, 6: 0, 7: 0}, {5: 0, 6: 1}])
def test_group_of_others_is_not_deleted(groups: dict[int, int]) -> None:
    route = Route(groups)
    with pytest.raises(ApplyFailed, match="has others in it"):
        apply.apply_bridge_step(route, Delete("", "br0", ("br1",)), {})
    assert all(command == "set" for command, _options in route.asked)


def test_device_that_has_gone() -> None:
    with pytest.raises(Exception, match="the device eth9 is not there any more"):
        apply.apply_bridge_step(Route(), AddPort("", "br0", "eth9"), {})


def test_refusal_of_the_kernel() -> None:
    with (
        pytest.raises(ReadFailed, match="the kernel refuses to look: Operation not permitted"),
        netlink.netlink_errors(ReadFailed, "look"),
    ):
        raise KernelError(errno.EPERM)
    with (
        pytest.raises(ReadFailed, match=r"the kernel refuses to look: Invalid argument \(Bad index\)"),
        netlink.netlink_errors(ReadFailed, "look"),
    ):
        raise OSError(errno.EINVAL, "Invalid argument (Bad index)")


# Links, byte by byte, laid out by hand after include/uapi/linux/if_link.h.


@pytest.mark.parametrize(
    ("request_", "kind", "flags", "body"),
    [
        (
            messages.link_request("add", ifname="br0", kind="bridge", state="up", IFLA_BR_STP_STATE=1),
            16,
            0x600,
            (
                "00000000 00000000 01000000 01000000"
                "0800 0300 62723000 1c00 1280 0b00 0100 6272696467650000 0c00 0280 0800 0500 01000000"
            ),
        ),
        (
            messages.link_request("add", ifname="a", kind="vlan", link=4, vlan_id=59, vlan_protocol=0x88A8, master=5),
            16,
            0x600,
            (
                "00000000 00000000 00000000 00000000"
                "0600 0300 61000000 0800 0500 04000000 0800 0a00 05000000"
                "2400 1280 0900 0100 766c616e00000000 1400 0280 0600 0100 3b000000 0600 0500 88a80000"
            ),
        ),
        (
            messages.link_request("set", index=7, state="down", mtu=9000, IFLA_ADDRESS="02:00:00:00:00:01"),
            16,
            0,
            "00000000 07000000 00000000 01000000 0800 0400 28230000 0a00 0100 0200000000010000",
        ),
        (messages.link_request("del", group=77), 17, 0, "00000000 00000000 00000000 00000000 0800 1b00 4d000000"),
    ],
)
def test_changes_of_links(request_: rtnetlink.Request, kind: int, flags: int, body: str) -> None:
    if sys.byteorder == "little":
        assert (request_.kind, request_.flags, request_.body.hex()) == (kind, flags, body.replace(" ", ""))


def test_attributes_are_read_as_they_are_written() -> None:
    (info,) = rtnetlink.attributes(
        messages.link_request("add", kind="bridge", IFLA_BR_VLAN_PROTOCOL=0x8100, IFLA_BR_PRIORITY=4096).body[16:]
    )
    link = messages.LinkMessage(rtnetlink.IFINFO.pack(0, 1, 9, 0x41, 0) + rtnetlink.attribute(*info))
    assert (link.hardware, link.index, link.flags) == (1, 9, 0x41)
    found = link.get_attr("IFLA_LINKINFO")
    assert (found.get_attr("IFLA_INFO_KIND"), link.get_attr("IFLA_MTU")) == ("bridge", None)
    data = found.get_attr("IFLA_INFO_DATA")
    assert (data.get_attr("IFLA_BR_VLAN_PROTOCOL"), data.get_attr("IFLA_BR_PRIORITY")) == (0x8100, 4096)


def test_without_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "pyroute2", None)
    with pytest.raises(Unreachable, match="pyroute2"), netlink.opened():
        pass


# Records.


def test_every_property_is_read_as_it_is_written() -> None:
    bridge = Bridge(
        name="br0",
        mac="02:00:00:00:00:01",
        mtu=1400,
        stp=True,
        forward_delay=4,
        hello_time=1,
        max_age=6,
        priority=4096,
        ageing_time=0,
    )
    written = attributes(bridge)
    assert written.pop("kind") == "bridge"
    top = {place: value for place, value in written.items() if not place.startswith("IFLA_BR_")}
    message = Message({**top, "IFLA_IFNAME": "br0"})
    assert read_record(Bridge, message, Message(written)) == bridge


def test_times_that_are_no_whole_seconds_and_a_protocol_in_user_space() -> None:
    data = Message({"IFLA_BR_FORWARD_DELAY": 150, "IFLA_BR_STP_STATE": 2})
    bridge = read_record(Bridge, Message({}), data)
    assert (bridge.forward_delay, bridge.stp) == (1.5, True)


# Reading.


def dump(monkeypatch: pytest.MonkeyPatch, links: list[Message], addresses: list[Message]) -> None:
    monkeypatch.setattr(read, "Socket", contextlib.nullcontext)
    monkeypatch.setattr(read, "links", lambda _route: links)
    monkeypatch.setattr(read, "addresses", lambda _route: addresses)


def link(index: int, name: str, kind: str | None = None, data: Any = None, **attrs: Any) -> Message:
    info = Message({"IFLA_INFO_KIND": kind, "IFLA_INFO_DATA": data}) if kind else None
    found = {"IFLA_IFNAME": name, "IFLA_MTU": 1500, "IFLA_LINKINFO": info, **attrs}
    return Message(found, index=index, flags=1, hardware=1)


@pytest.fixture
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "libvirt_bridges", dict)
    monkeypatch.setattr(host_files, "takes_no_ipv6", lambda *_names, **_options: False)
    monkeypatch.setattr(host_files, "mac_was_set", lambda *_names, **_options: True)
    monkeypatch.setattr(host_files, "machine_id", lambda: "id")


@pytest.mark.usefixtures("_no_files")
def test_links_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Message({"IFLA_BR_ROOT_ID": {"prio": 1}, "IFLA_BR_BRIDGE_ID": {"prio": 2}, "IFLA_BR_STP_STATE": 1})
    dump(
        monkeypatch,
        [
            link(1, "br0", "bridge", data),
            link(2, "br1", "bridge", data),
            link(3, "mvt0", "macvtap", IFLA_LINK=4, IFLA_MASTER=1),
            link(4, "eth0"),
            link(5, "veth0", "veth", IFLA_LINK=4, IFLA_LINK_NETNSID=0),
        ],
        [],
    )
    host = read.read_host(frozenset(["br0", "br9"]))
    assert host.machine_id == "id"
    seen = host.links
    assert seen["br0"].bridge is not None
    assert (seen["br0"].bridge.is_root, seen["br0"].bridge.properties.stp) == (False, True)
    # Only what the task asks for is decoded.
    assert seen["br1"].bridge is None
    assert (seen["mvt0"].below, seen["mvt0"].master, seen["mvt0"].other_namespace) == ("eth0", "br0", False)
    # The number belongs to another namespace, and is not this one's eth0.
    assert (seen["veth0"].below, seen["veth0"].other_namespace) == (None, True)
    assert (seen["eth0"].kind, seen["eth0"].up, seen["eth0"].ethernet) == (None, True, True)


@pytest.mark.usefixtures("_no_files")
def test_addresses_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def address(index: int, flags: int, **attrs: str) -> Message:
        return Message(
            {f"IFA_{name}": value for name, value in attrs.items()}, index=index, prefix_length=24, flags=flags
        )

    dump(
        monkeypatch,
        [link(1, "br0"), link(2, "br1")],
        [
            address(1, 0x80, LOCAL="192.0.2.1", ADDRESS="192.0.2.1"),
            address(1, 0x00, LOCAL="192.0.2.2", ADDRESS="192.0.2.2"),
            address(1, 0x80, LOCAL="192.0.2.3", ADDRESS="198.51.100.3"),
            address(1, 0x80, ADDRESS="2001:DB8::1"),
        ],
    )
    found = read.read_host(()).links["br0"]
    assert found.addresses == ("192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "2001:db8::1/24")
    assert found.lasting == ("192.0.2.1/24", "2001:db8::1/24")


# Files.


def test_bridges_of_libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "_LIBVIRT_NETWORKS", tmp_path)
    status = (
        "<networkstatus>\n  <network>\n    <name>{}</name>\n    <metadata>\n      <bridge name='no'/>\n"
        "    </metadata>\n    {}\n    <bridge name='{}' stp='on' delay='0'/>\n  </network>\n</networkstatus>\n"
    )
    (tmp_path / "a.xml").write_text(status.format("a &amp; b", "<forward mode='nat'>", "virbr0"))
    (tmp_path / "b.xml").write_text(status.format("isolated", "", "virbr1"))
    (tmp_path / "c.xml").write_text(status.format("host", "<forward mode='bridge'/>", "br0"))
    (tmp_path / "d.xml").write_text("<networkstatus/>")
    assert host_files.libvirt_bridges() == {"virbr0": "a & b", "virbr1": "isolated"}


def test_host_without_libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "_LIBVIRT_NETWORKS", tmp_path / "none")
    assert host_files.libvirt_bridges() == {}


def test_promoting_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "_SYSCTL", tmp_path)
    setting = tmp_path / "ipv4/conf/br0/promote_secondaries"
    setting.parent.mkdir(parents=True)
    for before in "01":
        setting.write_text(before + "\n")
        with contextlib.suppress(KeyError), host_files.promoting_secondaries("br0"):
            assert setting.read_text().strip() == "1"
            raise KeyError
        assert setting.read_text().strip() == before
    with pytest.raises(ApplyFailed, match="cannot be set to 1"), host_files.promoting_secondaries("br9"):
        pass


def test_ipv6_is_looked_for_where_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "_SYSCTL", tmp_path)
    assert host_files.takes_no_ipv6("br0", exists=True)
    for name, value in (("default", "1"), ("br0", "0")):
        (tmp_path / "ipv6/conf" / name).mkdir(parents=True)
        (tmp_path / "ipv6/conf" / name / "disable_ipv6").write_text(value + "\n")
    assert not host_files.takes_no_ipv6("br0", exists=True)
    assert host_files.takes_no_ipv6("br1", exists=False)

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of virt_net share: short declarations, quick runs, and oracles that know nothing of the collection.

There is no test in this file.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import ipaddress
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import libvirt
from ansible.module_utils import basic
from harness import module, virsh
from harness.places import COLLECTIONS, scratch
from lxml import etree

SUBNET = "192.168.50"
SCHEMA = "/usr/share/libvirt/schemas/network.rng"

# Declarations.


def nat(name: str = "lab", *, subnet: str = SUBNET, bridge: str | None = "virbr-lab", **options: Any) -> dict[str, Any]:
    """Options of a NAT network. DHCP is declared with ``dhcp``."""
    ip: dict[str, Any] = {"address": f"{subnet}.1/24"}
    if "dhcp" in options:
        ip["dhcp"] = options.pop("dhcp")
    declared: dict[str, Any] = {"name": name, "forward": {"mode": "nat"}, "ips": [ip]}
    if bridge:
        declared["bridge"] = {"name": bridge}
    return {**declared, **options}


def span(first: int, last: int, subnet: str = SUBNET, **options: Any) -> dict[str, Any]:
    """A DHCP range."""
    return {"start": f"{subnet}.{first}", "end": f"{subnet}.{last}", **options}


def lease(number: int, subnet: str = SUBNET, **options: Any) -> dict[str, Any]:
    """A fixed lease for guest number N."""
    return {"mac": f"52:54:00:00:50:{number:02x}", "name": f"guest{number}", "ip": f"{subnet}.{number}", **options}


# Runs.


def run(of_module: str = "virt_net", /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """The result of a module run in this process: a hundred times quicker than one of its own.

    Warnings are not part of the result, because Ansible collects them per process. What the module raises is raised.
    """
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    code = importlib.import_module(f"ansible_collections.virtnet.hypervisor.plugins.modules.{of_module}")
    call = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(scratch())}
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": call}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        code.main()
    result: dict[str, Any] = json.loads(printed.getvalue().splitlines()[-1])
    result.pop("warnings", None)
    return result


Runner = Callable[..., dict[str, Any]]


def in_process_of_its_own(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """``run()`` as a target would."""
    return module("virt_net", arguments, check=check)


def succeed(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result["msg"]
    return result


def change(*, with_: Runner = run, **arguments: Any) -> dict[str, Any]:
    """Run, see a change, and see that a second run finds nothing to do."""
    result = succeed(with_(**arguments))
    assert result["changed"]
    assert result["steps"]
    unchanged(with_=with_, **arguments)
    return result


def unchanged(*, with_: Runner = run, **arguments: Any) -> dict[str, Any]:
    """Run, and see that there was nothing to do and that nothing was done."""
    before = documents()
    result = succeed(with_(**arguments))
    assert (result["changed"], result["steps"], result["diff"]) == (False, [], [])
    assert documents() == before
    return result


def refuse(*, with_: Runner = run, nothing_changed: bool = True, **arguments: Any) -> str:
    """Run, see the task refused before the first change, and return the message."""
    before = documents()
    result = with_(**arguments)
    assert result.get("failed"), f"this was accepted, with the steps {result.get('steps')}"
    message: str = result["msg"]
    assert documents() == before
    if nothing_changed:
        assert message.startswith("Nothing was changed"), message
    return message


# Oracles.


def connection() -> libvirt.virConnect:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return libvirt.open("qemu:///system")


def documents() -> dict[str, str]:
    """Each network as libvirt has it: both documents and what its list says."""
    opened = connection()
    found = {}
    for network in opened.listAllNetworks():
        facts = [f"active {network.isActive()}", f"persistent {network.isPersistent()}"]
        if network.isPersistent():
            facts += [f"autostart {network.autostart()}", network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)]
        found[network.name()] = "\n".join([*facts, network.XMLDesc(0)])
    opened.close()
    return found


def definition(name: str = "lab") -> str:
    return _document(name, libvirt.VIR_NETWORK_XML_INACTIVE)


def running(name: str = "lab") -> str:
    return _document(name, 0)


def _document(name: str, flags: int) -> str:
    opened = connection()
    try:
        return str(opened.networkLookupByName(name).XMLDesc(flags))
    finally:
        opened.close()


def xpath(document: str, path: str) -> list[str]:
    """What an XPath expression finds in a document: the text of elements, the values of attributes."""
    found = etree.fromstring(document.encode()).xpath(path)
    assert isinstance(found, list)
    return [each if isinstance(each, str) else (each.text or "") for each in found]


def meaning(document: str) -> Any:
    """What a document says, whatever the order and the spelling in which libvirt takes it for the same."""
    return _meaning(etree.fromstring(document.encode()))


# Lists whose order means something to dnsmasq.
_ORDERED = ("forwarder", "hostname", "option")


def _meaning(element: etree._Element) -> Any:
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    if attributes.get("family") == "ipv4":
        del attributes["family"]
    if "netmask" in attributes:
        attributes["prefix"] = str(ipaddress.ip_network(f"0.0.0.0/{attributes.pop('netmask')}").prefixlen)
    elif element.tag == "ip" and "prefix" not in attributes:
        # virSocketAddrGetIPPrefix() in libvirt's src/util/virsocketaddr.c.
        first = attributes["address"].partition(".")[0]
        attributes["prefix"] = "64" if ":" in first else "8" if int(first) < 128 else "16" if int(first) < 192 else "24"
    attributes = {name: value.lower() if name in ("mac", "address") else value for name, value in attributes.items()}
    children: list[Any] = [_meaning(child) for child in element.iterchildren(etree.Element)]
    ordered = [child for child in children if child[0].rpartition("}")[2] in _ORDERED]
    rest = [child for child in children if child not in ordered]
    text = " ".join("".join(element.xpath("text()")).split())
    return (str(element.tag), sorted(attributes.items()), text, ordered, sorted(rest, key=repr))


@cache
def _schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(SCHEMA))


def assert_valid(document: str) -> None:
    """What virt-xml-validate does, without a process for each document."""
    schema = _schema()
    assert schema.validate(etree.fromstring(document.encode())), f"{schema.error_log}\n{document}"


def assert_all_valid() -> None:
    """Both documents of every network follow libvirt's schema, by the word of libvirt's own tool."""
    path = scratch() / "validate.xml"
    for name in virsh("net-list", "--all", "--name").splitlines():
        for flag in ([], ["--inactive"]) if name else ():
            document = virsh("net-dumpxml", *flag, "--", name)
            path.write_text(document, encoding="utf-8")
            result = subprocess.run(["virt-xml-validate", path, "network"], capture_output=True, text=True, check=False)
            assert result.returncode == 0, f"{result.stderr}\n{document}"


@contextlib.contextmanager
def handed_over() -> Iterator[list[str]]:
    """The documents that run() hands to libvirt during the block."""
    given: list[str] = []
    original = libvirt.virConnect.networkDefineXML

    def define(self: libvirt.virConnect, document: str, *rest: Any) -> Any:
        given.append(document)
        return original(self, document, *rest)

    libvirt.virConnect.networkDefineXML = define
    try:
        yield given
    finally:
        libvirt.virConnect.networkDefineXML = original


def states() -> dict[str, tuple[str, str, str]]:
    """By network: state, autostart, persistent, in the words of virsh net-list."""
    words = ("no", "yes")
    opened = connection()
    found = {}
    for network in opened.listAllNetworks():
        persistent = network.isPersistent()
        autostart = words[network.autostart()] if persistent else "no"
        found[network.name()] = ("active" if network.isActive() else "inactive", autostart, words[persistent])
    opened.close()
    return found


def links() -> dict[str, dict[str, Any]]:
    found = subprocess.run(["ip", "-j", "-d", "addr"], capture_output=True, text=True, check=True).stdout
    return {link["ifname"]: link for link in json.loads(found)}


def ports() -> dict[str, dict[str, Any]]:
    """Ports of bridges by their name."""
    found = subprocess.run(["bridge", "-j", "-d", "link"], capture_output=True, text=True, check=True).stdout
    return {port["ifname"]: port for port in json.loads(found)}


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def fingerprint(*folders: str) -> dict[str, str]:
    """Every file below the folders, by content, mode and time of its last change."""
    found = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = f"{status.st_mode:o} {status.st_mtime_ns} {content!r}"
    return found


def dnsmasq(name: str = "lab") -> list[str]:
    """The lines of the configuration that libvirt made for a network's dnsmasq."""
    text = Path(f"/var/lib/libvirt/dnsmasq/{name}.conf").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


_RECORDS = {"A": 1, "PTR": 12, "TXT": 16, "SRV": 33}


def lookup(name: str, kind: str, server: str = f"{SUBNET}.1") -> list[str]:
    """What a DNS server answers, in the order of ``dig +short``, sorted. No record and no name are no answer."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.strip(".").split(".")) + b"\0"
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">2H", _RECORDS[kind], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(query, (server, 53))
        reply = client.recv(4096)
    answers, offset, found = struct.unpack(">H", reply[6:8])[0], len(query), []
    for _number in range(answers):
        _name, offset = _dns_name(reply, offset)
        record, _class, _ttl, size = struct.unpack(">2HIH", reply[offset : offset + 10])
        if record == _RECORDS[kind]:
            found.append(_dns_data(kind, reply, offset + 10, size))
        offset += 10 + size
    return sorted(found)


def _dns_data(kind: str, reply: bytes, start: int, size: int) -> str:
    if kind == "A":
        return socket.inet_ntoa(reply[start : start + size])
    if kind == "TXT":
        texts, offset = [], start
        while offset < start + size:
            texts.append(reply[offset + 1 : offset + 1 + reply[offset]].decode())
            offset += 1 + reply[offset]
        return " ".join(texts)
    if kind == "SRV":
        numbers = struct.unpack(">3H", reply[start : start + 6])
        return " ".join([*map(str, numbers), _dns_name(reply, start + 6)[0]])
    return _dns_name(reply, start)[0]


def _dns_name(reply: bytes, offset: int) -> tuple[str, int]:
    """A name and the place behind it. It may end by pointing to an earlier one (RFC 1035, 4.1.4)."""
    labels: list[str] = []
    while reply[offset]:
        if reply[offset] >= 0xC0:
            rest = _dns_name(reply, (reply[offset] & 0x3F) << 8 | reply[offset + 1])[0]
            return ".".join([*labels, rest]), offset + 2
        labels.append(reply[offset + 1 : offset + 1 + reply[offset]].decode())
        offset += 1 + reply[offset]
    return ".".join(labels), offset + 1


# What the sandbox has none of.


@contextlib.contextmanager
def virtual_functions(*addresses: str) -> Iterator[None]:
    """Virtual functions of a network card, as far as libvirt looks when it defines and starts a pool of them."""
    folder = Path("/sys/bus/pci/devices")
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        for address in addresses:
            # virPCIIsVirtualFunction() in libvirt's src/util/virpci.c.
            (folder / address / "physfn").mkdir(parents=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def open_vswitch(*names: str) -> Iterator[None]:
    """Bridges that run() takes for Open vSwitch's. libvirt asks no switch before a guest starts."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    task = importlib.import_module("ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task")
    original = task.read_links

    def read_links() -> dict[str, Any]:
        found: dict[str, Any] = original()
        return {name: replace(link, kind="openvswitch") if name in names else link for name, link in found.items()}

    for name in names:
        ip("link", "add", name, "type", "bridge")
    task.read_links = read_links  # type: ignore[attr-defined]
    try:
        yield
    finally:
        task.read_links = original  # type: ignore[attr-defined]
        for name in names:
            ip("link", "delete", name)


@contextlib.contextmanager
def traffic_control() -> Iterator[Callable[[], list[str]]]:
    """libvirt calls tc through a script that writes down the call; the block gets a function that tells them.

    What this kernel may lack (sfq, police, fw) is not tried, so that a network with bandwidth starts. All else is done.
    """
    tool, log, real = Path("/usr/sbin/tc").resolve(), scratch() / "tc.log", scratch() / "tc.real"
    script = scratch() / "tc.script"
    shutil.copy2(tool, real)
    log.write_text("", encoding="ascii")
    script.write_text(
        f"""#!/bin/sh
echo "$*" >> {log}
case " $* " in *" sfq "* | *" police "* | *" fw "*) exit 0 ;; esac
exec {real} "$@"
""",
        encoding="ascii",
    )
    script.chmod(0o755)
    subprocess.run(["mount", "--bind", script, tool], check=True)
    try:
        yield lambda: log.read_text(encoding="ascii").splitlines()
    finally:
        subprocess.run(["umount", tool], check=True)


# Other hands.


def by_hand(document: str, *, start: bool = False, transient: bool = False) -> None:
    """Make a network with virsh."""
    path = scratch() / "by-hand.xml"
    path.write_text(document, encoding="utf-8")
    virsh("net-create" if transient else "net-define", str(path))
    if start:
        found = re.search(r"<name>(.*?)</name>", document)
        assert found
        virsh("net-start", "--", found.group(1))


def forget_networks() -> None:
    """Remove every network, quickly: for tests that make networks and nothing else."""
    opened = connection()
    for network in opened.listAllNetworks():
        persistent = network.isPersistent()
        if network.isActive():
            network.destroy()
        if persistent:
            network.undefine()
    opened.close()


def leaves(spec: Mapping[str, Any], before: Sequence[str] = ()) -> Iterator[str]:
    """Names of all options of an argument specification, dotted, without the groups they stand in."""
    for name, option in spec.items():
        path = [*before, name]
        if option.get("options"):
            yield from leaves(option["options"], path)
        else:
            yield ".".join(path)

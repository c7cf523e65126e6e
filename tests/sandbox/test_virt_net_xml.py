# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net with a libvirt document as the declaration: what it says is declared, and nothing in it is trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import host_state
from test_virt_net_kit import (
    assert_valid,
    change,
    definition,
    forget_networks,
    handed_over,
    in_process_of_its_own,
    refuse,
    run,
    running,
    states,
    succeed,
    unchanged,
    xpath,
)


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def document(
    inner: str = "", ip: str = "<ip address='192.168.50.1' netmask='255.255.255.0'>{}</ip>", dhcp: str = ""
) -> str:
    return f"<network><name>lab</name>{inner}{ip.format(dhcp and f'<dhcp>{dhcp}</dhcp>')}</network>"


RICH = """<?xml version='1.0' encoding='UTF-8'?>
<!-- made by hand -->
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0' connections='3'>
  <name>lab</name>
  <uuid>b0a0a0a0-0000-4000-8000-000000000002</uuid>
  <metadata><app:x xmlns:app='http://app.example/1'>kept</app:x></metadata>
  <forward mode='nat'><nat><port start='2000' end='3000'/></nat></forward>
  <bridge name='virbr-lab' stp='off'/>
  <dns><txt name='t' value='v'/><host ip='192.168.50.1'><hostname>gw</hostname></host></dns>
  <ip address='192.168.50.1' netmask='255.255.255.0' localPtr='yes'>
    <dhcp><!-- one --><range start='192.168.50.100' end='192.168.50.199'/></dhcp>
  </ip>
  <dnsmasq:options><dnsmasq:option value='log-queries'/></dnsmasq:options>
</network>
"""


class TestDocument:
    def test_a_new_network_has_all_of_it(self) -> None:
        with handed_over() as given:
            change(name="lab", xml=RICH)
        assert_valid(given[0])
        for found in (definition(), running()):
            assert xpath(found, "metadata/*") == ["kept"]
            assert xpath(found, "uuid") == ["b0a0a0a0-0000-4000-8000-000000000002"]
            assert xpath(found, "dns/txt/@value") == ["v"]
            assert xpath(found, "ip/@localPtr") == ["yes"]
            assert xpath(found, "//*[local-name()='option']/@value") == ["log-queries"]
            assert xpath(found, "bridge/@stp") == ["off"]
            assert xpath(found, "@connections") == []

    def test_options_beside_it_have_precedence(self) -> None:
        change(name="lab", xml=RICH, forward={"mode": "route"}, mtu=1400, bridge={"stp": True})
        assert xpath(definition(), "forward/@mode") == ["route"]
        assert xpath(definition(), "bridge/@stp") == ["on"]
        assert xpath(definition(), "mtu/@size") == ["1400"]
        assert xpath(definition(), "metadata/*") == ["kept"]

    def test_another_document_changes_what_there_are_options_for(self) -> None:
        succeed(run(name="lab", xml=RICH))
        other = RICH.replace("199", "150").replace("<hostname>gw<", "<hostname>gate<").replace("kept", "other")
        change(name="lab", xml=other)
        assert xpath(running(), "ip/dhcp/range/@end") == ["192.168.50.150"]
        assert xpath(running(), "dns/host/hostname") == ["gate"]
        # What there is no option for is taken over when the network is made, and left alone later.
        assert xpath(running(), "metadata/*") == ["kept"]

    def test_the_document_of_libvirt_itself_changes_nothing(self) -> None:
        succeed(run(name="lab", xml=RICH))
        unchanged(name="lab", xml=definition())
        unchanged(name="lab", xml=running())

    def test_a_document_without_a_name(self) -> None:
        change(name="lab", xml=RICH.replace("<name>lab</name>", ""))
        assert states() == {"lab": ("active", "yes", "yes")}

    @pytest.mark.parametrize("name", ["<name> lab </name>", "<name>\n  lab\n</name>", "<name><!-- the -->lab</name>"])
    def test_blanks_and_comments_around_the_name(self, name: str) -> None:
        change(name="lab", xml=RICH.replace("<name>lab</name>", name))
        assert states() == {"lab": ("active", "yes", "yes")}

    @pytest.mark.parametrize("attributes", ["", "mode='nat'", "mode='route'", "mode='open'"])
    def test_forward(self, attributes: str) -> None:
        change(name="lab", xml=document(f"<forward {attributes}/>"), state="present")
        expected = attributes.partition("'")[2].rstrip("'") or "nat"
        assert xpath(definition(), "forward/@mode") == [expected]

    def test_no_forward_is_an_isolated_network(self) -> None:
        change(name="lab", xml=document())
        assert xpath(definition(), "forward") == []

    @pytest.mark.parametrize(
        ("inner", "found"), [("<forward mode='hostdev' managed='yes'><pf dev='uplink0'/></forward>", "hostdev")]
    )
    def test_a_mode_without_an_option(self, inner: str, found: str) -> None:
        change(name="lab", xml=document(inner, ip=""), state="present")
        assert xpath(definition(), "forward/@mode") == [found]
        assert xpath(definition(), "forward/pf/@dev") == ["uplink0"]

    @pytest.mark.parametrize("ip", ["<ip address='10.50.0.1'/>", "<ip family='ipv6' address='fd00:50::1'/>"])
    def test_an_address_without_a_prefix(self, ip: str) -> None:
        change(name="lab", xml=document(ip=ip), state="present")

    def test_text_in_other_alphabets(self) -> None:
        """The document comes as text: what it says of its encoding was true of some file once."""
        for encoding in ("UTF-8", "ISO-8859-1"):
            text = f"<?xml version='1.0' encoding='{encoding}'?>" + document(
                "<metadata><a:x xmlns:a='urn:a'>Büro</a:x></metadata>"
            )
            change(name="lab", xml=text, state="present")
            assert xpath(definition(), "metadata/*") == ["Büro"]
            forget_networks()


SECRET = "the-secret-of-the-host"

ENTITY = "<!DOCTYPE network [<!ENTITY e SYSTEM 'file://{}'>]>"


class TestDocumentType:
    """A document can ask its reader to open files and addresses of the host."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text(SECRET, encoding="ascii")
        return path

    def test_plain(self) -> None:
        message = refuse(name="lab", xml=f"<!DOCTYPE network>{document()}", with_=in_process_of_its_own)
        assert "network 'lab': xml: the document has a DOCTYPE, which libvirt's format does not. Remove it" in message

    @pytest.mark.parametrize(
        "place", ["<title>&e;</title>", "<domain name='&e;'/>", "<metadata><a>&e;</a></metadata>", "&e;"]
    )
    @pytest.mark.parametrize("check", [False, True])
    def test_an_entity_that_reads_a_file(self, secret: Path, place: str, check: bool) -> None:
        before = host_state()
        result = in_process_of_its_own(name="lab", xml=ENTITY.format(secret) + document(place), check=check)
        assert result["failed"]
        assert "xml: " in result["msg"]
        result.pop("invocation", None)
        assert SECRET not in json.dumps(result)
        assert host_state() == before

    def test_an_entity_that_reads_a_file_by_a_detour(self, secret: Path, tmp_path: Path) -> None:
        (tmp_path / "types").write_text(f"<!ENTITY e SYSTEM 'file://{secret}'>", encoding="ascii")
        text = f"<!DOCTYPE network [<!ENTITY % t SYSTEM 'file://{tmp_path}/types'> %t;]>" + document(
            "<title>&e;</title>"
        )
        assert SECRET not in refuse(name="lab", xml=text)

    def test_a_broken_document_that_reads_a_file(self, secret: Path) -> None:
        assert SECRET not in refuse(name="lab", xml=ENTITY.format(secret) + "<network><title>&e;</titel>")

    def test_an_entity_that_never_ends(self) -> None:
        names = "abcdefghij"
        lines = "".join(f"<!ENTITY {a} '{f'&{b};' * 10}'>" for a, b in zip(names[1:], names, strict=False))
        text = f"<!DOCTYPE network [<!ENTITY a 'aaaaaaaaaa'>{lines}]>" + document("<domain name='&j;'/>")
        refuse(name="lab", xml=text)

    def test_xinclude_is_text(self, secret: Path) -> None:
        include = f"<i:include xmlns:i='http://www.w3.org/2001/XInclude' href='file://{secret}' parse='text'/>"
        inner = f"<metadata>{include}</metadata>"
        succeed(run(name="lab", xml=document(inner), state="present"))
        assert SECRET not in definition()


WRONG: dict[str, tuple[str, str]] = {
    "no XML": ("hello", "not well-formed XML"),
    "nothing": ("", "not well-formed XML"),
    "two documents": (document() * 2, "not well-formed XML"),
    "a guest": ("<domain type='qemu'/>", "<domain>"),
    "another namespace": ("<network xmlns='urn:x'><name>lab</name></network>", "root element"),
    "another name": (document().replace("lab", "other"), "the document names the network 'other'"),
    "an address that is none": (document(ip="<ip address='nonsense'/>"), "ips"),
    "an address and a mask that are none": (document(ip="<ip address='nonsense' netmask='255.255.255.0'/>"), "ips"),
    "no address": (document(ip="<ip/>"), "ips"),
    "a prefix too long": (document(ip="<ip address='192.168.50.1' prefix='99'/>"), "ips"),
    "an MTU that is no number": (document("<mtu size='abc'/>"), "mtu"),
    "an MTU too large": (document("<mtu size='99999999'/>"), "mtu"),
    "a delay that is no number": (document("<bridge delay='x'/>"), "bridge.delay"),
    "a bridge of 16 bytes": (document("<bridge name='a234567890123456'/>"), "bridge.name"),
    "a bridge that is another device": (document("<bridge name='uplink0'/>"), "bridge.name"),
    "a MAC that is none": (document("<mac address='zz'/>"), "mac"),
    "a multicast MAC": (document("<mac address='01:00:00:00:00:01'/>"), "mac"),
    "a mode that is none": (document("<forward mode='foo'/>"), "forward"),
    "NAT ports that are none": (
        document("<forward mode='nat'><nat><port start='a' end='b'/></nat></forward>"),
        "ports",
    ),
    "half a range": (document(dhcp="<range start='192.168.50.10'/>"), "ranges"),
    "a range outside": (document(dhcp="<range start='10.0.0.1' end='10.0.0.2'/>"), "ranges"),
    "a lease time that is none": (
        document(dhcp="<range start='192.168.50.10' end='192.168.50.11'><lease expiry='x'/></range>"),
        "lease",
    ),
    "a unit of time that is none": (
        document(dhcp="<range start='192.168.50.10' end='192.168.50.11'><lease expiry='5' unit='days'/></range>"),
        "unit",
    ),
    "a lease without an address": (document(dhcp="<host mac='52:54:00:00:00:01' name='x'/>"), "hosts"),
    "a lease twice": (
        document(
            dhcp="<host mac='52:54:00:00:00:01' ip='192.168.50.10'/><host mac='52:54:00:00:00:01' ip='192.168.50.11'/>"
        ),
        "hosts",
    ),
    "a DNS entry twice": (
        document(
            "<dns><host ip='192.168.50.5'><hostname>a</hostname></host><host ip='192.168.50.5'>"
            "<hostname>b</hostname></host></dns>"
        ),
        "dns.hosts",
    ),
    "a route without a gateway": (document("<route address='10.0.0.0' prefix='8'/>"), "routes"),
    "a spanning tree that is neither on nor off": (document("<bridge stp='maybe'/>"), "bridge.stp"),
}


class TestWrong:
    @pytest.mark.parametrize("what", WRONG)
    def test_wrong(self, what: str) -> None:
        text, word = WRONG[what]
        message = refuse(name="lab", xml=text)
        assert "network 'lab': " in message
        assert word in message

    @pytest.mark.parametrize(
        "inner", ["<uuid>nonsense</uuid>", "<route address='10.0.0.0' prefix='x' gateway='192.168.50.9'/>"]
    )
    def test_what_only_libvirt_can_tell(self, inner: str) -> None:
        result: dict[str, Any] = run(name="lab", xml=document(inner))
        assert result["failed"]
        assert "network 'lab'" in result["msg"] or "network lab" in result["msg"]
        assert states() == {}

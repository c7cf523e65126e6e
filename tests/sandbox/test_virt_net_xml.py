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
import yaml
from harness import host_state, virsh
from test_virt_net_kit import (
    assert_all_valid,
    assert_valid,
    by_hand,
    change,
    definition,
    forget_networks,
    handed_over,
    in_process_of_its_own,
    links,
    lookup,
    meaning,
    refuse,
    run,
    running,
    states,
    succeed,
    traffic_control,
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

    def test_another_document_changes_it(self) -> None:
        succeed(run(name="lab", xml=RICH))
        other = RICH.replace("199", "150").replace("<hostname>gw<", "<hostname>gate<").replace("kept", "other")
        change(name="lab", xml=other)
        assert xpath(running(), "ip/dhcp/range/@end") == ["192.168.50.150"]
        assert xpath(running(), "dns/host/hostname") == ["gate"]
        assert xpath(definition(), "metadata/*") == ["other"]

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
    def test_a_mode_without_a_bridge(self, inner: str, found: str) -> None:
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


WHOLE = """
<network ipv6='yes' trustGuestRxFilters='no' xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>lab</name>
  <uuid>b0a0a0a0-0000-4000-8000-000000000002</uuid>
  <metadata><app:x xmlns:app='http://app.example/1' a='1' b='2'>kept</app:x></metadata>
  <forward mode='nat' dev='uplink0'><nat><port start='1024' end='65535'/></nat></forward>
  <bridge name='virbr-lab' stp='on' delay='0'/>
  <mac address='52:54:00:aa:bb:01'/>
  <domain name='lab.example' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder addr='192.0.2.1'/>
    <txt name='a.example' value='one'/>
    <txt name='b.example' value='two'/>
    <srv service='ldap' protocol='tcp' target='dc.lab.example' port='389' priority='1' weight='5'/>
    <srv service='sip' protocol='udp' domain='lab.example'/>
    <host ip='192.168.50.1'><hostname>gw</hostname></host>
    <host ip='192.168.50.2'><hostname>hub</hostname></host>
  </dns>
  <ip address='192.168.50.1' netmask='255.255.255.0' localPtr='yes'>
    <dhcp>
      <range start='192.168.50.100' end='192.168.50.149'/>
      <range start='192.168.50.160' end='192.168.50.199'><lease expiry='2' unit='hours'/></range>
      <host mac='52:54:00:00:50:0a' name='ten' ip='192.168.50.10'/>
      <host mac='52:54:00:00:50:0b' name='eleven' ip='192.168.50.11'/>
      <bootp file='pxelinux.0' server='192.168.50.2'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:50::1' prefix='64'/>
  <route address='10.9.0.0' netmask='255.255.0.0' gateway='192.168.50.9' metric='4'/>
  <portgroup name='fast' default='yes'><bandwidth><inbound average='100000'/></bandwidth></portgroup>
  <portgroup name='slow'><bandwidth><inbound average='1000' burst='64'/></bandwidth></portgroup>
  <dnsmasq:options><dnsmasq:option value='dhcp-option=42,0.0.0.0'/></dnsmasq:options>
</network>
"""

# Other words for the same: what stands in the document, and what could stand there instead.
SAME: dict[str, list[tuple[str, str]]] = {
    "the order of attributes": [
        ("ipv6='yes' trustGuestRxFilters='no'", "trustGuestRxFilters='no' ipv6='yes'"),
        ("<forward mode='nat' dev='uplink0'>", "<forward dev='uplink0' mode='nat'>"),
        ("mac='52:54:00:00:50:0a' name='ten'", "name='ten' mac='52:54:00:00:50:0a'"),
        ("<inbound average='1000' burst='64'/>", "<inbound burst='64' average='1000'/>"),
    ],
    "prefixes": [("netmask='255.255.255.0'", "prefix='24'"), ("netmask='255.255.0.0'", "prefix='16'")],
    "a mask for a class": [("netmask='255.255.255.0' localPtr", "localPtr")],
    "letters of MAC addresses": [
        ("52:54:00:00:50:0a", "52:54:00:00:50:0A"),
        ("52:54:00:aa:bb:01", "52:54:00:AA:BB:01"),
    ],
    "letters of the UUID": [("b0a0a0a0-0000-4000-8000-000000000002", "B0A0A0A0000040008000000000000002")],
    "a long IPv6 address": [("fd00:50::1'", "FD00:0050:0:0::0001'")],
    "the order of leases": [
        (
            (
                "<host mac='52:54:00:00:50:0a' name='ten' ip='192.168.50.10'/>\n      "
                "<host mac='52:54:00:00:50:0b' name='eleven' ip='192.168.50.11'/>"
            ),
            (
                "<host mac='52:54:00:00:50:0b' name='eleven' ip='192.168.50.11'/>"
                "<host mac='52:54:00:00:50:0a' name='ten' ip='192.168.50.10'/>"
            ),
        )
    ],
    "the order of records": [
        (
            "<txt name='a.example' value='one'/>\n    <txt name='b.example' value='two'/>",
            "<txt name='b.example' value='two'/><txt name='a.example' value='one'/>",
        ),
        ("<srv service='sip' protocol='udp' domain='lab.example'/>", ""),
        ("<srv service='ldap'", "<srv service='sip' protocol='udp' domain='lab.example'/><srv service='ldap'"),
    ],
    "the order of portgroups": [
        ("<portgroup name='slow'><bandwidth><inbound average='1000' burst='64'/></bandwidth></portgroup>", ""),
        (
            "<portgroup name='fast'",
            (
                "<portgroup name='slow'><bandwidth><inbound average='1000' burst='64'/></bandwidth></portgroup>"
                "<portgroup name='fast'"
            ),
        ),
    ],
    "the order of addresses": [
        ("<ip family='ipv6' address='fd00:50::1' prefix='64'/>", ""),
        ("<ip address", "<ip family='ipv6' address='fd00:50::1' prefix='64'/><ip address"),
    ],
    "what libvirt adds": [
        ("<nat><port start='1024' end='65535'/></nat>", ""),
        (" stp='on' delay='0'", ""),
        ("<mac address='52:54:00:aa:bb:01'/>", ""),
        ("<uuid>b0a0a0a0-0000-4000-8000-000000000002</uuid>", ""),
        ("<portgroup name='slow'>", "<portgroup name='slow' default='no'>"),
        ("<route address", "<route family='ipv4' address"),
    ],
    "an uplink in two places": [("<nat>", "<interface dev='uplink0'/><nat>")],
    "metadata in other words": [
        (
            "<app:x xmlns:app='http://app.example/1' a='1' b='2'>kept</app:x>",
            "\n  <app:x b='2'   a='1' xmlns:app=\"http://app.example/1\">kept</app:x>\n",
        )
    ],
    "another prefix for dnsmasq": [("xmlns:dnsmasq", "xmlns:d"), ("dnsmasq:option", "d:option")],
    "blanks and comments": [("  <", "\n\n  <!-- > --><"), ("<dns ", "<dns\n  ")],
    "less said": [
        (" forwardPlainNames='no'", ""),
        ("ipv6='yes' trustGuestRxFilters='no'", ""),
        ("<domain name='lab.example' localOnly='yes'/>", ""),
        ("<metadata><app:x xmlns:app='http://app.example/1' a='1' b='2'>kept</app:x></metadata>", ""),
    ],
}


def _reworded(document: str, replacements: list[tuple[str, str]]) -> str:
    for old, new in replacements:
        assert old in document, old
        document = document.replace(old, new)
    return document


class TestSame:
    """A document is compared by what it says."""

    @pytest.mark.parametrize("what", SAME)
    @pytest.mark.parametrize("state", ["active", "present"])
    def test_other_words_for_the_same(self, what: str, state: str) -> None:
        succeed(run(name="lab", xml=WHOLE, state=state))
        unchanged(name="lab", xml=_reworded(WHOLE, SAME[what]), state=state)

    @pytest.mark.parametrize("what", [what for what in SAME if what not in ("what libvirt adds", "less said")])
    def test_they_make_the_same_network(self, what: str) -> None:
        succeed(run(name="lab", xml=WHOLE, state="present"))
        before = meaning(definition())
        forget_networks()
        with handed_over() as given:
            change(name="lab", xml=_reworded(WHOLE, SAME[what]), state="present")
        assert meaning(definition()) == before
        for document in given:
            assert_valid(document)

    def test_it_makes_what_virsh_makes(self) -> None:
        by_hand(WHOLE, start=True)
        expected = [meaning(definition()), meaning(running())]
        unchanged(name="lab", xml=WHOLE, autostart=False)
        forget_networks()
        change(name="lab", xml=WHOLE)
        assert [meaning(definition()), meaning(running())] == expected

    def test_forwarders_have_an_order(self) -> None:
        first, second = "<forwarder addr='192.0.2.1'/>", "<forwarder addr='192.0.2.2'/>"
        succeed(run(name="lab", xml=WHOLE.replace(first, first + second), state="present"))
        change(name="lab", xml=WHOLE.replace(first, second + first), state="present")
        assert xpath(definition(), "dns/forwarder/@addr") == ["192.0.2.2", "192.0.2.1"]

    @pytest.mark.parametrize(
        ("entries", "path"),
        [
            ("<forwarder addr='192.0.2.1'/>", "dns/forwarder"),
            ("<srv service='sip' protocol='udp' domain='lab.example'/>", "dns/srv[@service='sip']"),
            ("<route address='10.9.0.0' netmask='255.255.0.0' gateway='192.168.50.9' metric='4'/>", "route"),
            ("<ip family='ipv6' address='fd00:50::1' prefix='64'/>", "ip[@family='ipv6']"),
            (
                "<dnsmasq:options><dnsmasq:option value='dhcp-option=42,0.0.0.0'/></dnsmasq:options>",
                "//*[local-name()='option']",
            ),
        ],
    )
    def test_lists_are_exact(self, entries: str, path: str) -> None:
        succeed(run(name="lab", xml=WHOLE, state="present"))
        assert len(xpath(definition(), path)) == 1
        change(name="lab", xml=_reworded(WHOLE, [(entries, "")]), state="present")
        assert xpath(definition(), path) == []


# What changes in the document, and the options that say the same.
CHANGED: dict[str, tuple[tuple[str, str], dict[str, Any], bool]] = {
    "a TXT record": (
        ("value='two'", "value='three'"),
        {"dns": {"txts": [{"name": "a.example", "value": "one"}, {"name": "b.example", "value": "three"}]}},
        True,
    ),
    "no TXT record": (
        ("<txt name='b.example' value='two'/>", ""),
        {"dns": {"txts": [{"name": "a.example", "value": "one"}]}},
        True,
    ),
    "an SRV record": (
        ("weight='5'", "weight='6'"),
        {
            "dns": {
                "srvs": [
                    {
                        "service": "ldap",
                        "protocol": "tcp",
                        "target": "dc.lab.example",
                        "port": 389,
                        "priority": 1,
                        "weight": 6,
                    },
                    {"service": "sip", "protocol": "udp", "domain": "lab.example"},
                ]
            }
        },
        True,
    ),
    "a portgroup": (
        ("average='1000'", "average='2000'"),
        {
            "portgroups": [
                {"name": "fast"},
                {"name": "slow", "bandwidth": {"inbound": {"average": 2000}}},
            ]
        },
        True,
    ),
    "one more portgroup": (
        ("<portgroup name='slow'>", "<portgroup name='new'/><portgroup name='slow'>"),
        {"portgroups": [{"name": "fast"}, {"name": "slow"}, {"name": "new"}]},
        True,
    ),
    "no portgroup": (
        ("<portgroup name='slow'><bandwidth><inbound average='1000' burst='64'/></bandwidth></portgroup>", ""),
        {"portgroups": [{"name": "fast"}]},
        True,
    ),
    "a lease": (
        ("ip='192.168.50.11'", "ip='192.168.50.12'"),
        {
            "ips": [
                {
                    "address": "192.168.50.1/24",
                    "dhcp": {
                        "hosts": [
                            {"mac": "52:54:00:00:50:0a", "ip": "192.168.50.10"},
                            {"mac": "52:54:00:00:50:0b", "ip": "192.168.50.12"},
                        ]
                    },
                },
                {"address": "fd00:50::1/64"},
            ]
        },
        True,
    ),
    "a boot file": (
        ("pxelinux.0", "efi.0"),
        {
            "ips": [
                {"address": "192.168.50.1/24", "dhcp": {"bootp": {"file": "efi.0"}}},
                {"address": "fd00:50::1/64"},
            ]
        },
        False,
    ),
    "a line of dnsmasq": (("42,0.0.0.0", "42,192.0.2.1"), {"dnsmasq_options": ["dhcp-option=42,192.0.2.1"]}, False),
    "plain names": (
        ("forwardPlainNames='no'", "forwardPlainNames='yes'"),
        {"dns": {"forward_plain_names": True}},
        False,
    ),
    "rates": (
        ("<mac ", "<bandwidth><inbound average='1000'/></bandwidth><mac "),
        {"bandwidth": {"inbound": {"average": 1000}}},
        False,
    ),
    "metadata": (
        (">kept<", ">other<"),
        {"metadata": {"http://app.example/1": "<app:x xmlns:app='http://app.example/1' a='1' b='2'>other</app:x>"}},
        False,
    ),
}


class TestChanged:
    """A document changes a network as options do that say the same."""

    @pytest.mark.parametrize("what", CHANGED)
    @pytest.mark.parametrize("state", ["active", "present"])
    def test_the_same_steps_and_the_same_end(self, what: str, state: str) -> None:
        (old, new), options, is_live = CHANGED[what]
        other = _reworded(WHOLE, [(old, new)])
        succeed(run(name="lab", xml=WHOLE, state=state))
        by_options = succeed(run(name="lab", state=state, check=True, **options))
        foreseen = succeed(run(name="lab", xml=other, state=state, check=True))
        assert foreseen["steps"] == by_options["steps"]
        assert _differences(foreseen) == _differences(by_options)
        with handed_over() as given:
            result = change(name="lab", xml=other, state=state)
        assert result["steps"] == foreseen["steps"]
        assert result["diff"] == foreseen["diff"]
        # Nothing is left for the options to do.
        unchanged(name="lab", state=state, **options)
        if state == "active" and is_live:
            assert result["pending_restart"] == []
            assert given == []
            assert meaning(running()) == meaning(definition())
        for document in (*given, definition()):
            assert_valid(document)

    @pytest.mark.parametrize("what", [what for what, change in CHANGED.items() if change[2]])
    def test_a_running_network_goes_on(self, what: str) -> None:
        succeed(run(name="lab", xml=WHOLE))
        before = links()["virbr-lab"]["ifindex"]
        change(name="lab", xml=_reworded(WHOLE, [CHANGED[what][0]]), if_restart_needed="fail")
        assert links()["virbr-lab"]["ifindex"] == before
        assert_all_valid()

    def test_records_are_answered(self) -> None:
        succeed(run(name="lab", xml=WHOLE))
        assert lookup("b.example", "TXT") == ["two"]
        change(name="lab", xml=WHOLE.replace("value='two'", "value='three'").replace("weight='5'", "weight='6'"))
        assert lookup("b.example", "TXT") == ["three"]
        assert lookup("_ldap._tcp.lab.example", "SRV") == ["1 6 389 dc.lab.example"]

    def test_rates(self) -> None:
        with traffic_control() as calls:
            change(name="lab", xml=_reworded(WHOLE, [CHANGED["rates"][0]]))
            assert any("rate 1000kbps" in call for call in calls())


def _differences(result: dict[str, Any]) -> dict[str, Any]:
    """What differs between the two sides of a diff, entry by entry: a document says more than a few options do."""
    (diff,) = result["diff"]
    before, after = (_flat(yaml.safe_load(diff[side])) for side in ("before", "after"))
    return {key: (before.get(key), after.get(key)) for key in {**before, **after} if before.get(key) != after.get(key)}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: each for name, inner in value.items() for key, each in _flat(inner, f"{path}.{name}").items()}
    if isinstance(value, list):
        names = [
            next(
                (str(each[key]) for key in ("mac", "name", "service", "address", "start", "ip") if key in each), str(n)
            )
            if isinstance(each, dict)
            else str(each)
            for n, each in enumerate(value)
        ]
        return {
            key: each
            for name, inner in zip(names, value, strict=True)
            for key, each in _flat(inner, f"{path}[{name}]").items()
        }
    return {path: value}


class TestUnknown:
    """Elements that libvirt's format does not have, or not yet."""

    STRANGE = (
        ("<mac ", "<colour shade='blue'>sky</colour><mac "),
        ("<dns ", "<dns colour='red' "),
        ("<portgroup name='slow'>", "<portgroup name='slow' colour='red'><flavour/>"),
    )

    @pytest.mark.parametrize("state", ["active", "present"])
    def test_libvirt_leaves_them_out(self, state: str) -> None:
        strange = _reworded(WHOLE, list(self.STRANGE))
        change(name="lab", xml=strange, state=state)
        assert "colour" not in definition()
        assert_valid(definition())
        unchanged(name="lab", xml=WHOLE, state=state)
        change(name="lab", xml=strange.replace("value='two'", "value='three'"), state=state)
        assert xpath(definition(), "dns/txt/@value") == ["one", "three"]
        assert "colour" not in definition()

    @pytest.mark.parametrize(
        ("old", "new", "option", "since"),
        [
            ("<mac ", "<title>A title</title><mac ", "title", "9.7.0"),
            ("<mac ", "<description>Text</description><mac ", "description", "9.7.0"),
            ("localOnly='yes'", "localOnly='yes' register='yes'", "domain.register", "10.1.0"),
        ],
    )
    def test_what_a_newer_libvirt_knows(self, old: str, new: str, option: str, since: str) -> None:
        document = _reworded(WHOLE, [(old, new)])
        if tuple(map(int, virsh("version", "--daemon").split()[-1].split("."))) >= tuple(map(int, since.split("."))):
            change(name="lab", xml=document)
            return
        message = refuse(name="lab", xml=document)
        assert f"network 'lab': {option}: libvirt " in message
        assert f"{since} does" in message

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("<portgroup name='slow'>", "<portgroup name='slow' default='yes'>", "portgroups: fast and slow are both"),
            ("<srv service='sip'", "<srv", "dns.srvs[udp lab.example].service: an SRV record needs one"),
            ("average='1000' burst", "burst", "portgroups[slow].bandwidth.inbound.burst: this goes with an average"),
            ("<mac ", "<vlan><tag id='5'/></vlan><mac ", "vlan: a network in mode nat has no VLAN tags"),
            (
                "<mac ",
                "<virtualport type='openvswitch'/><mac ",
                "virtualport: ports of a bridge that libvirt makes have none",
            ),
            ("000002</uuid>", "00000x</uuid>", "uuid"),
            ("average='1000'", "average='much'", "portgroups"),
            ("ipv6='yes'", "ipv6='perhaps'", "ipv6: 'perhaps'"),
            ("priority='1'", "priority='first'", "dns.srvs"),
        ],
    )
    def test_what_is_refused_of_options_is_refused_of_a_document(self, old: str, new: str, words: str) -> None:
        message = refuse(name="lab", xml=_reworded(WHOLE, [(old, new)]))
        assert "network 'lab': " in message
        assert words in message

    def test_another_uuid(self) -> None:
        succeed(run(name="lab", xml=WHOLE))
        message = refuse(name="lab", xml=WHOLE.replace("000000000002<", "000000000003<"))
        assert "network 'lab': uuid: the network has b0a0a0a0-0000-4000-8000-000000000002" in message


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

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net on running networks: what the options of libvirt's format come to, as dnsmasq, tc and a DNS client see it.

Each is set on a network that is made, changed, and taken away again; in between nothing is left to do.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from test_virt_net_kit import (
    assert_all_valid,
    assert_valid,
    change,
    definition,
    dnsmasq,
    documents,
    fingerprint,
    forget_networks,
    handed_over,
    ip,
    lookup,
    nat,
    refuse,
    run,
    running,
    span,
    states,
    succeed,
    traffic_control,
    unchanged,
    virtual_functions,
    xpath,
)

FOLDERS = ("/etc/libvirt", "/var/lib/libvirt/dnsmasq")


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def _served(**options: Any) -> dict[str, Any]:
    """The network's address with DHCP, and what else is served there."""
    dhcp = {"ranges": [span(100, 199)], **options.pop("dhcp", {})}
    return {"ips": [{"address": "192.168.50.1/24", "dhcp": dhcp, **options}]}


def _both(path: str) -> list[str]:
    """What is found in the definition, and the same in what runs."""
    found = xpath(definition(), path)
    assert xpath(running(), path) == found
    return found


# What is declared, the lines that dnsmasq then has, what is declared next, the lines then, and what takes it away.
SERVED: dict[str, tuple[dict[str, Any], list[str], dict[str, Any], list[str], dict[str, Any]]] = {
    "boot files": (
        _served(dhcp={"bootp": {"file": "pxelinux.0"}}),
        ["dhcp-boot=pxelinux.0"],
        _served(dhcp={"bootp": {"file": "boot/efi.0", "server": "192.168.50.2"}}),
        ["dhcp-boot=boot/efi.0,,192.168.50.2"],
        _served(dhcp={"bootp": {"file": "", "server": ""}}),
    ),
    "files by TFTP": (
        _served(tftp_root="/srv"),
        ["enable-tftp", "tftp-root=/srv"],
        _served(tftp_root="/var"),
        ["enable-tftp", "tftp-root=/var"],
        _served(tftp_root=""),
    ),
    "names for addresses": (
        _served(local_ptr=True),
        ["local=/50.168.192.in-addr.arpa/"],
        {"ips": [{**_served()["ips"][0], "local_ptr": True}, {"address": "fd00:50::1/64", "local_ptr": True}]},
        [
            "dhcp-range=fd00:50::1,ra-only",
            "local=/0.0.0.0.0.0.0.0.0.5.0.0.0.0.d.f.ip6.arpa/",
            "local=/50.168.192.in-addr.arpa/",
        ],
        _served(local_ptr=False),
    ),
    "plain names": (
        {"dns": {"forward_plain_names": False}},
        ["domain-needed", "local=//"],
        {"dns": {"forward_plain_names": False, "hosts": [{"ip": "192.168.50.9", "names": ["nine"]}]}},
        ["domain-needed", "local=//"],
        {"dns": {"forward_plain_names": True, "hosts": []}},
    ),
    "TXT records": (
        {"dns": {"txts": [{"name": "a.example", "value": "v=spf1 -all"}]}},
        ["txt-record=a.example,v=spf1 -all"],
        {"dns": {"txts": [{"name": "a.example", "value": "other"}, {"name": "b.example", "value": "b"}]}},
        ["txt-record=a.example,other", "txt-record=b.example,b"],
        {"dns": {"txts": []}},
    ),
    "SRV records": (
        {"dns": {"srvs": [{"service": "ldap", "protocol": "tcp"}]}},
        ["srv-host=_ldap._tcp"],
        {
            "dns": {
                "srvs": [
                    {
                        "service": "ldap",
                        "protocol": "tcp",
                        "domain": "lab.example",
                        "target": "dc.lab.example",
                        "port": 389,
                        "priority": 1,
                        "weight": 5,
                    },
                    {"service": "sip", "protocol": "udp", "target": "pbx.lab.example", "weight": 7},
                ]
            }
        },
        ["srv-host=_ldap._tcp.lab.example,dc.lab.example,389,1,5", "srv-host=_sip._udp,pbx.lab.example,1,0,7"],
        {"dns": {"srvs": []}},
    ),
    "lines of one's own": (
        {"dnsmasq_options": ["dhcp-option=42,0.0.0.0"]},
        ["dhcp-option=42,0.0.0.0"],
        {"dnsmasq_options": ["cname=www.example,web.example", "dhcp-option=42,192.0.2.1"]},
        ["cname=www.example,web.example", "dhcp-option=42,192.0.2.1"],
        {"dnsmasq_options": []},
    ),
}


class TestServed:
    @pytest.mark.parametrize("what", SERVED)
    def test_the_lines_of_dnsmasq(self, what: str) -> None:
        first, lines, second, more, none = SERVED[what]
        base = {**nat(), **_served()}
        succeed(run(**base))
        plain = set(dnsmasq())
        assert not plain & {*lines, *more}
        restarted = {"if_restart_needed": "restart"}
        with handed_over() as given:
            for options, expected in ((first, lines), (second, more), (none, [])):
                declared = {**base, **options, **restarted}
                before = documents(), fingerprint(*FOLDERS)
                foreseen = succeed(run(check=True, **declared))
                assert (documents(), fingerprint(*FOLDERS)) == before
                assert change(**declared)["steps"] == foreseen["steps"]
                assert sorted(set(dnsmasq()) - plain) == sorted(expected)
                unchanged(name="lab")
        for document in given:
            assert_valid(document)
        assert_all_valid()

    def test_all_at_once_on_a_new_network(self) -> None:
        options: dict[str, Any] = {}
        for first, _lines, _second, _more, _none in SERVED.values():
            for name, value in first.items():
                if name == "ips":
                    ips = options.setdefault("ips", [{"address": "192.168.50.1/24", "dhcp": {}}])
                    ips[0] = {**ips[0], **value[0], "dhcp": {**ips[0]["dhcp"], **value[0]["dhcp"]}}
                elif isinstance(value, dict):
                    options.setdefault(name, {}).update(value)
                else:
                    options[name] = value
        change(**{**nat(), **options})
        lines = [line for first in SERVED.values() for line in first[1]]
        assert sorted(set(lines) - set(dnsmasq())) == []
        assert lookup("a.example", "TXT") == ["v=spf1 -all"]

    def test_records_are_answered(self) -> None:
        records: dict[str, Any] = {
            "txts": [{"name": "txt.lab.example", "value": "v=spf1 -all"}],
            "srvs": [
                {
                    "service": "ldap",
                    "protocol": "tcp",
                    "domain": "lab.example",
                    "target": "dc.lab.example",
                    "port": 389,
                    "priority": 1,
                    "weight": 5,
                }
            ],
        }
        lab = nat(domain={"name": "lab.example", "local_only": True})
        change(**lab, dns=records)
        assert lookup("txt.lab.example", "TXT") == ["v=spf1 -all"]
        assert lookup("_ldap._tcp.lab.example", "SRV") == ["1 5 389 dc.lab.example"]
        # Changed as the network runs.
        records["srvs"][0]["weight"] = 6
        records["srvs"].append({**records["srvs"][0], "target": "dc2.lab.example", "port": 390})
        result = change(**lab, dns=records)
        assert result["pending_restart"] == []
        assert not [step for step in result["steps"] if step.startswith(("stop", "start"))]
        assert lookup("_ldap._tcp.lab.example", "SRV") == ["1 6 389 dc.lab.example", "1 6 390 dc2.lab.example"]
        change(**lab, dns={"txts": [], "srvs": []})
        assert lookup("txt.lab.example", "TXT") == []
        assert lookup("_ldap._tcp.lab.example", "SRV") == []
        assert _both("dns/txt | dns/srv") == []

    def test_the_domain_of_a_service_is_the_networks_own(self) -> None:
        srv = {"service": "ldap", "protocol": "tcp", "target": "dc.lab.example", "port": 389}
        change(**nat(domain={"name": "lab.example"}, dns={"srvs": [srv]}))
        assert lookup("_ldap._tcp.lab.example", "SRV") == ["0 0 389 dc.lab.example"]

    def test_names_of_the_subnet_are_not_asked_elsewhere(self) -> None:
        hosts = [{"ip": "192.168.50.9", "names": ["nine.lab.example"]}]
        change(**nat(dns={"hosts": hosts}) | {"ips": [{"address": "192.168.50.1/24", "local_ptr": True}]})
        assert lookup("9.50.168.192.in-addr.arpa", "PTR") == ["nine.lab.example"]
        assert lookup("8.50.168.192.in-addr.arpa", "PTR") == []

    def test_a_line_that_dnsmasq_does_not_know(self) -> None:
        """Nobody can tell before dnsmasq does; the message has its words, and the way back is open."""
        result = run(**nat(dnsmasq_options=["no-such-option"]))
        assert result["failed"]
        assert "network lab" in result["msg"]
        assert "no-such-option" in result["msg"] or "dnsmasq" in result["msg"]
        change(**nat(dnsmasq_options=[]))
        assert states()["lab"] == ("active", "yes", "yes")

    def test_a_restart_with_a_line_that_dnsmasq_does_not_know_leaves_what_ran(self) -> None:
        succeed(run(**nat(dnsmasq_options=["log-queries"])))
        before = definition()
        result = run(**nat(dnsmasq_options=["no-such-option"], if_restart_needed="restart"))
        assert result["failed"]
        assert states()["lab"] == ("active", "yes", "yes")
        assert "log-queries" in dnsmasq()
        assert definition() == before


def _classes(bridge: str = "virbr-lab") -> dict[str, tuple[str, ...]]:
    """The classes of traffic to the guests by their handle: rate, ceiling and burst, in the words of tc."""
    text = subprocess.run(["tc", "class", "show", "dev", bridge], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^class htb (\S+) .*?rate (\S+) ceil (\S+) burst (\S+)", text, re.MULTILINE)
    return {handle: tuple(rest) for handle, *rest in found}


class TestBandwidth:
    @pytest.fixture
    def calls(self) -> Iterator[Callable[[], list[str]]]:
        with traffic_control() as calls:
            yield calls

    def test_set_changed_and_unset(self, calls: Callable[[], list[str]]) -> None:
        rates = {"inbound": {"average": 1000, "peak": 5000, "burst": 1024}, "outbound": {"average": 128, "burst": 256}}
        lab = nat(if_restart_needed="restart")
        change(**lab, bandwidth=rates)
        # The kilobyte of a rate is one of 1000 bytes, that of a burst one of 1024.
        assert _classes()["1:2"] == ("8Mbit", "40Mbit", "1Mb")
        assert _classes()["1:1"][:2] == ("8Mbit", "40Mbit")
        policed = [call for call in calls() if "police" in call]
        assert "rate 128kbps burst 256kb" in policed[0]
        assert _both("bandwidth/inbound/@*") == ["1000", "5000", "1024"]
        assert _both("bandwidth/outbound/@*") == ["128", "256"]
        before = len(calls()), _classes()
        succeed(run(check=True, **lab, bandwidth={"inbound": {"average": 2000}}))
        unchanged(**lab, bandwidth=rates)
        assert _classes() == before[1]
        # What is not declared stays.
        change(**lab, bandwidth={"inbound": {"average": 2000}})
        assert _classes()["1:2"] == ("16Mbit", "40Mbit", "1Mb")
        change(**lab, bandwidth={"inbound": {"average": 0, "peak": 0, "burst": 0}})
        assert _classes() == {}
        assert _both("bandwidth/inbound") == []
        assert _both("bandwidth/outbound/@average") == ["128"]
        change(**lab, bandwidth={"outbound": {"average": 0, "burst": 0}})
        assert _both("bandwidth") == []
        made = [call for call in calls() if "add" in call.split()]
        change(**lab, mtu=1400)
        assert [call for call in calls() if "add" in call.split()] == made
        assert_all_valid()

    def test_a_running_network_keeps_its_rates_until_it_is_restarted(self, calls: Callable[[], list[str]]) -> None:
        succeed(run(**nat(bandwidth={"inbound": {"average": 1000}})))
        result = change(**nat(bandwidth={"inbound": {"average": 2000}}))
        assert result["pending_restart"] == ["lab"]
        assert xpath(definition(), "bandwidth/inbound/@average") == ["2000"]
        assert xpath(running(), "bandwidth/inbound/@average") == ["1000"]
        assert _classes()["1:2"][0] == "8Mbit"
        assert "bandwidth" in refuse(**nat(if_restart_needed="fail"), bandwidth={"inbound": {"average": 2000}})
        assert calls()


class TestPortgroups:
    FAST: ClassVar[dict[str, Any]] = {"name": "fast", "default": True, "bandwidth": {"inbound": {"average": 100000}}}
    SLOW: ClassVar[dict[str, Any]] = {"name": "slow", "bandwidth": {"inbound": {"average": 1000, "burst": 64}}}

    def test_they_change_as_the_network_runs(self) -> None:
        succeed(run(**nat()))
        bridge = Path("/sys/class/net/virbr-lab/ifindex").read_text(encoding="ascii")

        def declare(*groups: dict[str, Any]) -> None:
            result = change(**nat(portgroups=list(groups)))
            assert result["pending_restart"] == []
            assert sorted(_both("portgroup/@name")) == sorted(group["name"] for group in groups)
            assert Path("/sys/class/net/virbr-lab/ifindex").read_text(encoding="ascii") == bridge

        declare(self.FAST)
        declare(self.FAST, self.SLOW)
        assert _both("portgroup[@default='yes']/@name") == ["fast"]
        # The default moves to the other one.
        declare({**self.FAST, "default": False}, {**self.SLOW, "default": True})
        assert _both("portgroup[@default='yes']/@name") == ["slow"]
        declare(self.FAST, {**self.SLOW, "default": False})
        assert _both("portgroup[@default='yes']/@name") == ["fast"]
        declare(self.FAST, {**self.SLOW, "bandwidth": {"inbound": {"burst": 0}, "outbound": {"average": 5}}})
        assert _both("portgroup[@name='slow']/bandwidth/inbound/@*") == ["1000"]
        assert _both("portgroup[@name='slow']/bandwidth/outbound/@average") == ["5"]
        declare({**self.FAST, "trust_guest_rx_filters": True})
        declare({"name": "new", "default": True})
        declare()
        assert_all_valid()

    @pytest.fixture
    def _bridge(self) -> Iterator[None]:
        ip("link", "add", "br-host", "type", "bridge")
        yield
        ip("link", "delete", "br-host")

    @pytest.mark.usefixtures("_bridge")
    def test_of_a_bridge_of_the_host(self) -> None:
        lab: dict[str, Any] = {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}}
        change(**lab, portgroups=[self.FAST, self.SLOW])
        change(**lab, portgroups=[self.SLOW])
        assert _both("portgroup/@name") == ["slow"]


class TestBridge:
    def test_ipv6_between_guests(self) -> None:
        """libvirt lets IPv6 pass on the bridge when it is asked to, in the kernel and in the firewall."""
        switch = Path("/proc/sys/net/ipv6/conf/virbr-lab/disable_ipv6")
        succeed(run(**nat()))
        assert switch.read_text(encoding="ascii").strip() == "1"
        rules = _rules()
        change(**nat(ipv6=True, if_restart_needed="restart"))
        assert _both("@ipv6") == ["yes"]
        assert set(_rules()) - set(rules)
        change(**nat(ipv6=False, if_restart_needed="restart"))
        assert _both("@ipv6") == []
        assert _rules() == rules

    def test_isolated_ports(self) -> None:
        succeed(run(**nat()))
        change(**nat(port_isolation=True, if_restart_needed="restart"))
        assert _both("port/@isolated") == ["yes"]
        change(**nat(port_isolation=False, if_restart_needed="restart"))
        assert _both("port/@isolated") == ["no"]

    def test_a_deferred_change(self) -> None:
        succeed(run(**nat()))
        for option in ("port_isolation", "trust_guest_rx_filters", "ipv6"):
            declared: dict[str, Any] = {option: True}
            result = change(**nat(**declared))
            assert result["pending_restart"] == ["lab"]
            assert xpath(definition(), "port/@isolated") == ["yes"]
            assert xpath(running(), "port/@isolated") == []


def _rules() -> list[str]:
    found = subprocess.run(["ip6tables-save"], capture_output=True, text=True, check=True).stdout
    return sorted(line for line in found.splitlines() if "virbr-lab" in line)


class TestMetadata:
    ONE = "<a:x xmlns:a='urn:one' z='1' b='2'>one<a:y/></a:x>"
    TWO = "<b xmlns='urn:two'>two</b>"

    def test_each_program_has_its_own(self) -> None:
        change(**nat(metadata={"urn:one": self.ONE}))
        change(name="lab", metadata={"urn:two": self.TWO})
        assert xpath(definition(), "metadata/*") == ["one", "two"]
        # Spelled in another way it is the same.
        unchanged(name="lab", metadata={"urn:one": '<a:x  b="2" z="1" xmlns:a="urn:one">one<a:y></a:y></a:x>'})
        unchanged(name="lab", metadata={"urn:two": "  <b xmlns='urn:two'>two</b>\n"})
        change(name="lab", metadata={"urn:one": ""})
        assert xpath(definition(), "metadata/*") == ["two"]
        change(name="lab", metadata={"urn:two": ""})
        assert xpath(definition(), "metadata") == []
        assert_all_valid()

    def test_blanks_between_words_stay(self) -> None:
        text = "<note xmlns='urn:one'>see the <b>wiki</b> first</note>"
        change(**nat(metadata={"urn:one": text}, state="present"))
        assert "see the <b>wiki</b> first" in definition()

    def test_a_running_network(self) -> None:
        """Nothing depends on it, so that nothing waits for a restart."""
        succeed(run(**nat(metadata={"urn:one": self.ONE})))
        result = change(**nat(metadata={"urn:one": self.ONE.replace("one<", "other<")}, if_restart_needed="fail"))
        assert result["pending_restart"] == []
        assert xpath(definition(), "metadata/*") == ["other"]

    @pytest.mark.parametrize(
        ("uri", "text", "word"),
        [
            ("urn:one", "<a/>", "is not in the namespace"),
            ("urn:one", "<a xmlns='urn:two'/>", "is not in the namespace"),
            ("urn:one", "hello", "well-formed"),
            ("urn:one", "<a xmlns='urn:one'/><a xmlns='urn:one'/>", "well-formed"),
            ("urn:one", "<!DOCTYPE a><a xmlns='urn:one'/>", "DOCTYPE"),
            ("", "<a/>", "is not in the namespace"),
        ],
    )
    def test_wrong(self, uri: str, text: str, word: str) -> None:
        message = refuse(**nat(metadata={uri: text}))
        assert f"network 'lab': metadata[{uri}]: " in message
        assert word in message


class TestHostdev:
    """Pools of virtual functions. This host has none, but libvirt looks at one folder only."""

    POOL: ClassVar[dict[str, Any]] = {
        "name": "lab",
        "forward": {"mode": "hostdev", "managed": True, "addresses": ["03:10.1"]},
    }

    @pytest.fixture(autouse=True)
    def _functions(self) -> Iterator[None]:
        with virtual_functions("0000:03:10.1", "0000:03:10.3", "0000:81:02.0"):
            yield

    def test_a_pool_comes_and_changes_and_goes(self) -> None:
        with handed_over() as given:
            change(**self.POOL)
            assert states()["lab"] == ("active", "yes", "yes")
            assert _both("forward/address/@bus") == ["0x03"]
            assert _both("forward/@managed") == ["yes"]
            result = change(name="lab", forward={"addresses": ["0000:03:10.1", "0000:81:02.0"]})
            assert result["pending_restart"] == ["lab"]
            change(name="lab", forward={"driver": {"name": "vfio"}}, if_restart_needed="restart")
            assert sorted(_both("forward/address/@bus")) == ["0x03", "0x81"]
            assert _both("forward/driver/@name") == ["vfio"]
            change(name="lab", vlan={"tags": [{"id": 42}]}, if_restart_needed="restart")
            assert _both("vlan/tag/@id") == ["42"]
            change(name="lab", vlan={"tags": []}, if_restart_needed="restart")
            assert _both("vlan") == []
            change(name="lab", state="absent")
        for document in given:
            assert_valid(document)

    def test_a_device_that_is_none(self) -> None:
        """Only the host can tell, and libvirt does at the definition."""
        result = run(**{**self.POOL, "forward": {"mode": "hostdev", "addresses": ["0000:03:11.7"]}})
        assert result["failed"]
        assert "0000:03:11.7" in result["msg"]
        assert states() == {}


@pytest.mark.parametrize("mode", ["vepa", "passthrough"])
def test_macvtap_on_all_functions_of_a_card(mode: str) -> None:
    """This host's card has none, which libvirt finds out at the start."""
    lab: dict[str, Any] = {"name": "lab", "forward": {"mode": mode, "pf": "uplink0"}}
    change(**lab, state="present")
    assert xpath(definition(), "forward/pf/@dev") == ["uplink0"]
    result = run(**lab)
    assert result["failed"]
    assert "network lab" in result["msg"]
    change(name="lab", forward={"interfaces": ["uplink0"]}, state="present")
    assert xpath(definition(), "forward/pf") == []

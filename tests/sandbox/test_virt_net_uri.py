# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net and virt_net_info at other URIs: libvirt's test driver, sessions, and what is no hypervisor at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from test_virt_net_kit import forget_networks, lease, nat, refuse, run, states, succeed

# Bridges and devices of the test driver are nobody's: the host's own are in no way of theirs.
TEST = "test:///default"
LIKE_THE_HOST = nat(subnet="198.51.100", bridge="uplink0")


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


class TestTestDriver:
    """Its state lives as long as a connection of the process does."""

    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> Iterator[None]:
        self.connection = libvirt.open(TEST)
        yield
        for network in self.connection.listAllNetworks():
            if network.name() != "default":
                if network.isActive():
                    network.destroy()
                network.undefine()
        self.connection.close()

    @staticmethod
    def converge(**arguments: Any) -> dict[str, Any]:
        """Run, see a change, and see a second run find nothing to do."""
        result = succeed(run(uri=TEST, **arguments))
        assert result["changed"]
        assert not succeed(run(uri=TEST, **arguments))["changed"]
        return result

    def test_create_and_remove(self) -> None:
        self.converge(**LIKE_THE_HOST)
        assert self.connection.networkLookupByName("lab").isActive()
        # The real hypervisor knows nothing of it.
        assert states() == {}
        self.converge(name="lab", state="absent")
        assert [network.name() for network in self.connection.listAllNetworks()] == ["default"]

    def test_change_what_does_not_run(self) -> None:
        self.converge(**nat(state="present"))
        self.converge(**nat(state="present", mtu=1400, dhcp={"hosts": [lease(9)]}))
        self.converge(**nat(state="present", mtu=0, dhcp={"hosts": []}))

    def test_change_what_runs(self) -> None:
        self.converge(**nat())
        self.converge(**nat(dhcp={"hosts": [lease(9)]}))
        assert "192.168.50.9" in self.connection.networkLookupByName("lab").XMLDesc()

    @pytest.mark.parametrize("how", ["restart", "defer"])
    def test_change_the_definition_of_what_runs(self, how: str) -> None:
        """The driver shows one document only, the running one. So the change is made, or refused before it is begun."""
        self.converge(**nat())
        result = run(uri=TEST, **nat(mtu=1400, if_restart_needed=how))
        assert not result.get("failed") or result["msg"].startswith("Nothing was changed")

    def test_check_mode(self) -> None:
        dry = succeed(run(uri=TEST, check=True, **nat()))
        assert dry["steps"] == ["define network lab", "start network lab", "start network lab with the host"]
        assert [network.name() for network in self.connection.listAllNetworks()] == ["default"]

    def test_info(self) -> None:
        (network,) = succeed(run("virt_net_info", uri=TEST))["networks"]
        assert (network["name"], network["state"], network["persistent"]) == ("default", "active", True)
        assert network["leases"] == []
        assert network["ips"][0]["address"] == "192.168.122.1/24"

    def test_a_state_of_its_own(self, tmp_path: Path) -> None:
        path = tmp_path / "node.xml"
        path.write_text("<node><cpu><mhz>1</mhz><model>x</model></cpu></node>", encoding="ascii")
        result = succeed(run(uri=f"test://{path}", **nat()))
        assert result["changed"]


WRONG = {
    "nope": "no connection driver available",
    "nope:///system": "no connection driver available",
    "QEMU:///system": "no connection driver available",
    "qemu+nope:///system": "transport in URL not recognised",
    "qemu:///nope": "unexpected qemu URI path",
}


class TestWrong:
    @pytest.mark.parametrize("uri", WRONG)
    def test_unknown(self, uri: str) -> None:
        for message in (
            refuse(uri=uri, nothing_changed=False, **nat()),
            succeed_not(run("virt_net_info", uri=uri)),
            succeed_not(run(uri=uri, check=True, **nat())),
        ):
            assert message.startswith(f"uri: libvirt does not answer at '{uri}': ")
            assert WRONG[uri] in message
            # The way out is another URI, not a daemon to be started.
            assert "qemu:///system" in message
            assert "systemctl" not in message

    def test_a_host_that_does_not_answer(self) -> None:
        message = refuse(uri="qemu+tcp://127.0.0.1:9/system", nothing_changed=False, **nat())
        assert message.startswith("uri: libvirt does not answer at 'qemu+tcp://127.0.0.1:9/system': ")
        assert "Check that the host can be reached and that its libvirt daemon runs" in message

    def test_a_wrong_network_is_told_first(self) -> None:
        """What can be refused without asking the hypervisor is refused without asking it."""
        assert "mtu: 67" in refuse(uri="qemu+tcp://127.0.0.1:9/system", **nat(mtu=67))


def succeed_not(result: dict[str, Any]) -> str:
    assert result.get("failed")
    return str(result["msg"])


def test_another_spelling_of_the_uri_is_the_same_hypervisor() -> None:
    succeed(run(**nat()))
    for uri in ("qemu:///system?no_verify=1", "qemu+unix:///system"):
        assert not succeed(run(uri=uri, **nat()))["changed"]
        # The host's devices are seen there too.
        assert "uplink0" in refuse(uri=uri, **nat("other", subnet="198.51.100", bridge="virbr-other"))

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the guides and READMEs, each run as a reader would run it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Guest, OutsideServer, PlaybookRun, host_state, playbook, settled_state
from harness.places import COLLECTIONS, ROOT, scratch
from test_roles import RULES, fresh_settings, specification

# It puts the kernel's settings back after each test.
_fresh_settings = fresh_settings

COLLECTION = COLLECTIONS / "ansible_collections/virtnet/hypervisor"

GUIDES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
READMES = sorted((ROOT / "roles").glob("*/README.md"))
# The longest first: the variables of bridge_vlan begin with bridge, too.
PLAYBOOKS = sorted((path.stem for path in (ROOT / "playbooks").glob("*.yml")), key=len, reverse=True)
# Their examples need a kernel with VLANs.
OF_VLANS = (ROOT / "docs/docsite/rst/guide_bridge_vlan.rst", ROOT / "roles/bridge_vlan/README.md")
# The guide of the lab has commands only.
OF_THE_LAB = ROOT / "docs/docsite/rst/guide_lab.rst"
DOCUMENTS = [path for path in (*GUIDES, *READMES) if path not in (*OF_VLANS, OF_THE_LAB)]


@pytest.mark.parametrize("role", ["host", *sorted(PLAYBOOKS)])
def test_readme_has_every_variable(role: str) -> None:
    readme = (COLLECTION / f"roles/{role}/README.md").read_text(encoding="utf-8")
    in_readme = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    options = specification(role)
    assert sorted(in_readme) == sorted(options)
    defaults = yaml.safe_load((COLLECTION / f"roles/{role}/defaults/main.yml").read_text(encoding="utf-8"))
    declared = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: value for name, value in defaults.items() if "{{" not in str(value)} == declared


def _blocks(document: Path) -> Iterator[tuple[str, str]]:
    """The code blocks of a guide or a README: language and text."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".md":
        yield from re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        return
    for found in re.finditer(r"^\.\. code-block:: (\w+)\n(?:   :.*\n)*\n((?:   .*\n|\n)+)", text, re.MULTILINE):
        yield found[1], re.sub("^   ", "", found[2], flags=re.MULTILINE).strip("\n") + "\n"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_true(document: Path) -> None:
    """Each runs on what those before it have made: check mode touches nothing, a second run changes nothing.

    A text block after an example is what its runs print, with `...` for what is left out. Where it says that nothing
    was changed, the example is one that is refused.
    """
    RULES.parent.mkdir(parents=True, exist_ok=True)
    inventory = scratch() / "documented.yml"
    inventory.write_text("hypervisors:\n  hosts:\n    hypervisor:\n", encoding="utf-8")
    blocks = list(_blocks(document))
    examples = 0
    playbook(_HOST, "--inventory", str(inventory), extra_vars=_VARIABLES).succeeded()
    for number, (language, text) in enumerate(blocks):
        if language != "yaml":
            continue
        following = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
        expected = following[1] if following[0] == "text" else ""
        if "hypervisors" in yaml.safe_load(text):
            assert set(yaml.safe_load(text)["hypervisors"]) <= {"hosts", "vars"}
            continue
        examples += 1
        _run_example(text, expected, inventory)
    assert examples > 0


@pytest.fixture(autouse=True)
def _no_search_for_duplicates() -> Iterator[None]:
    """New IPv6 addresses would be tentative for a second or two, and change the state of the host by themselves."""
    settings = [Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad") for name in ("all", "default")]
    before = [path.read_text(encoding="ascii") for path in settings]
    for path in settings:
        path.write_text("0\n", encoding="ascii")
    yield
    for path, value in zip(settings, before, strict=True):
        path.write_text(value, encoding="ascii")


_VARIABLES: dict[str, Any] = {"host_packages_install": False}


def _play(**parts: Any) -> str:
    play = {"name": "Documented", "hosts": "hypervisors", "gather_facts": False, **parts}
    return "---\n" + yaml.safe_dump([play], sort_keys=False)


_HOST = _play(roles=["virtnet.hypervisor.host"])


def _run_example(text: str, expected: str, inventory: Path) -> None:
    content = yaml.safe_load(text)
    variables = {**_VARIABLES}
    if isinstance(content, dict):
        variables |= content
        named = (name for name in PLAYBOOKS if any(variable.startswith(f"{name}_") for variable in content))
        # A playbook is these two roles, one after the other. That of the host is needed for its own variables only.
        of_the_host = ["host"] if any(variable.startswith("host_") for variable in content) else []
        roles = [*of_the_host, *itertools.islice(named, 1)]
        assert roles, f"these are the variables of no role: {', '.join(content)}"
        source = _play(roles=[f"virtnet.hypervisor.{name}" for name in roles])
    elif "hosts" in content[0]:
        source = f"---\n{text}"
    else:
        source = _play(tasks=content)

    def run(**options: Any) -> PlaybookRun:
        return playbook(source, "--inventory", str(inventory), extra_vars=variables, diff=True, **options)

    before = settled_state()
    checked = run(check=True)
    assert host_state() == before
    real = run()
    printed = " ".join((checked.stdout + real.stdout).split())
    for part in expected.split("...\n"):
        assert " ".join(part.split()) in printed, f"{part}\nis not in\n{checked.stdout}{real.stdout}"
    if "Nothing was changed" in expected:
        assert (checked.failed, real.failed) == (1, 1), real.stdout
        assert host_state() == before
    else:
        checked.succeeded()
        real.succeeded()
        assert checked.changed == real.changed, f"{checked.stdout}{real.stdout}"
        again = run().succeeded()
        assert again.changed == 0, again.stdout


def test_guests_of_the_documented_network_have_ipv6(outside: OutsideServer) -> None:
    (text,) = [text for _language, text in _blocks(ROOT / "docs/docsite/rst/guide_nat.rst") if "ipv6: true" in text]
    variables = {"virtnet_hosts": "all", "host_packages_install": False, **yaml.safe_load(text)}
    playbook("virtnet.hypervisor.nat", extra_vars=variables).succeeded()
    with Guest("dual", ["dual"]) as guest:
        assert guest.wait_for_address(family=6, timeout=120).startswith("fd00:52:")
        guest.check(f"nc {outside.address_6} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == "2001:db8:100::2"
        assert guest.wait_for_address(timeout=120).startswith("192.168.52.1")
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection(2).address == "198.51.100.2"

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents that try to make the parser read files, ask the network, or eat the memory."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.network_xml import parse_network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.xml_record import parse, serialize

LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
BODY = "<network><name>lab</name><title>&e;</title></network>"


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE network>{BODY.replace('&e;', '')}",
        f"<!DOCTYPE network [<!ENTITY e 'inner'>]>{BODY}",
        f"<!DOCTYPE network SYSTEM 'network.dtd'>{BODY.replace('&e;', '')}",
        f"<!DOCTYPE network PUBLIC '-//X//Y' 'http://127.0.0.1/network.dtd'>{BODY.replace('&e;', '')}",
        f"<!DOCTYPE network [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>{BODY.replace('&e;', '')}",
        f"<!DOCTYPE network [<!ATTLIST network ipv6 CDATA 'yes'>]>{BODY.replace('&e;', '')}",
        f"<?xml version='1.0'?>\n<!-- c -->\n<!DOCTYPE network [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{BODY}",
    ],
)
def test_a_doctype_is_refused(text: str) -> None:
    with pytest.raises(InvalidDeclaration, match="the document has a DOCTYPE"):
        parse_network(text, where="xml")


def test_an_entity_of_a_file_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(InvalidDeclaration) as refused:
        parse(f"<!DOCTYPE network [<!ENTITY e SYSTEM '{(tmp_path / 'secret').as_uri()}'>]>{BODY}", where="xml")
    assert "secret'" not in str(refused.value)


def test_a_billion_laughs_are_not_laughed() -> None:
    """Expanded, they would be gigabytes."""
    with pytest.raises(InvalidDeclaration):
        parse(f"<!DOCTYPE network [<!ENTITY l0 'ha'>{LAUGHS}]>{BODY.replace('&e;', '&l11;')}", where="xml")


def test_the_network_is_not_asked() -> None:
    """A document type on a server of the test's own: nobody may knock there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/network.dtd"
        knocked = threading.Event()

        def listen() -> None:
            try:
                connection, _peer = server.accept()
            except OSError:  # Nobody came.
                return
            knocked.set()
            connection.close()

        listener = threading.Thread(target=listen)
        listener.start()
        with pytest.raises(InvalidDeclaration):
            parse(f"<!DOCTYPE network SYSTEM '{url}' [<!ENTITY % p SYSTEM '{url}'> %p;]>{BODY}", where="xml")
        listener.join()
    assert not knocked.is_set()


def test_inclusions_are_left_as_they_are() -> None:
    text = (
        '<network xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname" parse="text"/></network>'
    )
    assert serialize(parse(text, where="xml")) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "xml: this is not well-formed XML"),
        ("network", "xml: this is not well-formed XML"),
        ("<network>", "xml: this is not well-formed XML"),
        ("<network/><network/>", "xml: this is not well-formed XML"),
        ("<network><name>&unknown;</name></network>", "xml: this is not well-formed XML"),
        (f"<network>{'<a>' * 5000}{'</a>' * 5000}</network>", "xml: this is not well-formed XML"),
        ("<domain/>", "xml: the root element is <domain>. Give a <network> document"),
    ],
)
def test_what_is_no_network_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidDeclaration) as refused:
        parse_network(text, where="xml")
    assert message in str(refused.value)


def test_white_space_and_a_declaration_before_the_document_are_fine() -> None:
    root = parse_network(
        "\n  <?xml version='1.0' encoding='utf-8'?>\n<network><name>Größe</name></network>\n", where="xml"
    )
    assert root.findtext("name") == "Größe"

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diff's YAML, read with PyYAML: what was written must be what is read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._yaml import to_yaml
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils import strategies

# What options can hold: no lone surrogates, which are no characters, and so in no file or message either.
characters = st.characters(exclude_categories=["Cs"])
# Texts that YAML could take for something else, more often than chance would have it.
tricky = st.text("0123456789abcdefxo.:/-_+eE ,#&*!|>'\"%@`[]{}?~=ynYN\\", max_size=12)
words = st.sampled_from(["yes", "No", "on", "OFF", "null", "~", "True", "=", "<<", "...", "---", "y", ".inf", ".NaN"])
scalars = st.none() | st.booleans() | st.integers() | st.text(characters, max_size=20) | tricky | words
keys = st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True).filter(lambda key: yaml.safe_load(key) == key)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(keys, values, max_size=4))
@example({"title": "0b1"})
@example({"title": "\x7f"})
@example({"title": "a\x85b\u2028c"})
@example({"title": "\ufeff\U0001f600"})
@example({"list": [[], {}, [[1, [2]]], {"a": [{"b": "c"}]}]})
def test_what_is_written_is_what_is_read(value: dict[str, Any]) -> None:
    assert (yaml.safe_load(to_yaml(value)) or {}) == value


@given(strategies.options)
def test_options_are_read_as_they_are_written(options: strategies.Options) -> None:
    assert (yaml.safe_load(to_yaml(options)) or {}) == options


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, ""),
        ({"name": "lab", "mtu": 1400, "stp": True}, "name: lab\nmtu: 1400\nstp: true\n"),
        ({"ips": [{"address": "192.168.50.1/24"}]}, "ips:\n- address: 192.168.50.1/24\n"),
        ({"dns": {"hosts": []}}, "dns:\n  hosts: []\n"),
        ({"names": ["web", "yes"]}, 'names:\n- web\n- "yes"\n'),
        ({"mac": "52:54:00:ab:cd:ef"}, "mac: 52:54:00:ab:cd:ef\n"),
        ({"mac": "52:54:00:12:34:56"}, 'mac: "52:54:00:12:34:56"\n'),
        ({"address": "fd00::1/64", "net": "::/0"}, 'address: fd00::1/64\nnet: "::/0"\n'),
        ({"title": "The lab: 2nd floor"}, 'title: "The lab: 2nd floor"\n'),
    ],
)
def test_it_looks_as_a_user_would_write_it(value: dict[str, Any], text: str) -> None:
    assert to_yaml(value) == text

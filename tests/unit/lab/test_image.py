# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name an image is cached under: another recipe is another image, and nothing else is."""

from __future__ import annotations

import pytest
from virtnet_lab import image

RECIPE = {"packages": b"systemd\n", "files/etc/fstab": b""}


def test_same_recipe_has_same_key() -> None:
    assert image.key("trixie", RECIPE) == image.key("trixie", dict(reversed(RECIPE.items())))


@pytest.mark.parametrize(
    ("release", "sources"),
    [
        ("bookworm", RECIPE),
        ("trixie", {**RECIPE, "packages": b"systemd\nudev\n"}),
        ("trixie", {**RECIPE, "init": b""}),
        ("trixie", {"packages": b"", "files/etc/fstab": b"systemd\n"}),
        ("trixie", {"package": b"ssystemd\n", "files/etc/fstab": b""}),
        ("trixie", {}),
    ],
)
def test_other_recipe_has_other_key(release: str, sources: dict[str, bytes]) -> None:
    assert image.key(release, sources) != image.key("trixie", RECIPE)


def test_recipe_has_every_file_it_is_made_from() -> None:
    assert {
        "customize",
        "image.py",
        "init",
        "kernel_modules.py",
        "packages",
        "files/etc/systemd/network/10-trunk.link",
    } <= image.recipe().keys()


def test_packages_are_one_a_line_besides_comments() -> None:
    assert image.packages("# Which.\nudev\n\n  dbus # why\n") == ["udev", "dbus"]

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # What every module that changes something promises.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return what would be changed, without touching anything.
    details:
      - Check mode is the same flow as a real run, ended before the first change.
  diff_mode:
    support: full
    description: Returns what is or would be changed, in the names of the options, when in diff mode.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run changes nothing.
"""

    # What every module that only reads promises.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return what would be changed, without touching anything.
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    description: Returns what is or would be changed, in the names of the options, when in diff mode.
    details:
      - This module changes nothing.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run changes nothing.
"""

    # The group of all modules, and where they run.
    COMMON = r"""
options: {}
attributes:
  action_group:
    support: full
    description: Use C(group/virtnet.hypervisor.virtnet) in C(module_defaults) to set defaults for this module.
    membership:
      - virtnet.hypervisor.virtnet
  platform:
    support: full
    description: The platforms the module runs on.
    platforms: linux
"""

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan what becomes of a file of kernel settings and of the kernel, change nothing, and print it as JSON.

The argument is JSON:

- `file` is the path in /etc/sysctl.d.
- `settings` has values by their path in /proc/sys, with {device} in it.
- `devices` has by the name of whatever owns the settings its device, or an empty string when it needs them no more.
  Other owners keep theirs.
- `removed` has the owners whose devices go with them, or are made anew, and so need nothing back.

The file says what each setting was before, and that is what the kernel gets back in the end.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Optional

# "# of OWNER, before: VALUE" and the setting in the next line. The '-' is for devices that may not be there at boot.
_ENTRY = re.compile(r"^# of (\".*\"), before: (\S+)\n-(\S+) = (.*)$", re.MULTILINE)


def plan(wanted: dict[str, Any]) -> dict[str, Any]:
    old = entries(content(wanted["file"]) or "")
    remembered = {each["key"]: each["before"] for each in old}
    new = [each for each in old if each["owner"] not in wanted["devices"]]
    for owner, device in wanted["devices"].items():
        for pattern, value in wanted["settings"].items() if device else ():
            key = pattern.replace("{device}", device)
            # A device that is not there yet begins with the defaults.
            was = remembered.get(key) or now(key) or now(pattern.replace("{device}", "default"))
            new.append({"owner": owner, "key": key, "value": str(value), "before": was})
    new.sort(key=lambda each: (each["key"], each["owner"]))
    values = {each["key"]: each["value"] for each in new}
    returned = {
        each["key"]: each["before"]
        for each in old
        # Another value than ours is somebody else's by now.
        if each["key"] not in values and each["owner"] not in wanted["removed"] and now(each["key"]) == each["value"]
    }
    changes = {key: value for key, value in {**returned, **values}.items() if now(key) not in (None, value)}
    return {
        "text": "".join(lines(each) for each in new),
        "changes": [{"key": key, "value": value} for key, value in sorted(changes.items())],
        # Devices that are made before this is done for real.
        "new": sorted(
            f"{key} = {value}" for key, value in values.items() if key not in remembered and now(key) is None
        ),
    }


def entries(text: str) -> list[dict[str, str]]:
    return [
        {"owner": json.loads(owner), "before": was, "key": key, "value": value}
        for owner, was, key, value in _ENTRY.findall(text)
    ]


def lines(entry: dict[str, str]) -> str:
    owner = json.dumps(entry["owner"])
    return f"# of {owner}, before: {entry['before']}\n-{entry['key']} = {entry['value']}\n"


def now(key: str) -> Optional[str]:
    value = content("/proc/sys/" + key)
    return value.strip() if value is not None else None


def content(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


if __name__ == "__main__":
    print(json.dumps(plan(json.loads(sys.argv[1]))))

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host for the role `host`, change nothing, and print what was found as JSON.

The argument is what the role wants, as JSON. One process instead of a task per question: over SSH, every task counts.
"""

from __future__ import annotations

import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Optional

# Where the collection's modules look for the bindings, after the Python that Ansible chose.
SYSTEM_PYTHONS = ("/usr/libexec/platform-python", "/usr/bin/python3")
OLDEST_PYROUTE2 = (0, 5, 14)

BRIDGE_KEYS = tuple("net/bridge/bridge-nf-call-" + name for name in ("arptables", "ip6tables", "iptables"))

# Devices that Docker and the networks of Kubernetes make.
CONTAINER_DEVICES = ("docker0", "cni0", "kube-bridge", "kube-ipvs0", "flannel.*", "cali*", "cilium_host", "weave")

# In the order of precedence for files of the same name. systemd-sysctl reads all in the order of their names.
SYSCTL_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")

DRIVER_DAEMONS = {"qemu": "virtqemud", "xen": "virtxend", "lxc": "virtlxcd", "vbox": "virtvboxd", "ch": "virtchd"}


def look(wanted: dict[str, Any]) -> dict[str, Any]:
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    os.environ["LC_ALL"] = "C"
    uplinks = router_advertisement_devices() if wanted["forwarding_ipv6"] else {}
    settings = kernel_settings(wanted, uplinks)
    return {
        "root": os.geteuid() == 0,
        "bridge": os.path.isdir("/sys/module/bridge") or loadable("bridge"),
        "tap": os.path.exists("/dev/net/tun") if os.path.exists("/sys/class/misc/tun") else loadable("tun"),
        "absent": absent(wanted["packages"]),
        "libvirt": libvirt_version(),
        "python": bindings(),
        "containers": container_devices(),
        "settings": settings,
        "locked": [each["key"] for each in settings if each["now"] != each["value"] and locked(each["key"])],
        "overruled": overruled(settings, wanted["file"]),
        "networkd": [
            {"device": device, "file": file}
            for device, accept_ra in uplinks.items()
            for file in [networkd_file_without_ra(device)]
            if accept_ra == "0" and file
        ],
        "iproute": shutil.which("ip") is not None,
        "udev": os.path.isdir("/etc/udev/rules.d"),
        "units": units(wanted["uri"]),
    }


def output(*command: str, check: bool = True) -> Optional[str]:
    """What a command printed, or None when it is missing or, unless told otherwise, failed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=check,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def content(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


# What is there.


def loadable(module: str) -> bool:
    """Whether the kernel could load it, without loading it."""
    return output("modprobe", "--dry-run", "--quiet", module) is not None


def absent(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    if not packages:
        return []
    if shutil.which("dpkg-query"):
        # Its exit code says that one of them is unknown.
        query = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n", *packages)
        present = (output(*query, check=False) or "").splitlines()
        return [name for name in packages if "installed " + name not in present]
    return [name for name in packages if output("rpm", "--query", "--whatprovides", name) is None]


def libvirt_version() -> Optional[str]:
    for daemon in ("libvirtd", "virtnetworkd"):
        found = re.search(r"\d+\.\d+\.\d+", output(daemon, "--version") or "")
        if found:
            return found.group(0)
    return None


def bindings() -> dict[str, Any]:
    """The Python that has most of the libraries, and which it lacks."""
    code = (
        "import importlib.util as u, json, sys\n"
        "specs = {n: u.find_spec(n) for n in ('libvirt', 'lxml', 'pyroute2')}\n"
        # A folder without the library's code is found as well.
        "lacks = [n for n, s in specs.items() if s is None or not s.origin]\n"
        "version = ''\n"
        "try:\n"
        "    from importlib.metadata import version as version_of\n"
        "    version = version_of('pyroute2')\n"
        "except Exception:\n"
        "    pass\n"
        "print(json.dumps({'path': sys.executable, 'lacks': lacks, 'pyroute2': version}))\n"
    )
    found = []
    for python in (sys.executable, *SYSTEM_PYTHONS):
        printed = output(python, "-c", code)
        if printed:
            found.append(json.loads(printed))
        if found and not found[-1]["lacks"]:
            break
    best: dict[str, Any] = min(found, key=lambda each: len(each["lacks"]))
    numbers = tuple(int(number) for number in re.findall(r"\d+", best["pyroute2"])[:3])
    best["old"] = bool(numbers) and numbers < OLDEST_PYROUTE2
    return best


def container_devices() -> list[str]:
    names = sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else []
    return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in CONTAINER_DEVICES)]


# The kernel's settings.


def kernel_settings(wanted: dict[str, Any], uplinks: dict[str, str]) -> list[dict[str, Any]]:
    """What to set, in this order: accept_ra stands before the forwarding that changes its meaning."""
    settings = {}
    if wanted["forwarding_ipv6"]:
        # A device that was given it stays in the file, even while its router is away.
        kept = [key for key in assignments(content(wanted["file"]) or "") if key.endswith("/accept_ra")]
        learning = ["net/ipv6/conf/" + name + "/accept_ra" for name, value in uplinks.items() if value in ("1", "2")]
        settings.update(dict.fromkeys(sorted({*kept, *learning}), "2"))
    if wanted["forwarding_ipv4"]:
        settings["net/ipv4/ip_forward"] = "1"
    if wanted["forwarding_ipv6"]:
        settings["net/ipv6/conf/all/forwarding"] = "1"
    if wanted["bridge_netfilter"] is not None:
        settings.update({key: str(int(wanted["bridge_netfilter"])) for key in BRIDGE_KEYS})
    return [{"key": key, "value": value, "now": now(key)} for key, value in settings.items()]


def now(key: str) -> Optional[str]:
    value = content("/proc/sys/" + key)
    return value.strip() if value is not None else None


def locked(key: str) -> bool:
    path = "/proc/sys/" + key
    return os.path.exists(path) and not os.access(path, os.W_OK)


def assignments(text: str) -> dict[str, str]:
    """The settings of a sysctl file, by their path in /proc/sys."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*-?([^#;=\s][^=\s]*)\s*=\s*(.*?)\s*$", line)
        if match:
            key = match.group(1)
            separator = re.search(r"[./]", key)
            if separator and separator.group(0) == ".":
                key = key.translate({ord("."): "/", ord("/"): "."})
            found[key] = match.group(2)
    return found


def overruled(settings: Sequence[dict[str, Any]], ours: str) -> list[dict[str, str]]:
    """Settings that a file read after ours gives another value, so that ours would hold until the next boot only."""
    files: dict[str, str] = {}
    for folder in SYSCTL_FOLDERS:
        for path in glob.glob(folder + "/*.conf"):
            files.setdefault(os.path.basename(path), path)
    last: dict[str, dict[str, str]] = {}
    for name in sorted(files):
        if name > os.path.basename(ours):
            for key, value in assignments(content(files[name]) or "").items():
                last[key] = {"file": files[name], "key": key, "value": value}
    return [
        last[each["key"]] for each in settings if each["key"] in last and last[each["key"]]["value"] != each["value"]
    ]


# IPv6 uplinks.


def router_advertisement_devices() -> dict[str, str]:
    """Devices that have a route from router advertisements, with their accept_ra: 0 where a daemon reads those."""
    names = set(re.findall(r"\bdev (\S+)", output("ip", "-6", "route", "show", "proto", "ra") or ""))
    return {name: now("net/ipv6/conf/" + name + "/accept_ra") or "" for name in sorted(names)}


def networkd_file_without_ra(device: str) -> Optional[str]:
    """The file of systemd-networkd for this device, if it leaves advertisements alone once the host forwards."""
    index = (content("/sys/class/net/" + device + "/ifindex") or "").strip()
    state = content("/run/systemd/netif/links/" + index) or ""
    match = re.search(r"^NETWORK_FILE=(.+)$", state, re.MULTILINE)
    if not match:
        return None
    name = os.path.basename(match.group(1)) + ".d"
    extras: dict[str, str] = {}
    for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"):
        for path in glob.glob(folder + "/systemd/network/" + name + "/*.conf"):
            extras.setdefault(os.path.basename(path), path)
    value = ""
    for path in (match.group(1), *(extras[each] for each in sorted(extras))):
        for each in re.findall(r"^\s*IPv6AcceptRA\s*=\s*(\S*)\s*$", content(path) or "", re.MULTILINE):
            value = each.lower()
    return None if value in ("1", "y", "yes", "t", "true", "on") else match.group(1)


# Daemons.


def units(uri: str) -> dict[str, Any]:
    """What systemd has to start with the host and now, of the daemons this host has: libvirtd or the modular ones."""
    driver = DRIVER_DAEMONS.get(re.split(r"[+:]", uri)[0], "virtqemud")
    names = [name + kind for name in ("libvirtd", "virtnetworkd", driver) for kind in (".service", ".socket")]
    printed = output("systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState", *names) or ""
    known = {}
    for block in printed.split("\n\n"):
        each = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if each.get("LoadState") == "loaded":
            known[each["Id"]] = each

    def enabled(unit: str) -> bool:
        return known.get(unit, {}).get("UnitFileState", "").startswith("enabled")

    def active(unit: str) -> bool:
        return known.get(unit, {}).get("ActiveState") in ("active", "activating", "reloading")

    modular = all(name + ".service" in known for name in ("virtnetworkd", driver))
    chosen = any(enabled("libvirtd" + kind) or active("libvirtd" + kind) for kind in (".service", ".socket"))
    if "libvirtd.service" in known and (chosen or not modular):
        daemons = ["libvirtd"]
    else:
        daemons = ["virtnetworkd", driver] if modular else []
    enable, start = [], []
    for name in daemons:
        # Enabled as a service, so that it starts guests and networks with the host. Started by its socket: without work
        # to do the daemon ends itself, and its socket wakes it.
        socket = name + ".socket" if name + ".socket" in known else name + ".service"
        enable += [unit for unit in dict.fromkeys([name + ".service", socket]) if not enabled(unit)]
        if not active(name + ".service") and not active(socket):
            start.append(socket)
    return {"found": bool(daemons), "enable": enable, "start": start}


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))

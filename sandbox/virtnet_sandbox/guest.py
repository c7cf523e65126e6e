# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real guests: define and start them, run commands in them, see what network they got."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from . import guest_image, mounts
from .guest_commands import CommandChannel, GuestError, Output

__all__ = ["Background", "Guest", "GuestError", "Output", "Ping"]

_NETWORK_INTERFACE = """
    <interface type='network'>
      {mac}
      <source network='{network}'/>
      <model type='virtio'/>
    </interface>"""

# Port 0 is the console, written to a file; port 1 takes the harness's commands.
_DOMAIN = """
<domain type='{kind}'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{parameters}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='{cpu}'/>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='{folder}/console.log'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='{folder}/commands'/><target port='1'/></serial>
    <memballoon model='none'/>{interfaces}
  </devices>
  <seclabel type='none'/>
</domain>
"""

_PARAMETERS = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on guest.hostname={name}"


class Guest:
    """A running guest. `networks` are names of libvirt networks, or (name, MAC); `interfaces` is libvirt's XML.

    The constructor returns when QEMU runs; the first command waits until the guest has booted.
    """

    def __init__(
        self,
        name: str,
        networks: Sequence[str | tuple[str, str]] = (),
        interfaces: Sequence[str] = (),
        *,
        dhcp: bool = True,
        memory: int = 128,
    ) -> None:
        self.name = name
        self.folder = Path(os.environ.get("VIRTNET_SANDBOX_DIR", mounts.SCRATCH)) / "guests" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._commands = CommandChannel(name, self.folder / "commands", self.console)
        self._jobs = 0
        image = guest_image.cached()
        if image is None:
            raise GuestError(
                "there is no guest image. Run once where Debian's packages can be reached: sandbox/run -- true"
            )
        real = _hardware_virtualisation()
        parameters = _PARAMETERS.format(name=name) + ("" if dhcp else " guest.dhcp=off")
        document = _DOMAIN.format(
            kind="kvm" if real else "qemu",
            cpu="host-passthrough" if real else "maximum",
            name=name,
            memory=memory,
            kernel=image.kernel,
            initrd=image.initrd,
            parameters=parameters,
            folder=self.folder,
            interfaces="".join([*(_network_interface(network) for network in networks), *interfaces]),
        )
        definition = self.folder / "domain.xml"
        definition.write_text(document, encoding="utf-8")
        _virsh("define", str(definition))
        self.start()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def start(self) -> None:
        _virsh("start", self.name)

    def stop(self) -> None:
        """Pull the plug; the definition stays, and start() boots it again."""
        self._commands.close()
        if self.running:
            _virsh("destroy", self.name)

    def destroy(self) -> None:
        self.stop()
        if self.name in _virsh("list", "--all", "--name").split():
            _virsh("undefine", self.name)

    @property
    def running(self) -> bool:
        return self.name in _virsh("list", "--name").split()

    def console(self) -> str:
        """What the guest printed since it was first started."""
        try:
            return (self.folder / "console.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    # Commands in the guest

    def wait_until_booted(self, timeout: float = 60) -> None:
        if not self._commands.connected and not self.running:
            raise GuestError(f"guest {self.name} is not running")
        self._commands.wait_until_ready(timeout)

    def run(self, command: str, timeout: float = 30) -> Output:
        """Run a shell command as root. The result unpacks to (rc, output)."""
        self.wait_until_booted()
        return self._commands.run(command, timeout)

    def check(self, command: str, timeout: float = 30) -> str:
        """The output of a command that must succeed."""
        rc, output = self.run(command, timeout)
        if rc != 0:
            raise GuestError(f"guest {self.name}: `{command}` ended with {rc}:\n{output}")
        return output

    def background(self, command: str) -> Background:
        """Start a command and come back at once; any number of them run beside each other and beside run()."""
        self._jobs += 1
        return Background(self, command, f"/run/job-{self._jobs}")

    @contextlib.contextmanager
    def pinging(self, target: str, interval: float = 0.05) -> Iterator[Ping]:
        """Ping during the block, by default 20 times a second; afterwards the result has the losses."""
        result = Ping()
        job = self.background(f"exec ping -i {interval} {target}")
        job.wait_for_output("bytes from")
        yield result
        # Packets sent during the block may still be on their way; those sent in this second do not count when lost.
        time.sleep(1)
        job.signal("INT")
        result.read(job.wait(), after_the_block=math.ceil(1 / interval))

    # The guest's network

    def wait_for_address(self, nic: str = "eth0", timeout: float = 60, family: int = 4) -> str:
        """The first global address of a NIC, without its prefix length."""
        self.wait_until_booted(timeout)
        deadline = time.monotonic() + timeout
        while True:
            _rc, listing = self.run(f"ip -{family} -o addr show dev {nic} scope global")
            for line in listing.splitlines():
                match = re.search(r"\binet6? ([0-9a-f.:]+)/\d+", line)
                if match and "tentative" not in line:
                    return match.group(1)
            if time.monotonic() > deadline:
                _rc, links = self.run("ip addr; ip route")
                raise GuestError(
                    f"guest {self.name}: {nic} has no IPv{family} address after {timeout:.0f} s. It has:\n{links}\n"
                    f"The end of its console:\n{_tail(self.console())}"
                )
            time.sleep(0.1)

    def nics(self) -> list[dict[str, str]]:
        """The guest's NICs as libvirt has them now: type, source, tap (or macvtap), mac."""
        found = []
        for interface in ET.fromstring(_virsh("dumpxml", self.name)).iter("interface"):

            def attribute(element: str, *names: str, interface: ET.Element = interface) -> str:
                there = interface.find(element)
                return "" if there is None else next(filter(None, map(there.get, names)), "")

            found.append(
                {
                    "type": interface.get("type", ""),
                    "source": attribute("source", "network", "bridge", "dev"),
                    "mac": attribute("mac", "address"),
                    "tap": attribute("target", "dev"),
                }
            )
        return found

    def mac(self, index: int = 0) -> str:
        return self.nics()[index]["mac"]

    def tap(self, index: int = 0) -> str:
        return self.nics()[index]["tap"]


class Background:
    """A command that runs in a guest on its own."""

    def __init__(self, guest: Guest, command: str, stem: str) -> None:
        self.guest = guest
        self.command = command
        self._stem = stem
        # Its own session, so that signal() reaches whatever the command starts.
        guest.check(
            f"cat >{stem}.sh <<'end-of-command'\n{command}\nend-of-command\n"
            f"( setsid sh -c 'echo $$ >{stem}.pid; exec sh {stem}.sh' >{stem}.out 2>&1 </dev/null\n"
            f"echo $? >{stem}.rc ) >/dev/null 2>&1 &\n"
            f"until [ -s {stem}.pid ]; do usleep 20000; done"
        )

    @property
    def running(self) -> bool:
        return self.guest.run(f"[ -s {self._stem}.rc ]").rc != 0

    def output(self) -> str:
        return self.guest.check(f"cat {self._stem}.out")

    def signal(self, name: str = "TERM") -> None:
        self.guest.run(f"kill -{name} -$(cat {self._stem}.pid)")

    def wait(self, timeout: float = 30) -> Output:
        deadline = time.monotonic() + timeout
        while self.running:
            if time.monotonic() > deadline:
                raise GuestError(
                    f"guest {self.guest.name}: `{self.command}` still runs after {timeout:.0f} s:\n{self.output()}"
                )
            time.sleep(0.1)
        return Output(int(self.guest.check(f"cat {self._stem}.rc")), self.output())

    def wait_for_output(self, text: str, timeout: float = 30) -> str:
        """Until the text appears in what the command printed."""
        deadline = time.monotonic() + timeout
        while text not in (output := self.output()):
            if time.monotonic() > deadline or not self.running:
                raise GuestError(f"guest {self.guest.name}: `{self.command}` did not print {text!r}:\n{output}")
            time.sleep(0.1)
        return output


class Ping:
    """How many packets of a ping were sent and answered, filled in when it has ended."""

    sent = 0
    received = 0

    @property
    def lost(self) -> int:
        return self.sent - self.received

    def read(self, output: Output, after_the_block: int) -> None:
        total = re.search(r"(\d+) packets transmitted", output.output)
        if total is None:
            raise GuestError(f"ping printed no statistics:\n{output.output}")
        answered = {int(number) for number in re.findall(r"\bseq=(\d+)", output.output)}
        self.sent = max(max(answered) + 1, int(total.group(1)) - after_the_block)
        self.received = len(answered)


def _network_interface(network: str | tuple[str, str]) -> str:
    name, mac = (network, "") if isinstance(network, str) else network
    return _NETWORK_INTERFACE.format(network=name, mac=f"<mac address='{mac}'/>" if mac else "")


def _hardware_virtualisation() -> bool:
    """The device alone says nothing: it also exists where the processor cannot do it."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return re.search(r"^flags\s.*\b(vmx|svm)\b", flags, re.MULTILINE) is not None and os.access("/dev/kvm", os.W_OK)


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])


def _virsh(*arguments: str) -> str:
    result = subprocess.run(
        ["virsh", "--quiet", "--connect", "qemu:///system", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise GuestError(f"virsh {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout

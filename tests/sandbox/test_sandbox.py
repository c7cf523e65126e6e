# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox itself: what it passes on, what it keeps apart, and that nothing of it is left.

These run in a sandbox, like all the tests beside them, and open others inside it: the "host" here is the outer one.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Guest, GuestError, OutsideServer, host_state, libvirtd, module, playbook, settled_state, virsh
from harness.examples import define_nat_network, define_network
from harness.places import ROOT

RUN = str(ROOT / "sandbox/run")
OWN_NETWORK = [sys.executable, str(Path(__file__).parent / "scenarios/own_network.py")]


def sandbox(
    *command: str, stdin: str = "", folder: str | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a sandbox of its own."""
    return subprocess.run(
        [RUN, "--", *command],
        input=stdin,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_sandbox(*command: str, marker: str = "", options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [RUN, *options, "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SANDBOX_TEST": marker},
        # Whoever runs the tests in the background may have signals ignored, and a shell cannot trap what was ignored.
        preexec_fn=heed_signals,
    )


def heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def line_from(process: subprocess.Popen[str], timeout: float = 120) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], timeout)[0], "the sandbox said nothing"
    return process.stdout.readline().strip()


def processes_of(marker: str) -> list[str]:
    """The launcher and the command have the marker in their environment; all others share their PID namespace."""
    marked, rooms = set(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            rooms[folder] = os.readlink(folder / "ns/pid")
            if marker.encode() in (folder / "environ").read_bytes():
                marked.add(folder)
    seen_rooms.setdefault(marker, set()).update(rooms[folder] for folder in marked)
    inside = seen_rooms[marker] - {os.readlink("/proc/self/ns/pid")}
    found = []
    for folder, room in rooms.items():
        if folder in marked or room in inside:
            with contextlib.suppress(OSError):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


# Kept for when the marked processes have ended and only a left one could still be in their namespace.
seen_rooms: dict[str, set[str]] = {}


def namespaces(kind: str) -> set[str]:
    """The namespaces that any process we can see is in."""
    found = set()
    for path in Path("/proc").glob(f"[0-9]*/ns/{kind}"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(path))
    return found


def files() -> set[str]:
    """What a sandbox could leave behind. Left out is /tmp, which is not only ours."""
    found: set[str] = set()
    for top in ("/run", "/tmp", "/var/tmp", "/dev", "/etc", "/var/lib/libvirt", "/var/log/libvirt", "/sys/fs/cgroup"):
        for folder, folders, names in os.walk(top):
            if folder in ("/dev/pts", "/tmp") or "/pytest-of-" in folder or "/systemd/" in folder:
                folders.clear()
                continue
            found.update(f"{folder}/{name}" for name in (*folders, *names))
    return found


def footprint() -> dict[str, object]:
    return {
        "mounts": Path("/proc/self/mountinfo").read_text(encoding="utf-8"),
        "network namespaces": namespaces("net"),
        "mount namespaces": namespaces("mnt"),
        "files": files(),
        "state": host_state(),
    }


def eventually(condition: Callable[[], bool], timeout: float = 10) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestCommand:
    """The command is run as if there were no sandbox around it."""

    @pytest.mark.parametrize(
        ("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    )
    def test_exit_code_is_passed_on(self, command: str, code: int) -> None:
        assert sandbox("sh", "-c", command).returncode == code

    def test_missing_command(self) -> None:
        result = sandbox("/nonexistent/command")
        assert result.returncode == 127
        assert "/nonexistent/command: command not found" in result.stderr

    def test_arguments_and_streams(self) -> None:
        result = sandbox("sh", "-c", 'cat; echo "$1" >&2', "sh", "two  words; $HOME", stdin="through stdin\n")
        assert result.stdout == "through stdin\n"
        assert result.stderr == "two  words; $HOME\n"

    def test_working_directory_and_environment(self) -> None:
        result = sandbox("sh", "-c", "pwd; echo $SOMETHING", folder="/usr/share", environment={"SOMETHING": "kept"})
        assert result.stdout == "/usr/share\nkept\n"

    def test_working_directory_that_is_private(self) -> None:
        assert (
            sandbox("sh", "-c", "pwd; echo x >only-inside; cat /etc/only-inside", folder="/etc").stdout == "/etc\nx\n"
        )
        assert not Path("/etc/only-inside").exists()

    def test_orphans_are_reaped(self) -> None:
        script = "(sleep 0.05 & exec sleep 0.1) & sleep 0.5; cat /proc/[0-9]*/stat"
        states = [line.rpartition(")")[2].split()[0] for line in sandbox("sh", "-c", script).stdout.splitlines()]
        assert states
        assert "Z" not in states

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_signal_reaches_the_command(self, number: signal.Signals) -> None:
        script = (
            f"trap 'echo caught; exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
        )
        with start_sandbox("sh", "-c", script) as process:
            assert line_from(process) == "ready"
            process.send_signal(number)
            assert line_from(process) == "caught"
            assert process.wait(10) == 9

    def test_signal_ends_a_command_that_does_not_care(self) -> None:
        with start_sandbox("sh", "-c", "echo ready; exec sleep 1000") as process:
            assert line_from(process) == "ready"
            process.terminate()
            assert process.wait(10) == 143

    def test_terminal(self) -> None:
        """A shell has job control, Ctrl-C ends its job and not the sandbox, and the terminal comes back."""
        pid, terminal = pty.fork()
        if pid == 0:
            heed_signals()
            script = f"{RUN} -- bash --norc -i; echo after=$?; read line; echo got-$line"
            os.execlp("sh", "sh", "-c", script)
        try:
            with _typing(terminal) as (type_in, wait_for):
                wait_for("# ")
                type_in("tty; echo in-$((40+2))\n")
                wait_for("in-42")
                type_in("sleep 1000\n")
                time.sleep(0.5)
                type_in("\x03")
                type_in("echo code=$?\n")
                wait_for("code=130")
                type_in("exit 7\n")
                wait_for("after=7")
                type_in("a line\n")
                wait_for("got-a line")
        finally:
            os.close(terminal)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextlib.contextmanager
def _typing(terminal: int) -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    seen = ""

    def wait_for(text: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 30
        while text not in seen:
            assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], f"no {text!r} in {seen!r}"
            seen += os.read(terminal, 4096).decode(errors="replace")
        seen = seen.partition(text)[2]

    def type_in(text: str) -> None:
        os.write(terminal, text.encode())

    yield type_in, wait_for


class TestRefusals:
    """One clear message, before anything is done."""

    def test_not_root(self) -> None:
        # An ordinary user who may read the tree wherever it is.
        user = [
            "setpriv",
            "--reuid=65534",
            "--clear-groups",
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
        ]
        result = subprocess.run([*user, RUN, "true"], capture_output=True, text=True, check=False)
        assert result.returncode == 69
        assert result.stderr.count("\n") == 1
        assert "needs root" in result.stderr

    def test_missing_tool(self) -> None:
        script = f"mount --bind /dev/null $(command -v dnsmasq) && exec {RUN} true"
        result = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
        assert result.returncode == 69
        assert result.stderr == "sandbox/run: these programs are missing: dnsmasq. Run: make setup\n"

    @pytest.mark.parametrize("arguments", [[], ["--unknown", "true"]])
    def test_usage(self, arguments: list[str]) -> None:
        result = subprocess.run([RUN, *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == 64
        assert "usage: sandbox/run" in result.stderr

    def test_libvirtd_helper_outside_of_a_sandbox(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VIRTNET_")}
        result = subprocess.run(
            [ROOT / "sandbox/libvirtd", "kill"], env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 69
        assert "not a sandbox" in result.stderr


class TestApart:
    """Sandboxes share nothing that matters with the host or with each other."""

    def test_two_at_once_with_the_same_names_and_subnet(self) -> None:
        before = host_state()
        with start_sandbox(*OWN_NETWORK) as one, start_sandbox(*OWN_NETWORK) as two:
            for process in (one, two):
                assert line_from(process).startswith("ready 192.168.50.")
            # Only now both are known to be up, and neither may have lost anything to the other.
            assert host_state() == before
            for process in (one, two):
                assert process.stdin is not None
                process.stdin.write("go on\n")
                process.stdin.flush()
                assert line_from(process).startswith("still 192.168.50.")
                assert line_from(process) == "networks shared-name"
                assert process.wait(30) == 0

    def test_macvtap_nodes_are_their_own(self) -> None:
        """Interface numbers repeat between sandboxes, and the device node is named after the number."""
        make = "ip link add m0 link uplink0 type macvtap mode bridge; sleep 0.5; echo $(cat /sys/class/net/m0/ifindex)"
        compare = "cat /sys/class/net/m0/tap*/dev; stat -c %Hr:%Lr /dev/tap$(cat /sys/class/net/m0/ifindex)"
        script = f"{make}; read line; {compare}"
        with start_sandbox("bash", "-c", script) as one, start_sandbox("bash", "-c", script) as two:
            assert line_from(one) == line_from(two)
            for process in (one, two):
                out, _none = process.communicate("go on\n", timeout=30)
                device, node = out.split()
                assert device == node

    def test_the_host_is_not_touched(self) -> None:
        before = footprint()
        script = (
            "set -e; ip link add br-x type bridge; sysctl -qw net.ipv4.ip_forward=1; echo x=1 >/etc/sysctl.d/x.conf;"
            "echo x >/etc/libvirt/x; echo x >/run/x; echo x >/dev/shm/x; echo x >/var/lib/libvirt/x; hostname changed;"
            "! echo 1 2>/dev/null >/proc/sys/vm/overcommit_memory"
        )
        result = sandbox("bash", "-c", script)
        assert result.returncode == 0, result.stderr
        assert footprint() == before

    def test_starts_like_a_fresh_host(self) -> None:
        script = "cat /proc/sys/net/ipv4/ip_forward; virsh -q net-list --all; virsh -q list --all; ls /sys/class/net"
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
        assert sandbox("sh", "-c", script).stdout.split() == ["0", "lo", "uplink0"]


class TestNothingIsLeft:
    """After the command, and after SIGKILL at any moment."""

    def test_after_sigkill_with_a_running_guest(self) -> None:
        before, marker = footprint(), uuid.uuid4().hex
        with start_sandbox(*OWN_NETWORK, marker=marker) as process:
            assert line_from(process).startswith("ready")
            running = " ".join(processes_of(marker))
            for name in ("libvirtd", "virtlogd", "qemu-system", "own_network.py"):
                assert name in running
            process.kill()
            process.wait(10)
        assert eventually(lambda: processes_of(marker) == []), processes_of(marker)
        assert eventually(lambda: footprint() == before)

    @pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
    def test_after_sigkill_while_starting(self, delay: float) -> None:
        before, marker = footprint(), uuid.uuid4().hex
        with start_sandbox("sleep", "1000", marker=marker) as process:
            time.sleep(delay)
            process.kill()
            process.wait(10)
        assert eventually(lambda: processes_of(marker) == []), processes_of(marker)
        assert eventually(lambda: footprint() == before)

    def test_daemons_of_the_command_end_with_it(self) -> None:
        marker = uuid.uuid4().hex
        with start_sandbox(
            "sh", "-c", "setsid sleep 1000 & setsid nohup sleep 1000 & exit 4", marker=marker
        ) as process:
            assert process.wait(30) == 4
        assert processes_of(marker) == []

    def test_die_with_parent(self) -> None:
        marker = uuid.uuid4().hex
        parent = subprocess.Popen(
            ["sh", "-c", f"{RUN} --die-with-parent -- sh -c 'echo ready; sleep 1000'; true"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SANDBOX_TEST": marker},
        )
        with parent:
            assert line_from(parent) == "ready"
            parent.kill()
            parent.wait(10)
        assert eventually(lambda: processes_of(marker) == []), processes_of(marker)


class TestLibvirtd:
    def test_kill_and_start_with_a_running_guest(self) -> None:
        define_nat_network("lan")
        guest = Guest("survivor", ["lan"])
        guest.wait_for_address()
        libvirtd("kill")
        with pytest.raises(AssertionError, match="virsh list"):
            virsh("list")
        assert guest.run("echo alive") == (0, "alive\n")
        libvirtd("start")
        assert guest.running
        libvirtd("restart")
        assert guest.running
        assert virsh("net-list", "--name").split() == ["lan"]


class TestGuest:
    def test_reaches_the_outside_through_translation_only(self, outside: OutsideServer) -> None:
        define_nat_network("lan")
        guest = Guest("inside", [("lan", "52:54:00:00:00:01")])
        address = guest.wait_for_address()
        assert guest.mac() == "52:54:00:00:00:01"
        lease = virsh("net-dhcp-leases", "lan").split()
        assert lease[2:6] == ["52:54:00:00:00:01", "ipv4", f"{address}/24", "inside"]
        reply = guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert reply == f"198.51.100.2 {outside.connections[0].port}\n"
        assert outside.peers == ["198.51.100.2"]

    def test_ipv6(self, outside: OutsideServer) -> None:
        define_network(
            """<network><name>six</name><forward mode='nat'><nat ipv6='yes'/></forward><bridge name='virbr6' stp='off'/>
            <ip family='ipv6' address='2001:db8:60::1' prefix='64'/></network>"""
        )
        virsh("net-start", "six")
        guest = Guest("six", ["six"])
        assert guest.wait_for_address(family=6).startswith("2001:db8:60:")
        assert guest.check(f"nc {outside.address_6} {outside.port} </dev/null").split()[0] == "2001:db8:100::2"

    def test_stream_and_ping_beside_commands(self, outside: OutsideServer) -> None:
        define_nat_network("lan")
        guest = Guest("busy", ["lan"])
        guest.wait_for_address()
        stream = guest.background(f"while :; do echo x; usleep 50000; done | nc {outside.address} {outside.port}")
        connection = outside.wait_for_connection()
        with guest.pinging(outside.address) as ping:
            before = connection.received
            time.sleep(2)
            assert guest.run("echo beside") == (0, "beside\n")
            assert connection.received > before
        assert ping.sent > 20
        assert ping.lost == 0
        tap = guest.tap()
        with guest.pinging(outside.address) as ping:
            subprocess.run(["ip", "link", "set", tap, "down"], check=True)
            time.sleep(1)
            subprocess.run(["ip", "link", "set", tap, "up"], check=True)
            time.sleep(1)
        assert 10 <= ping.lost <= 25, (ping.sent, ping.received)
        assert connection.open
        stream.signal()
        assert stream.wait().rc == 143
        assert eventually(lambda: not connection.open)

    def test_several_nics(self) -> None:
        define_nat_network("one", "virbr51", "192.168.51")
        define_nat_network("two", "virbr52", "192.168.52")
        guest = Guest("router", ["one", "two"])
        assert guest.wait_for_address("eth0").startswith("192.168.51.")
        assert guest.wait_for_address("eth1").startswith("192.168.52.")
        assert [nic["source"] for nic in guest.nics()] == ["one", "two"]
        master = Path(f"/sys/class/net/{guest.tap(1)}/master").readlink().name
        assert master == "virbr52"

    def test_command_that_hangs_is_killed_and_reported(self) -> None:
        guest = Guest("hanging")
        with pytest.raises(
            GuestError, match=r"(?s)guest hanging killed `echo before; sleep 60` after 1 s.*before.*guest hanging is up"
        ):
            guest.run("echo before; sleep 60", timeout=1)
        assert guest.run("echo next; exit 3") == (3, "next\n")

    def test_output_is_exact(self) -> None:
        guest = Guest("talking")
        text = "".join(f"{number}\n" for number in range(1, 20001))
        assert guest.check("seq 20000") == text
        assert guest.check("printf 'no newline'; printf ' and é'") == "no newline and é"

    def test_stop_and_start(self) -> None:
        guest = Guest("rebooted")
        guest.check("touch /run/mark")
        guest.stop()
        assert not guest.running
        with pytest.raises(GuestError):
            guest.run("true", timeout=1)
        guest.start()
        assert guest.run("test -e /run/mark").rc == 1


class TestHarness:
    def test_module(self) -> None:
        assert module("ansible.builtin.stat", {"path": "/etc"})["stat"]["isdir"]
        assert "path" in module("ansible.builtin.stat", {})["msg"]

    def test_playbook(self) -> None:
        text = """---
- hosts: all
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.copy: {dest: /run/written, content: "{{ what }}"}
"""
        run = playbook(text, check=True, diff=True, extra_vars={"what": "words"}).succeeded()
        assert run.changed == 1
        assert "+words" in run.stdout
        assert not Path("/run/written").exists()
        run = playbook(text, extra_vars={"what": "words"}).succeeded()
        assert [task.changed for task in run.of("copy")] == [True]
        assert Path("/run/written").read_text(encoding="utf-8") == "words"
        assert playbook(text, extra_vars={"what": "words"}).changed == 0

    def test_host_state_sees_a_change(self) -> None:
        define_nat_network("lan")
        before = settled_state()
        assert host_state() == before
        virsh("net-autostart", "lan")
        after = host_state()
        assert {key for key in after if after[key] != before.get(key)} == {
            "net-list",
            "net-info lan",
            "/etc/libvirt/qemu/networks/autostart",
            "/etc/libvirt/qemu/networks/autostart/lan.xml",
        }

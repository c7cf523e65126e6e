#!/bin/sh
# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# guest.sh start NAME INTERFACE DHCP: a guest of libvirt's LXC driver, with one NIC, eth0. INTERFACE is libvirt's XML, and
# DHCP is true or false. Waits for the guest's IPv4 address when it shall get one, and prints {"pid": ..., "address": ...}:
# `nsenter --net --target PID COMMAND` runs a command in the guest's network.
# guest.sh stop NAME: ends the guest and forgets it.

set -eu
name=$2
root=/run/virtnet-lab/guests/$name
lxc() { virsh --quiet --connect lxc:///system "$@"; }

make_root() {
    mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/etc"
    cp /usr/bin/busybox "$root/bin/"
    ln -sf busybox "$root/bin/sh"
    cat >"$root/lease" <<'end'
#!/bin/sh
export PATH=/bin
busybox ip -4 addr flush dev "$interface"
case $1 in
    deconfig) busybox ip link set "$interface" up ;;
    bound | renew)
        busybox ip addr add "$ip/$mask" dev "$interface"
        for gateway in $router; do
            busybox ip route replace default via "$gateway" dev "$interface"
        done
        ;;
esac
end
    cat >"$root/init" <<'end'
#!/bin/sh
export PATH=/bin
busybox ip link set lo up
busybox ip link set eth0 up
case $1 in
    true) busybox udhcpc -f -i eth0 -t 20 -T 1 -A 1 -s /lease ;;
esac
while :; do
    busybox sleep 3600
done
end
    chmod +x "$root/lease" "$root/init"
}

start() {
    make_root
    cat >"$root.xml" <<end
<domain type='lxc'>
  <name>$name</name>
  <memory unit='MiB'>64</memory>
  <os><type>exe</type><init>/init</init><initarg>$2</initarg></os>
  <devices>
    <filesystem type='mount'><source dir='$root'/><target dir='/'/></filesystem>
    $1
    <console type='pty'/>
  </devices>
</domain>
end
    lxc create "$root.xml" >&2
    # The domain's id is the process that looks after the container; the guest's first process is its child.
    pid=$(pgrep --parent "$(lxc domid "$name")" | head -1)
    address=''
    tries=0
    while [ "$2" = true ]; do
        address=$(nsenter --net --target "$pid" ip -4 -o addr show dev eth0 scope global | sed 's/.* inet \([^/]*\).*/\1/')
        [ -z "$address" ] || break
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ]; then
            echo "guest $name has no address after 30 s" >&2
            exit 1
        fi
        sleep 0.5
    done
    echo "{\"pid\": $pid, \"address\": \"$address\"}"
}

case $1 in
    start) start "$3" "$4" ;;
    stop)
        if lxc list --all --name | grep -qx "$name"; then
            lxc destroy "$name"
        fi
        rm -rf "$root" "$root.xml"
        ;;
esac

#!/bin/sh
# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# host_state.sh remember|compare: what a scenario must leave as it was. compare prints the differences and fails.
# host_state.sh note|unchanged: the same for what happens between these two.

set -eu
remembered=/run/virtnet-lab/host_state

state() {
    echo '== links'
    # Without the clocks of bridges, which run by themselves.
    ip -d -o link | sed 's/^[0-9]*: //; s/[a-z_]*_timer *[0-9.]*//g'
    echo '== addresses'
    ip -o addr | sed 's/^[0-9]*: //; s/ *valid_lft.*//'
    echo '== routes and rules'
    for family in 4 6; do
        ip "-$family" route show table all | sed 's/ expires [0-9]*sec//'
        ip "-$family" rule
    done
    echo '== settings'
    (
        cd /proc/sys/net
        for file in ipv4/ip_forward ipv4/conf/*/forwarding ipv4/conf/*/proxy_arp ipv4/conf/*/rp_filter \
            ipv6/conf/*/forwarding ipv6/conf/*/accept_ra ipv6/conf/*/disable_ipv6 bridge/bridge-nf-call-*; do
            [ ! -e "$file" ] || echo "$file = $(cat "$file")"
        done
    )
    echo '== firewall'
    nft --stateless list ruleset
    iptables-save | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//'
    ip6tables-save | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//'
    echo '== networks and guests'
    virsh net-list --all
    virsh --connect lxc:///system list --all
    ls -R /etc/libvirt/qemu/networks
    echo '== files'
    find /etc/libvirt /etc/sysctl.d /etc/udev/rules.d -type f -exec sha256sum {} + | sort --key 2
}

case $1 in
    remember)
        # The cables stay plugged in from here on. IPv6 has its addresses on them after two seconds.
        ip link set trunk up
        ip link set uplink up
        sleep 3
        # With the first network that starts, libvirt makes its chains, and keeps them when the last one has stopped.
        virsh net-start default
        virsh net-destroy default
        mkdir -p "${remembered%/*}"
        state >"$remembered"
        ;;
    compare)
        state >"$remembered.now"
        diff -U 2 "$remembered" "$remembered.now"
        ;;
    note) state >"$remembered.noted" ;;
    unchanged)
        state >"$remembered.now"
        diff -U 2 "$remembered.noted" "$remembered.now"
        ;;
esac

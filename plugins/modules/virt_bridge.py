#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_bridge
short_description: Manage Linux bridges for guests
description:
  - Creates, changes and removes Linux bridges, one (O(name)) or many (O(bridges)) in one pass.
  - What is not declared is left alone. A list that is declared is exact, and V([]) empties it.
  - An existing bridge is changed in place. Its ports and its link stay up, and guests stay connected.
  - A declared bridge is always brought up.
  - Ports of guests are never removed because they are not declared, see O(ports).
  - Bridges that libvirt makes for its networks are managed with M(virtnet.hypervisor.virt_net).
  - Everything that can be refused is refused for all declared bridges before the first change.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._netlink
options:
  name:
    description:
      - Name of the bridge, at most 15 bytes.
      - One of O(name) and O(bridges) is required.
    type: str
  bridges:
    description:
      - Bridges, each with the options of a single one. Mutually exclusive with them.
    type: list
    elements: dict
    suboptions: &bridge
      name:
        description: Name of the bridge, at most 15 bytes.
        type: str
        required: true
      state: &state
        description:
          - V(present) exists and is up. This is the default.
          - V(absent) does not exist. Its ports stay, without a bridge. With O(take_over), the uplink gets the bridge's
            addresses and routes first.
          - A bridge that libvirt made for a network is not removed here. One that guests are connected to, or that the
            host's default route is through and is not given back, is not removed without O(force).
        type: str
        choices: [present, absent]
      ports: &ports
        description:
          - Devices of the host that are ports of the bridge, such as the uplink. They are brought up.
          - The list is exact, except for ports that others manage, which are never removed for not being declared.
            These are taps and macvtap devices, devices whose name begins as those for guests do (C(vnet), C(macvtap),
            C(vif), C(tap)), and veth devices whose other end is in another network namespace, as containers have them.
            The last are named in a warning.
          - A device that is a port of another bridge, or that carries addresses of this host, is refused. For the
            latter, see O(take_over).
          - A device may move from one bridge to another in one task that declares both.
        type: list
        elements: str
      purge_ports: &purge_ports
        description:
          - Whether ports that are not declared are removed from the bridge. This is the default when O(ports) is given.
          - With V(false), ports are only added.
        type: bool
      port_options: &port_options
        description:
          - VLANs and isolation of ports, those of guests too. Ports that are not named are left alone, and so is what
            an element omits.
          - A port whose VLANs are declared gets them right after it has become one.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - Name of a port of the bridge. It is one already, or stands in O(ports).
              - The bridge's own name stands for the bridge itself. Its VLANs are those in which the host's addresses on
                the bridge can be reached.
            type: str
            required: true
          vids:
            description:
              - The VLANs of the port, tagged and untagged ones, such as V(1,59,100-199). The list is exact. An empty
                text is for none.
              - They take effect with O(vlan_filtering=true).
            type: str
          pvid:
            description:
              - The VLAN of what comes in without a tag. It is one of O(port_options[].vids).
              - With V(0), what has no tag is dropped.
              - When omitted, it stays what it is, as long as the port has that VLAN.
            type: int
          untagged:
            description:
              - Those of O(port_options[].vids) whose tag is removed from what goes out of the port. An empty text is
                for none.
              - When omitted, those of its VLANs that were untagged stay so.
            type: str
          isolated:
            description: Whether the port may not talk to other isolated ports of the bridge, only to the rest.
            type: bool
      addresses: &addresses
        description:
          - Addresses of the host on the bridge with their prefix, such as V(192.168.60.1/24) or V(2001:db8:60::1/64). A
            netmask after the slash is the same.
          - The list is exact. Never removed are link-local addresses, and those that expire because DHCP or a router
            advertisement gave them.
          - A new address whose subnet overlaps the one of another device is refused, see O(force). Single addresses
            (a prefix of 32, for IPv6 128) may be on several bridges.
        type: list
        elements: str
      routes: &routes
        description:
          - Routes of the host through the bridge, in the main table. The list is exact.
          - Never removed are routes that the kernel, a DHCP client, a router advertisement or a routing daemon made.
          - A destination that the host reaches through another device with the same metric is refused.
        type: list
        elements: dict
        suboptions:
          destination:
            description:
              - A network such as V(10.1.0.0/16), a single address, or V(default).
              - V(default) is V(0.0.0.0/0), and V(::/0) where O(routes[].gateway) is an IPv6 address.
            type: str
            required: true
          gateway:
            description:
              - Address of the router, in a subnet of the bridge's addresses, or link-local.
              - When omitted, the hosts of the destination are on the bridge's own link.
            type: str
          metric:
            description:
              - Of two routes to one destination the one with the lower metric is used.
              - When omitted, it is 0, and 1024 for IPv6.
            type: int
          source:
            description: Which address of the bridge the host uses towards the destination.
            type: str
      take_over: &take_over
        description:
          - Name of the host's uplink, which becomes a port of the bridge. Its addresses, IPv4 and IPv6, and its routes
            of all tables move to the bridge, with metric, gateway and source, as do its MAC address and MTU where
            O(mac) and O(mtu) are omitted.
          - This is for the host's only network card, too. The uplink keeps receiving until the bridge does, and all is
            moved within a few milliseconds, so that connections go on. When the kernel refuses a part, everything is
            put back.
          - The uplink need not stand in O(ports).
          - When O(addresses) or O(routes) is declared, an address or a route of the uplink that is not in the list is
            dropped, which is refused without O(force).
          - Addresses that expire keep their time to live. The DHCP client must run on the bridge from then on, and not
            on the uplink.
          - Nothing is done when the uplink is a port already, and has no addresses and routes any more.
          - What names the uplink elsewhere is not changed, such as rules of a firewall or C(ip rule).
          - With O(state=absent) it is the way back. The uplink, a port of the bridge, gets the bridge's addresses and
            routes in the same seamless way, and then the bridge is removed. When O(addresses) or O(routes) is declared,
            only these are given back, and the others go with the bridge.
        type: str
      mac: &mac
        description:
          - MAC address of the bridge.
          - When omitted, a new bridge takes the one of the device that stands first in O(ports), because switches and
            DHCP servers know it. Without ports it gets one that is made from the host's machine ID and the name of the
            bridge, and so is the same after each reboot.
          - In any case it is fixed. It does not follow the ports, as it would by the kernel's default when taps of
            guests come and go. That of an existing bridge is fixed when its ports are changed here.
        type: str
      mtu: &mtu
        description:
          - MTU of the bridge in bytes, 68 to 65535. The ports keep theirs.
          - When omitted, the kernel uses the smallest of the ports, unless it was set before.
        type: int
      stp: &stp
        description: Whether the bridge takes part in the spanning tree protocol.
        type: bool
      forward_delay: &forward_delay
        description:
          - Forward delay in seconds, 0 to 30. With O(stp=true) at least 2.
          - When the protocol is turned on for a bridge with a shorter one, the kernel makes it 2.
          - This one, O(hello_time) and O(max_age) are left alone, with a warning, while another bridge is the root of
            the spanning tree. The kernel shows the root's then.
        type: int
      hello_time: &hello_time
        description: Time between two hello packets of the spanning tree protocol in seconds, 1 to 10.
        type: int
      max_age: &max_age
        description: Time after which the spanning tree protocol takes a silent bridge for dead in seconds, 6 to 40.
        type: int
      priority: &priority
        description:
          - Priority in the spanning tree protocol, 0 to 65535. The bridge with the lowest becomes the root.
        type: int
      ageing_time: &ageing_time
        description:
          - Time in seconds for which the bridge remembers at which port a MAC address was seen, 0 to 1000000.
          - With V(0) it forgets at once, and sends everything to all ports.
          - Left alone, with a warning, while the spanning tree is changing. The kernel shows a short one then.
        type: int
      mcast_snooping: &mcast_snooping
        description:
          - Whether the bridge sends multicast packets only to ports whose hosts asked for them by IGMP or MLD.
          - Without a querier in the network, they may get none.
        type: bool
      nf_call: &nf_call
        description:
          - Whether what passes the bridge also passes the host's C(iptables), C(ip6tables) and C(arptables) rules, all
            three at once.
          - The sysctls C(net.bridge.bridge-nf-call-iptables), C(-ip6tables) and C(-arptables) turn it on for all
            bridges, whatever is set here. They are on as soon as the kernel's module C(br_netfilter) is loaded, unless
            the system says otherwise.
        type: bool
      vlan_filtering: &vlan_filtering
        description:
          - Whether the bridge heeds VLANs. Without, it sends tagged packets to all ports as they are.
          - It is turned on after the ports have the VLANs that are declared.
        type: bool
      vlan_protocol: &vlan_protocol
        description: The protocol of the tags that the bridge heeds.
        type: str
        choices: [802.1q, 802.1ad]
      default_pvid: &default_pvid
        description:
          - The VLAN that new ports get as their untagged one, 1 to 4094. V(0) is for none.
          - Ports that have the former one as such get the new one, as the kernel does it, unless O(port_options) says
            otherwise.
        type: int
      force: &force
        description:
          - Do what is refused otherwise because it may cut off guests or you.
          - This is to remove a bridge that guests are connected to or that the host's default route is through, to make
            a port of a device that carries addresses of this host, to drop addresses and routes of an uplink that is
            taken over, and to add an address whose subnet overlaps the one of another device.
        type: bool
  state: *state
  ports: *ports
  purge_ports: *purge_ports
  port_options: *port_options
  addresses: *addresses
  routes: *routes
  take_over: *take_over
  mac: *mac
  mtu: *mtu
  stp: *stp
  forward_delay: *forward_delay
  hello_time: *hello_time
  max_age: *max_age
  priority: *priority
  ageing_time: *ageing_time
  mcast_snooping: *mcast_snooping
  nf_call: *nf_call
  vlan_filtering: *vlan_filtering
  vlan_protocol: *vlan_protocol
  default_pvid: *default_pvid
  force: *force
seealso:
  - module: virtnet.hypervisor.virt_net
  - name: The kernel's bridge
    description: How it works, and what its settings mean.
    link: https://docs.kernel.org/networking/bridge.html
"""

EXAMPLES = r"""
- name: A bridge for guests on the second network card
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    ports:
      - eth1
    stp: false
    forward_delay: 0

- name: Give the host an address there; what is not named here stays
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    addresses:
      - 192.168.60.1/24
      - 2001:db8:60::1/64

- name: Several bridges in one pass
  virtnet.hypervisor.virt_bridge:
    bridges:
      - name: br-storage
        ports:
          - eth2
          - eth3
        stp: true
        priority: 4096
        forward_delay: 4
        hello_time: 1
        max_age: 6
      - name: br-closed
        ports: []
        mac: "02:00:00:00:60:01"
        mtu: 9000
        ageing_time: 600
      - name: br-old
        state: absent

- name: A bridge on the host's only network card, which takes over its addresses and routes
  virtnet.hypervisor.virt_bridge:
    name: br-lan
    take_over: eth0
    stp: false

- name: The way back, to the addresses of before
  virtnet.hypervisor.virt_bridge:
    name: br-lan
    state: absent
    take_over: eth0

- name: Ways to other networks
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    routes:
      - destination: 10.60.0.0/16
        gateway: 192.168.60.254
        source: 192.168.60.1
      - destination: 2001:db8:6000::/36
        gateway: 2001:db8:60::fe
        metric: 512

- name: Guests that may reach the uplink, and not each other
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    mcast_snooping: false
    nf_call: false
    port_options:
      - name: vnet0
        isolated: true
      - name: vnet1
        isolated: true

- name: A bridge with VLANs, a trunk to the switch, and the host itself in VLAN 59
  virtnet.hypervisor.virt_bridge:
    name: br-trunk
    ports:
      - eth5
    vlan_filtering: true
    vlan_protocol: 802.1q
    default_pvid: 0
    port_options:
      - name: eth5
        vids: 59,89,100-199
        pvid: 0
      - name: br-trunk
        vids: "59"
        pvid: 59
        untagged: "59"
    addresses:
      - 192.168.59.2/24

- name: One more port, whatever others there are
  virtnet.hypervisor.virt_bridge:
    name: br-closed
    ports:
      - eth4
    purge_ports: false

- name: Remove a bridge although guests are connected to it
  virtnet.hypervisor.virt_bridge:
    name: br-closed
    state: absent
    force: true
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, in order and in words.
  returned: success
  type: list
  elements: str
  sample:
    - create bridge br-guests
    - add port eth1 to bridge br-guests
bridges:
  description:
    - The declared bridges as they are after the run, in the names of the options.
    - In check mode, what the kernel would choose for a new bridge is left out.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the bridge.
      type: str
      returned: success
    state:
      description: V(present) or V(absent).
      type: str
      returned: success
    ports:
      description: All ports, those of guests too.
      type: list
      elements: str
      returned: when the bridge is present
    addresses:
      description: All addresses but link-local ones that were not declared.
      type: list
      elements: str
      returned: when the bridge is present
    port_options:
      description: The declared ports with their VLANs and isolation.
      type: list
      elements: dict
      returned: when O(port_options) is declared
    routes:
      description: The declared routes, all complete.
      type: list
      elements: dict
      returned: when O(routes) is declared
  sample:
    - name: br-guests
      state: present
      ports: [eth1, vnet0]
      addresses: [192.168.60.1/24, "2001:db8:60::1/64"]
      mac: "52:54:00:12:34:56"
      mtu: 1500
      stp: false
      forward_delay: 0
      hello_time: 2
      max_age: 20
      priority: 32768
      ageing_time: 300
      mcast_snooping: true
      nf_call: false
      vlan_filtering: false
      vlan_protocol: 802.1q
      default_pvid: 1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._bridge_task import BRIDGE_SPEC, bridge_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import run_module


def main() -> None:
    module = AnsibleModule(**one_or_many("bridges", BRIDGE_SPEC))
    require(module, ["pyroute2"])
    run_module(module, lambda: bridge_task(declared_objects(module.params, "bridges")))


if __name__ == "__main__":
    main()

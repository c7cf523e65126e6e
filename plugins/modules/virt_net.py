#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_net
short_description: Manage libvirt networks
description:
  - Creates, changes, starts, stops and removes libvirt networks, one (O(name)) or many (O(networks)) in one pass.
  - What is not declared is left alone. A list that is declared is exact, and V([]) empties it. An empty string removes
    a text value.
  - An existing definition is edited in place. Its UUID, its MAC address and all that has no option here stay.
  - On a running network, DHCP ranges, fixed leases, DNS entries, portgroups and the devices of a macvtap pool are
    changed without a restart. For everything else see O(if_restart_needed).
  - For each range or fixed lease that is changed so, libvirt takes the network's firewall rules away and builds them
    again, in 0.2 to 0.5 seconds. With iptables, a copy of the rules stands in meanwhile, right before libvirt's own
    chains, and no packet is lost. With nftables, or at a hypervisor of another host, what is
    forwarded is refused for a part of that time, and connections through NAT may break; between guests and the host
    nothing is lost.
  - From libvirt 10.4 on with nftables, a live change of DNS entries or portgroups would make libvirt forget how to
    remove the network's firewall rules. There these changes are treated as ones that take a restart.
  - Everything that can be refused is refused for all declared networks before the first change.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._libvirt
requirements:
  - pyroute2 >= 0.5.14 (python3-pyroute2), to see the host's devices and to re-plug guests
options:
  name:
    description:
      - Name of the network.
      - One of O(name) and O(networks) is required.
    type: str
  networks:
    description:
      - Networks, each with the options of a single one. Mutually exclusive with them.
    type: list
    elements: dict
    suboptions: &network
      name:
        description: Name of the network.
        type: str
        required: true
      state: &state
        description:
          - V(active) is defined and running, and V(autostart=true) unless told otherwise. This is the default.
          - V(inactive) is defined and not running.
          - V(present) is defined, running or not.
          - V(absent) is neither running nor defined.
        type: str
        choices: [active, inactive, present, absent]
      autostart: &autostart
        description:
          - Whether libvirt starts the network with the host.
          - When omitted, a network with V(state=active) is started with the host, and any other is left as it is.
        type: bool
      force: &force
        description:
          - Stop or remove the network although running guests, or other devices such as those of containers, are
            connected to it. They lose their connection.
          - Without it, such a task is refused, naming the guests.
        type: bool
      if_restart_needed: &if_restart_needed
        description:
          - What to do when a running network has to change in something that libvirt takes at the network's start only.
          - V(defer) changes the definition. The network is named in the result RV(pending_restart), in this run and in
            later ones, until it was restarted. This is the default.
          - V(restart) stops and starts the network, and plugs the taps of running guests into the new bridge, with
            their MTU, isolation, VLAN tags and bandwidth. The result names them (RV(replugged)). When the new network
            does not start, the old one is put back, guests included, and the task fails.
          - V(restart) also takes one restart for ten or more changes of ranges and fixed leases, or three where the
            firewall rules cannot be held meanwhile, instead of as many rebuilds of the firewall.
          - V(fail) refuses the task.
        type: str
        choices: [defer, restart, fail]
      xml: &xml
        description:
          - A libvirt C(<network>) document to declare the network by.
          - What it says is declared as if written as options. Options written beside it have precedence.
          - A document without C(<forward>), C(<ip>), C(<route>) or C(<portgroup>) elements declares an isolated
            network,
            no addresses, no routes or no portgroups, and so it is with the lists within an element that it has. Other
            elements that it lacks are left as they are.
          - Elements that libvirt's format does not have are taken over when the network is made, and left alone later.
          - A document with a DOCTYPE is refused.
        type: str
      uuid: &uuid
        description: UUID for a new network. libvirt makes one up when none is declared. It cannot be changed later.
        type: str
      title: &title
        description: A short description of the network. Needs libvirt 9.7 or newer.
        type: str
      description: &description
        description: A longer description of the network. Needs libvirt 9.7 or newer.
        type: str
      metadata: &metadata
        description:
          - What other programs keep with the network, one XML element for each, by the URI of its namespace.
          - Elements of other namespaces are left alone. An empty string removes the element.
          - Nothing depends on them, so that a running network shows the new ones from its next start on.
        type: dict
      ipv6: &ipv6
        description: Whether guests may talk IPv6 with each other on a network without an IPv6 address of the host.
        type: bool
      trust_guest_rx_filters: &trust_guest_rx_filters
        description:
          - Whether guests may change the MAC address and the multicast filter of their macvtap devices.
        type: bool
      mtu: &mtu
        description:
          - MTU of the bridge and of the guests' taps, in bytes. V(0) removes it, so that the kernel's default applies.
        type: int
      mac: &mac
        description: MAC address of the bridge. libvirt makes one up when none is declared for a new network.
        type: str
      forward: &forward
        description: How guests reach what is outside.
        type: dict
        suboptions:
          mode:
            description:
              - V(nat) routes and translates addresses, V(route) routes only.
              - V(open) routes and leaves the firewall to you.
              - V(isolated) connects the guests with each other and with the host.
              - V(bridge) connects guests to the existing bridge in O(bridge.name), or with macvtap to
                O(forward.interfaces).
              - V(private), V(vepa) and V(passthrough) are the other macvtap modes.
              - V(hostdev) hands virtual functions of a network card to guests, those in O(forward.addresses) or all of
                O(forward.pf).
              - A new network without a mode is V(isolated), as in libvirt.
            type: str
            choices: [nat, route, open, isolated, bridge, private, vepa, passthrough, hostdev]
          managed:
            description: With V(mode=hostdev), whether libvirt detaches a device from the host's driver for the guest.
            type: bool
          driver:
            description: With V(mode=hostdev), the driver of the host that hands devices to guests.
            type: dict
            suboptions:
              name:
                description: V(none) leaves the choice to libvirt.
                type: str
                choices: [none, vfio, kvm, xen]
              model:
                description: A variant of the driver, such as V(mlx5_vfio_pci). Needs libvirt 10.0 or newer.
                type: str
          dev:
            description: With V(mode=nat) or V(mode=route), the only device through which guests' traffic may leave.
            type: str
          interfaces:
            description: With a macvtap mode, the devices that guests are put on. libvirt spreads the guests over them.
            type: list
            elements: str
          addresses:
            description:
              - With V(mode=hostdev), PCI addresses of the virtual functions, such as V(0000:03:10.1). Put them in
                quotes, because YAML may read digits and colons as a number.
            type: list
            elements: str
          pf:
            description:
              - With a macvtap mode or V(hostdev), a network card whose virtual functions are all in the pool.
            type: str
          nat:
            description: With V(mode=nat), what guests' connections look like outside.
            type: dict
            suboptions:
              addresses:
                description: Source addresses to use instead of the host's.
                type: dict
                suboptions:
                  start:
                    description: First address.
                    type: str
                    required: true
                  end:
                    description: Last address.
                    type: str
                    required: true
              ports:
                description: Source ports to use. libvirt's default is 1024 to 65535.
                type: dict
                suboptions:
                  start:
                    description: First port.
                    type: int
                    required: true
                  end:
                    description: Last port.
                    type: int
                    required: true
              ipv6:
                description: Translate IPv6 too, which is otherwise routed.
                type: bool
      bridge: &bridge
        description: The bridge the guests are ports of.
        type: dict
        suboptions:
          name:
            description:
              - Name of the bridge, at most 15 bytes. libvirt makes one up (C(virbr0) and up) when none is declared.
              - With V(forward.mode=bridge) a bridge that exists. In all other modes libvirt makes the bridge.
            type: str
          stp:
            description: Whether the bridge takes part in the spanning tree protocol.
            type: bool
          delay:
            description: Forward delay of the bridge in seconds, 0 to 30.
            type: int
          zone:
            description: The firewalld zone of the bridge.
            type: str
          mac_table_manager:
            description:
              - Who keeps the bridge's table of MAC addresses. With V(libvirt), ports do not learn and unknown addresses
                are not flooded, so that a guest is reached at its own MAC address only.
              - V(none) removes the setting, which is the same as V(kernel).
            type: str
            choices: [none, kernel, libvirt]
      domain: &domain
        description: DNS domain of the guests.
        type: dict
        suboptions:
          name:
            description: Name of the domain.
            type: str
          local_only:
            description: Whether names of the domain are never looked up at other servers.
            type: bool
          register:
            description:
              - Whether systemd-resolved of the host asks this network's DNS about the domain. Needs
                O(domain.local_only)
                and libvirt 10.1 or newer.
            type: bool
      bandwidth: &bandwidth
        description:
          - Limits of the traffic between the bridge and its guests as a whole.
          - V(average=0), V(peak=0) and V(burst=0) remove a limit.
        type: dict
        suboptions: &rates
          inbound:
            description: What is sent to the guests.
            type: dict
            suboptions: &rate
              average:
                description: Rate in kB (1000 bytes) per second.
                type: int
              peak:
                description: Rate in kB per second at which a burst may be sent.
                type: int
              burst:
                description: What may be sent at the peak, in KiB.
                type: int
          outbound:
            description: What the guests send.
            type: dict
            suboptions: *rate
      vlan: &vlan
        description:
          - VLAN tags of the guests' traffic. With V(mode=hostdev), V(passthrough), or V(bridge) with O(bridge.name).
          - On a Linux bridge this needs libvirt 11.0 or newer, before only Open vSwitch can. libvirt sets the tags of
            the
            guests' ports, and leaves the bridge's C(vlan_filtering) and its uplink to you.
        type: dict
        suboptions: &tagging
          trunk:
            description: Whether the guest sees the tags. Several tags always are a trunk.
            type: bool
          tags:
            description: The tags. The list is exact, and an empty one removes the VLAN.
            type: list
            elements: dict
            suboptions:
              id:
                description: VLAN ID, 1 to 4094.
                type: int
                required: true
              native_mode:
                description: The VLAN of untagged traffic on a trunk, and whether it leaves V(tagged) or V(untagged).
                type: str
                choices: [none, tagged, untagged]
      port_isolation: &port_isolation
        description: Whether guests on this network cannot talk with each other, but with the host and the outside only.
        type: bool
      ips: &ips
        description:
          - Addresses of the host on the network, and what is served there. The list is exact.
        type: list
        elements: dict
        suboptions:
          address:
            description: Address with its prefix, such as V(192.168.50.1/24). A netmask after the slash is the same.
            type: str
            required: true
          local_ptr:
            description:
              - Whether names for addresses of the subnet are never asked of other servers. The prefix must be a
                multiple
                of 8, for IPv6 of 4.
            type: bool
          tftp_root:
            description: Folder of the host from which files are served by TFTP.
            type: str
          dhcp:
            description: Addresses served by DHCP. libvirt serves one IPv4 and one IPv6 address of a network.
            type: dict
            suboptions:
              ranges:
                description: Ranges for guests without a fixed lease. The list is exact.
                type: list
                elements: dict
                suboptions:
                  start:
                    description: First address.
                    type: str
                    required: true
                  end:
                    description: Last address.
                    type: str
                    required: true
                  lease: &lease
                    description: How long an address is leased.
                    type: dict
                    suboptions:
                      expiry:
                        description: The time, in the unit of O(ignore:unit). V(0) never expires.
                        type: int
                        required: true
                      unit:
                        description: Unit of the time. libvirt's default is minutes.
                        type: str
                        choices: [seconds, minutes, hours]
              hosts:
                description: Fixed leases. The list is exact.
                type: list
                elements: dict
                suboptions:
                  mac:
                    description: MAC address of the guest, for IPv4.
                    type: str
                  id:
                    description: DUID of the guest, for IPv6.
                    type: str
                  name:
                    description: Host name of the guest, also served by DNS.
                    type: str
                  ip:
                    description: The address.
                    type: str
                    required: true
                  lease: *lease
              bootp:
                description: What guests boot from the network. An empty C(file) and C(server) remove it.
                type: dict
                suboptions:
                  file:
                    description: Name of the file, or its URL.
                    type: str
                    required: true
                  server:
                    description: Address of the TFTP server. Without it, the host's own.
                    type: str
      routes: &routes
        description: Routes of the host to networks behind a guest. The list is exact.
        type: list
        elements: dict
        suboptions:
          address:
            description: The network that is reached, such as V(10.1.0.0/16).
            type: str
            required: true
          gateway:
            description: Address of the guest that leads there.
            type: str
            required: true
          metric:
            description: Metric of the route. A lower one is preferred.
            type: int
      dns: &dns
        description: The DNS service on the network.
        type: dict
        suboptions:
          enable:
            description: Whether DNS is served at all.
            type: bool
          forward_plain_names:
            description: Whether names without a dot are asked of other servers.
            type: bool
          forwarders:
            description: Servers to ask instead of the host's, in this order. The list is exact.
            type: list
            elements: dict
            suboptions:
              addr:
                description: Address of the server. Without it, names of the domain are answered from here only.
                type: str
              domain:
                description: The only domain the server is asked about.
                type: str
          txts:
            description: TXT records. The list is exact.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name of the record.
                type: str
                required: true
              value:
                description: Its text.
                type: str
                required: true
          srvs:
            description: SRV records. The list is exact.
            type: list
            elements: dict
            suboptions:
              service:
                description: The service, such as V(ldap). Required.
                type: str
              protocol:
                description: Its protocol. Required.
                type: str
                choices: [tcp, udp]
              domain:
                description: Domain of the service. Without it, the network's own.
                type: str
              target:
                description: Host that offers the service. Without it, the service is not offered.
                type: str
              port:
                description: Port of the service at the target.
                type: int
              priority:
                description: Of several targets, those with the lowest number are asked first.
                type: int
              weight:
                description: Share of a target among those of the same priority.
                type: int
          hosts:
            description: Names served by DNS. The list is exact.
            type: list
            elements: dict
            suboptions:
              ip:
                description: The address.
                type: str
                required: true
              names:
                description: Names of the address.
                type: list
                elements: str
                required: true
      virtualport: &virtualport
        description: What a switch other than the kernel's bridge has to know of guests' ports.
        type: dict
        suboptions: &switchport
          type:
            description:
              - With V(mode=bridge) and O(bridge.name) V(openvswitch) or V(midonet), with a macvtap mode V(802.1Qbg) or
                V(802.1Qbh), with V(mode=hostdev) V(802.1Qbh).
              - V(none) removes it.
            type: str
            choices: [none, openvswitch, 802.1Qbg, 802.1Qbh, midonet]
          manager_id:
            description: With V(802.1Qbg), ID of the VSI manager, 0 to 255.
            type: int
          type_id:
            description: With V(802.1Qbg), ID of the VSI type, 0 to 16777215.
            type: int
          type_id_version:
            description: With V(802.1Qbg), version of the VSI type, 0 to 255.
            type: int
          instance_id:
            description: With V(802.1Qbg), UUID of the VSI instance. libvirt makes one up for each port.
            type: str
          interface_id:
            description: With V(openvswitch) or V(midonet), UUID of the port. libvirt makes one up for Open vSwitch.
            type: str
          profile_id:
            description: With V(openvswitch) or V(802.1Qbh), name of a profile of the port.
            type: str
      portgroups: &portgroups
        description:
          - Named sets of properties that a guest's interface can ask for. The list is exact.
          - A change is for guests that start later; running ones keep what they have.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the portgroup.
            type: str
            required: true
          default:
            description: Whether guests that name no portgroup get this one. One of a network at most.
            type: bool
          trust_guest_rx_filters:
            description: As O(trust_guest_rx_filters) of the network.
            type: bool
          vlan:
            description: As O(vlan) of the network.
            type: dict
            suboptions: *tagging
          virtualport:
            description: As O(virtualport) of the network.
            type: dict
            suboptions: *switchport
          bandwidth:
            description: Limits of each guest's traffic. Otherwise as O(bandwidth) of the network.
            type: dict
            suboptions: *rates
      dnsmasq_options: &dnsmasq_options
        description:
          - Lines for the configuration of the network's dnsmasq, in this order, such as V(dhcp-option=42,0.0.0.0). The
            list is exact.
          - libvirt passes them on as they are. With one that dnsmasq does not know, the network does not start.
        type: list
        elements: str
  state: *state
  autostart: *autostart
  force: *force
  if_restart_needed: *if_restart_needed
  xml: *xml
  uuid: *uuid
  title: *title
  description: *description
  metadata: *metadata
  ipv6: *ipv6
  trust_guest_rx_filters: *trust_guest_rx_filters
  mtu: *mtu
  mac: *mac
  forward: *forward
  bridge: *bridge
  domain: *domain
  bandwidth: *bandwidth
  vlan: *vlan
  port_isolation: *port_isolation
  ips: *ips
  routes: *routes
  dns: *dns
  virtualport: *virtualport
  portgroups: *portgroups
  dnsmasq_options: *dnsmasq_options
seealso:
  - module: virtnet.hypervisor.virt_net_info
  - name: libvirt's network format
    description: Every element and attribute.
    link: https://libvirt.org/formatnetwork.html
"""

EXAMPLES = r"""
- name: A NAT network with DHCP, a fixed lease and a DNS name
  virtnet.hypervisor.virt_net:
    name: lab
    forward:
      mode: nat
    bridge:
      name: virbr-lab
    domain:
      name: lab.example
    ips:
      - address: 192.168.50.1/24
        dhcp:
          ranges:
            - start: 192.168.50.100
              end: 192.168.50.199
          hosts:
            - mac: "52:54:00:00:50:10"
              name: web
              ip: 192.168.50.10
    dns:
      hosts:
        - ip: 192.168.50.1
          names:
            - gateway
            - registry

- name: Another fixed lease, without a restart; what is not named here stays
  virtnet.hypervisor.virt_net:
    name: lab
    ips:
      - address: 192.168.50.1/24
        dhcp:
          hosts:
            - mac: "52:54:00:00:50:10"
              name: web
              ip: 192.168.50.10
            - mac: "52:54:00:00:50:11"
              name: db
              ip: 192.168.50.11

- name: Several networks in one pass
  virtnet.hypervisor.virt_net:
    networks:
      - name: closed
        forward:
          mode: isolated
        bridge:
          name: virbr-closed
        ips:
          - address: 192.168.51.1/24
      - name: routed
        forward:
          mode: route
        bridge:
          name: virbr-routed
        ips:
          - address: 192.168.52.1/24
          - address: 2001:db8:52::1/64
      - name: old
        state: absent

- name: A larger MTU, now, with running guests plugged into the restarted network
  virtnet.hypervisor.virt_net:
    name: closed
    mtu: 9000
    if_restart_needed: restart

- name: A network by its libvirt document
  virtnet.hypervisor.virt_net:
    name: handmade
    xml: |
      <network>
        <name>handmade</name>
        <forward mode='open'/>
        <bridge name='virbr-hand'/>
        <ip address='192.168.53.1' netmask='255.255.255.0'/>
      </network>

- name: Portgroups that limit guests; an interface names one in its source, or gets the default
  virtnet.hypervisor.virt_net:
    name: tenants
    forward:
      mode: nat
    bridge:
      name: virbr-tenants
    ips:
      - address: 192.168.54.1/24
    portgroups:
      - name: standard
        default: true
        bandwidth:
          inbound:
            average: 12500
            peak: 25000
            burst: 4096
          outbound:
            average: 12500
      - name: unlimited

- name: VLANs of an Open vSwitch bridge, for access ports and for a trunk
  virtnet.hypervisor.virt_net:
    name: ovs
    state: present
    forward:
      mode: bridge
    bridge:
      name: br-ovs
    virtualport:
      type: openvswitch
    portgroups:
      - name: office
        default: true
        vlan:
          tags:
            - id: 10
      - name: voice
        vlan:
          tags:
            - id: 20
      - name: trunk
        vlan:
          trunk: true
          tags:
            - id: 10
              native_mode: untagged
            - id: 20

- name: SRV and TXT records, and a time server that guests hear of by DHCP
  virtnet.hypervisor.virt_net:
    name: corp
    forward:
      mode: nat
    bridge:
      name: virbr-corp
    domain:
      name: corp.example
      local_only: true
    ips:
      - address: 192.168.55.1/24
        local_ptr: true
        dhcp:
          ranges:
            - start: 192.168.55.100
              end: 192.168.55.199
    dns:
      srvs:
        - service: ldap
          protocol: tcp
          domain: corp.example
          target: dc1.corp.example
          port: 389
          priority: 10
      txts:
        - name: corp.example
          value: v=spf1 -all
    dnsmasq_options:
      - dhcp-option=option:ntp-server,192.168.55.1

- name: Guests boot from the network
  virtnet.hypervisor.virt_net:
    name: install
    forward:
      mode: isolated
    bridge:
      name: virbr-install
    ips:
      - address: 192.168.56.1/24
        tftp_root: /srv/tftp
        dhcp:
          ranges:
            - start: 192.168.56.100
              end: 192.168.56.199
          bootp:
            file: pxelinux.0

- name: A pool of virtual functions, in one VLAN
  virtnet.hypervisor.virt_net:
    name: functions
    forward:
      mode: hostdev
      managed: true
      addresses:
        - "0000:03:10.0"
        - "0000:03:10.2"
    vlan:
      tags:
        - id: 42
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, in order and in words.
  returned: success
  type: list
  elements: str
  sample:
    - define network lab
    - start network lab
    - start network lab with the host
networks:
  description: The declared networks as they are after the run, in the names of the options.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: success
    state:
      description: V(active), V(inactive) or V(absent).
      type: str
      returned: success
    autostart:
      description: Whether libvirt starts the network with the host.
      type: bool
      returned: when the network is defined
    pending_restart:
      description: Whether the running network differs from its definition in something declared.
      type: bool
      returned: when the network is defined
restarted:
  description: Names of the networks that were stopped and started again, or would be in check mode.
  returned: success
  type: list
  elements: str
replugged:
  description:
    - Devices of running guests that were plugged into a bridge, or would be in check mode. Those that no guest of this
      connection has are among them, such as of containers.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: Name of the network.
      type: str
      returned: success
    guest:
      description: Name of the guest. It is V(null) for a device that is no guest's of this connection.
      type: str
      returned: success
    mac:
      description: MAC address of the guest's interface, or of that device.
      type: str
      returned: success
    device:
      description: The tap on the host.
      type: str
      returned: success
    gap:
      description: Seconds from the stop of the network until the tap forwarded again.
      type: float
      returned: when the network was restarted
pending_restart:
  description: Names of the networks whose declared definition takes effect at their next start only.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task import NETWORK_SPEC, network_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import URI, declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import run_module


def main() -> None:
    module = AnsibleModule(**one_or_many("networks", NETWORK_SPEC, uri=URI))
    require(module, ["libvirt", "lxml"])
    run_module(module, lambda: network_task(module.params["uri"], declared_objects(module.params, "networks")))


if __name__ == "__main__":
    main()

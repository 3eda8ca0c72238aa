let encapsulationRules: [Rule] = [
  Rule(
    "nonstandard-tunnel-port", .encapsulation, .error,
    "A host sends VXLAN to a UDP port that the receiver is not configured for.",
    needs: "A capture at an underlay NIC; for severity error the receiver's tunnel ports.",
    meaning: """
      IANA's port for VXLAN is 4789; Linux used 8472 before and still does by default outside Open vSwitch. A host
      whose tunnel ports use another port than its peers' is not heard: the frames arrive and no tunnel takes them.
      """,
    origins: """
      - vxlan_udp_port differs between the hosts' openvswitch_agent.ini.
      - A Linux vxlan device without dstport 4789 (Linux bridge agent, hardware gateway, hand-made tunnel).
      """,
    confirmation: """
          ovs-vsctl --columns=name,options find Interface type=vxlan    # dst_port; not shown when 4789
          ss -ulnp | grep -e 4789 -e 8472
          grep -r vxlan_udp_port /etc/neutron/
          ip -d link show type vxlan
      """,
    remedy: """
      Set the same vxlan_udp_port everywhere, restart the agents, and delete tunnel ports that keep the old one.
      """,
    exceptions: """
      An info when both sides agree on a port that is not 4789. Overlays that guests run themselves are payload and not
      looked at.
      """),
  Rule(
    "malformed-encapsulation", .encapsulation, .error,
    "A tunnel header between VTEPs is invalid.",
    needs: "A capture at an underlay NIC.",
    meaning: """
      A VXLAN header without the I flag has no valid VNI and must be dropped (RFC 7348, section 5); a GRE header
      without a key cannot say which network it carries; a header may be cut by the packet's own lengths. Receivers
      drop such frames or put them on a wrong network.
      """,
    origins: """
      - A tunnel port with a fixed or no key (options:key) between others with key=flow.
      - VXLAN-GPE or group policy extensions on one side only.
      - Corruption, or something else that uses the port.
      """,
    confirmation: """
          ovs-vsctl --columns=name,options list Interface | grep -A1 -e vxlan -e gre
          tcpdump -nn -XX -c 5 -i UNDERLAY-NIC udp port 4789
      """,
    remedy: "Set options:key=flow and the same extensions on both sides.",
    exceptions: """
      Reserved bits are ignored on receipt (RFC 7348) and only an info. GRE version 1 (PPTP) and GRE that carries no
      Ethernet are not ours. A header cut by the snap length is not malformed.
      """),
  Rule(
    "outer-vlan-mismatch", .encapsulation, .warning,
    "Hosts disagree on the outer VLAN around their tunnels.",
    needs: "Captures at the underlay NICs of both hosts, on the device that carries the tag.",
    meaning: """
      The underlay may carry tunnel traffic in a VLAN of its own. One host sends it in another VLAN, or untagged, than
      its peers do: it passes only if a switch or router translates.
      """,
    origins: "A VLAN sub-interface or bond that is configured differently, or a switch port in another access VLAN.",
    confirmation: """
          ip -d link show type vlan
          ip route get PEER-VTEP
          tcpdump -e -nn -c 5 -i UNDERLAY-NIC 'vlan and udp port 4789'
      """,
    remedy: "Put the hosts' tunnel addresses on the same VLAN, or route between them on purpose.",
    exceptions: """
      Not raised where captures are taken on the VLAN sub-interface, which shows no tag, nor where the hosts' outer MACs
      show a router between them: subnets have VLANs of their own. Where a switch translates, so that each host gets the
      others' packets in its own VLAN, it is an info.
      """),
  Rule(
    "underlay-fragmented", .encapsulation, .warning,
    "Tunnel packets are fragmented on the underlay.",
    needs: "A capture at an underlay NIC.",
    meaning: """
      VXLAN adds 50 bytes over IPv4 (70 over IPv6), GRE with key 42. If the underlay's MTU has no room for it, outer
      packets are fragmented: slow, and lost altogether where a device drops fragments. RFC 7348 says that VTEPs must
      not fragment.
      """,
    origins: """
      - global_physnet_mtu or path_mtu in Neutron larger than the underlay really is.
      - df_default=false on the tunnel ports, so that the kernel fragments instead of refusing.
      """,
    confirmation: """
          ip link show UNDERLAY-NIC
          ping -M do -s 1572 PEER-VTEP     # 1600 bytes in all
          openstack network show NETWORK -c mtu
      """,
    remedy: "Raise the underlay's MTU by at least 50 (70 for IPv6), or lower the networks' MTU.",
    exceptions: "Fragments inside the tunnel are the guests' business, fragments of other traffic the hosts'."),
  Rule(
    "exceeds-underlay-mtu", .encapsulation, .error,
    "Large frames are lost because the tunnel packet exceeds the underlay's MTU.",
    needs: "Captures at both underlay NICs with frames of many sizes, or an ICMP error for the tunnel.",
    meaning: """
      Small frames pass and large ones do not: ping works, SSH and HTTP hang. Tunnel packets with the DF bit are dropped
      where they do not fit; the ICMP error reaches the host, not the guest.
      """,
    origins: """
      - Guests with MTU 1500 over an underlay of 1500; a jumbo path with one switch left at 1500.
      - A guest that ignores the MTU of DHCP or router advertisements.
      """,
    confirmation: """
          ping -M do -s 1572 PEER-VTEP
          ip route get PEER-VTEP; ip route show cache
          openstack network show NETWORK -c mtu; ip link    # inside the guest
      """,
    remedy: "Raise the underlay's MTU on the whole path, or lower the network's MTU and renew the guests' leases.",
    exceptions: """
      Not raised for large outer packets alone: with segmentation offload a capture shows packets that the NIC will cut.
      ICMP errors about other packets than those of our tunnels do not count, nor sizes of which some frames pass.
      """),
]

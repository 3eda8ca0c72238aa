let isolationRules: [Rule] = [
  Rule(
    "cross-network-delivery", .isolation, .error,
    "A frame that entered in one network was delivered to a port of another.",
    needs: """
      Captures at ports of both networks, or at the sender's port and the receiver's; which port is on which
      network.
      """,
    meaning: """
      Tenant isolation is broken: a guest received a frame of a network it has no part in. Most often this is the
      consequence of a wrong translation (wrong-vni, wrong-local-vlan) or a wrong port tag, and is then listed under it.
      """,
    origins: """
      - A wrong VNI or local VLAN that happens to be another network's.
      - A port without a tag, which br-int treats as a trunk (see untagged-port).
      - A stray flow of br-int that copies frames to the port.
      - A bridge outside Open vSwitch (a qbr with two ports, a macvtap) that joins two networks.
      """,
    confirmation: """
      Follow one frame of the evidence by hand:

          ovs-appctl ofproto/trace br-tun in_port=VXLAN-PORT,tun_id=0xVNI,dl_src=MAC,dl_dst=MAC
          ovs-appctl fdb/show br-int
      """,
    remedy: "Mend the cause that the report names; where it names none, look at the bridges between the two ports.",
    exceptions: """
      Not raised when the same bytes also entered in the other network (cloned tenants use the same MACs and
      addresses), nor at mirror outputs, LOCAL and patch ports. Routed traffic enters the other network anew, at the
      router's port, and is no leak.
      """),
  Rule(
    "unknown-vtep", .isolation, .warning,
    "A tunnel frame came from an address that is no VTEP of the deployment.",
    needs: "A capture at an underlay NIC; the hosts' VTEPs from intent, tunnel ports or addresses.",
    meaning: """
      A host received a tunnel frame whose outer source is in no host's list of tunnel peers. Open vSwitch drops it
      where tunnel ports have an exact remote_ip, and takes it where they do not (remote_ip=flow). Somebody on the
      underlay can talk to the tunnel port.
      """,
    origins: """
      - A new host that not all agents know yet; a host whose tunnel address (local_ip) changed.
      - A second address on the host: the kernel chose another source than local_ip.
      - Rogue or misrouted traffic: the underlay lets foreign machines reach UDP 4789.
      """,
    confirmation: """
          openstack network agent list --agent-type open-vswitch
          ovs-vsctl --columns=name,options find Interface type=vxlan
          ip -br addr; ip route get PEER
      """,
    remedy: """
      If it is a host of yours, set local_ip and let the agents learn it (tunnel_update); else keep foreign machines off
      the tunnel network and filter UDP 4789 by source.
      """,
    exceptions: """
      An error where the intent is complete (complete: true). Not raised at a host whose tunnel list is not known, unless
      the intent is complete: which peers it has nothing tells. An address in any host's tunnel list is no unknown one. Not
      raised for other overlays on the underlay, which do not speak to a VTEP of the deployment.
      """),
  Rule(
    "forged-tunnel-frame", .isolation, .error,
    "A tunnel frame arrived in the name of a VTEP that never sent it.",
    needs: "Live captures at the underlay NICs of the receiver and of the host that owns the outer source address.",
    meaning: """
      The outer source is host X's VTEP, X's own underlay NIC was captured and live at that time, and the frame was not
      there. Somebody forged the address. VXLAN and GRE have no authentication: Open vSwitch accepts the frame and even
      learns from it, so that one frame can redirect a guest's traffic. Where X was not captured at that time, frames that
      do not look like X's (an outer MAC of another, the MAC of a guest that lives elsewhere), or that all captures of
      their guest lack, are a suspicion: the verdict is inconclusive.
      """,
    origins: """
      - An attacker or a test tool on the tunnel network.
      - Two machines with the same address on the underlay.
      - The host has several underlay NICs, and not all were captured.
      """,
    confirmation: """
          arping -D -I UNDERLAY-NIC VTEP-ADDRESS        # a second owner answers
          tcpdump -e -nn -i UNDERLAY-NIC src VTEP-ADDRESS   # compare the outer source MAC
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=20   # learned entries of the guest's MAC
      """,
    remedy: """
      Keep tenants and strangers off the tunnel network; drop spoofed sources at the switches (IP source guard). Where
      that is not possible, run the tunnels over IPsec. Delete learned entries that it left.
      """,
    exceptions: "Not an error when X was not captured, nor when X's capture could have lost the frame."),
  Rule(
    "spoofed-source-mac", .isolation, .error,
    "A frame with a source MAC that its port may not use got past the host's protection.",
    needs: "A capture past enforcement: at the host's underlay NIC or another port; the port's MACs.",
    meaning: """
      A guest sent from a MAC that is neither its port's nor in its allowed address pairs, and br-int did not stop it.
      A guest that can choose its source MAC can draw other guests' traffic to itself.
      """,
    origins: """
      - Port security is off for the port or its network (port_security_enabled false), wanted or not.
      - The spoofing flows of br-int (tables 24 and 25) are missing after a restart.
      - Nested virtualisation or containers bridged inside the guest, whose MACs are not in the allowed pairs.
      """,
    confirmation: """
          openstack port show PORT -c port_security_enabled -c allowed_address_pairs
          ovs-ofctl -O OpenFlow13 dump-flows br-int table=25
      """,
    remedy: """
      Add the MAC to the allowed address pairs if it is legitimate (openstack port set --allowed-address
      mac-address=MAC,ip-address=IP PORT); else switch port security on and restart the agent.
      """,
    exceptions: """
      Frames stopped at or before br-int are the info spoof-blocked. MACs of allowed address pairs, those that flows
      admit on that port or that a port without port security sends, router, DVR and HA MACs, and those of the host's
      own devices are no spoofing. Nor is what a guest floods that moved to the host:
      seen at one point of another port only, it is not told from what that port sends.
      """),
  Rule(
    "spoof-blocked", .isolation, .info,
    "A guest sent from a MAC that is not its own, and the host stopped it.",
    needs: "A capture at the guest's tap, and one past br-int that shows that the frame went no further.",
    meaning: "The protection against spoofed MACs did its work. Worth knowing, because the guest tried.",
    origins: """
      Bridges or containers inside the guest, a changed MAC in the guest's configuration, or an attack.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-int table=25    # n_packets of the port's drop
      """,
    remedy: "Nothing, or an allowed address pair if the MAC is legitimate.",
    exceptions: "If the frame gets past br-int it is spoofed-source-mac."),
  Rule(
    "untagged-port", .isolation, .error,
    "A port of br-int without a tag receives frames of networks it has no part in.",
    needs: "Port tags of br-int (ovs-vsctl show) and a capture at the port.",
    meaning: """
      A port without a tag is a trunk to Open vSwitch: it carries all VLANs, so its guest receives the floods of every
      network on the host, with their local VLAN tags, and may send into them.
      """,
    origins: """
      - The window between the creation of a port and its wiring by the agent (Launchpad 1952567, 1930414): ports
      should wait on the dead VLAN 4095, and do not.
      - The agent is down, so that nobody sets the tag.
      - A port plugged into br-int by hand.
      """,
    confirmation: """
          ovs-vsctl --columns=name,tag,vlan_mode,trunks,other_config list Port
          ovs-vsctl find Port tag='[]'
      """,
    remedy: """
      Start or restart neutron-openvswitch-agent. Unplug devices that are not Neutron's from br-int, or give them a tag.
      """,
    exceptions: "Not raised for mirror output ports, patch and tunnel ports, which have no tag on purpose."),
  Rule(
    "duplicate-address", .isolation, .warning,
    "Two MACs answer for one address, or one MAC sends from two hosts at once.",
    needs: "Captures at several ports or underlay NICs with ARP, neighbour discovery or any traffic.",
    meaning: """
      Within one network, one address has two owners. Traffic to it goes to whoever answered last, and changes sides.
      """,
    origins: """
      - An address set by hand in a guest, while Neutron gave it to another.
      - A guest that was evacuated while the old one still runs on the failed host.
      - Two DHCP servers, or a snapshot started twice.
      - Several ARP replies to one request from responders on several hosts (Launchpad 1824504).
      """,
    confirmation: """
          openstack port list --fixed-ip ip-address=ADDRESS
          arping -I INTERFACE ADDRESS        # inside the guest or the DHCP namespace: two MACs answer
          virsh list --all                   # on the hosts: is a guest running twice?
      """,
    remedy: "Stop one of the owners.",
    exceptions: """
      HA routers, DVR and VRRP MACs live on several hosts on purpose; allowed address pairs share addresses on purpose;
      a live migration has both for a moment. False answers that br-int stops dispute nothing.
      """),
]

let deliveryRules: [Rule] = [
  Rule(
    "frame-lost", .delivery, .warning,
    "Frames vanish between two points, and the captures prove it.",
    needs: "Live, unfiltered captures on both sides of the segment where frames vanish.",
    meaning: """
      Frames were seen at one point and never at the next, and the loss is *proven*: the next point was live (it saw
      frames before and after), and either two independent points downstream lack the frame too, or a whole class of
      frames is absent there while others pass, or counters account for it, or the guest retransmits without an answer.
      The finding names the segment: the underlay between two hosts, or the inside of which host. It is an error when a
      whole class is lost, a warning with its rate ("12 of 80 frames") where others pass. A flow (addresses, protocol and
      ports) of which every frame is lost, sent again and again, while others pass is a class, too. A host that nothing reaches,
      or from which nothing arrives, is one finding, whoever its peers are; so is a host whose ports get nothing of what
      reaches it from one peer, while they get what others send. Counters of the dumps before and after that
      grew (drops of interfaces, flows that drop) are shown beside it.
      """,
    origins: """
      - On the underlay: MTU, a firewall or ACL for UDP 4789 or GRE, a wrong route, a link that drops; where only some
        flows are lost, one of several paths (ECMP) or bond members, by which flows go by their outer UDP source port.
      - In the receiving host: its own firewall (INPUT dropping UDP 4789 is common; a capture sees the frame before
      that), a missing flow, a full queue.
      - In the sending host: an unresolved neighbour of the VTEP, whose first frames are dropped during ARP, or a device
      whose MTU is too small for the encapsulated frame.
      """,
    confirmation: """
          ip -s -s link show UNDERLAY-NIC          # rx/tx dropped, errors
          ovs-vsctl get Interface VXLAN-PORT statistics
          ovs-appctl dpctl/show; ovs-appctl coverage/show | grep -i drop
          nft list ruleset; iptables-save -c       # INPUT, UDP 4789
          ip neigh show PEER-VTEP
          ping -M do -s 1600 PEER-VTEP             # the underlay's MTU
      """,
    remedy: "Depends on the segment; the finding's next steps name the commands for it.",
    exceptions: """
      A missing sighting alone is never enough, nor one while a point was not recording, nor
      on a host whose NIC forwards by itself (hardware offload). Not raised between tap and qvo without a reason from state (security
      groups drop there: dropped-by-policy), for frames that flows drop, for what is consumed and answered locally (ARP
      responder, DHCP), for multicast that switches hold back where nobody asked for it (IGMP snooping), nor for reserved
      multicast (01:80:c2:00:00:0x), which bridges do not forward. Where some frames
      pass, TCP, fragments and frames above 1,400 octets prove nothing (NICs cut and join them), nor do ARP and ND on
      their way out of a host (address protection), nor what security groups of br-int may drop.
      """),
  Rule(
    "dropped-by-policy", .delivery, .info,
    "Security groups or flows dropped frames on purpose.",
    needs: "Captures on both sides of the filter, and flows or iptables-save.",
    meaning: """
      Frames end where a filter stands: between tap and qvo (iptables hybrid driver, in the Linux bridge) or in br-int
      (openvswitch driver, tables 71 to 94, or any flow that drops frames of one kind, or some of them, and lets others
      of the port pass). That is policy, not loss.
      """,
    origins: """
      A security group without the rule, a closed port, anti-spoofing, or a frame that conntrack calls invalid.
      """,
    confirmation: """
          openstack port show PORT -c security_group_ids
          iptables-save -c | grep PORT-PREFIX                  # hybrid driver
          ovs-ofctl -O OpenFlow13 dump-flows br-int table=82   # openvswitch driver
          ovs-appctl dpctl/dump-conntrack | grep ADDRESS
      """,
    remedy: "Add the rule if the traffic is wanted.",
    exceptions: """
      What no filter explains is judged by frame-lost. Not raised for fewer than three frames, nor where the capture of
      the point beyond loses as many; multicast, which Linux bridges hold back where nobody listens, does not count.
      """),
  Rule(
    "frame-duplicated", .delivery, .warning,
    "A point sees more copies of a frame than entered.",
    needs: "Captures at both points.",
    meaning: """
      One frame entered and several equal ones arrive at one place, and neither a mirror nor devices in series explain
      it. Guests see duplicate packets (ping reports DUP!), and TCP slows down.
      """,
    origins: """
      - Two tunnels to the same host (VXLAN and GRE, or old and new address), both in the flood list.
      - A bond or bridge loop on the underlay; a switch that floods and forwards.
      - Flood and unicast flow both matching through a mistaken resubmit.
      """,
    confirmation: """
          ovs-vsctl --columns=name,options find Interface type=vxlan    # two ports to one remote_ip?
          ovs-ofctl -O OpenFlow13 --names dump-flows br-tun table=22
      """,
    remedy: "Remove the second tunnel port or the loop.",
    exceptions: """
      Copies of a flood to different VTEPs are not duplicates, nor is what devices in series and mirrors show again; nor
      are frames that the guest repeated. A capture that writes frames twice is told by the next point, which shows them
      once.
      """),
  Rule(
    "frame-modified", .delivery, .error,
    "A frame arrived with other content than it was sent with.",
    needs: "Captures at both points with the same depth.",
    meaning: """
      Addresses, ports and sequence say that it is the same frame; its content differs, one to one and in order. Or the
      frame is the same and came on another VNI than its sender gave it, which puts it into another lane.
      """,
    origins: """
      - A faulty NIC, driver or offload; memory errors.
      - A flow that rewrites fields (a service chain, tap-as-a-service, or an experiment).
      """,
    confirmation: """
          ethtool -S UNDERLAY-NIC | grep -i -e err -e crc
          ovs-ofctl -O OpenFlow13 dump-flows br-int | grep -e set_field -e mod_ -e load:
          ethtool -K NIC rx off tx off gro off gso off      # then capture again
      """,
    remedy: "Switch the faulty offload off, replace the NIC, or remove the flow.",
    exceptions: """
      Unfinished checksums at a sender (offload), superframes (GSO, TSO, GRO), padding and snap lengths are no
      modification. Nor is another VNI one where a guest of the sender's in that lane has the same MAC. Packets without an IPv4 identification, and IPv6 other than echoes, cannot be known again once
      their content differs, nor those of senders that give many packets the same identification. Only the first 128
      octets of a packet are compared.
      """),
  Rule(
    "frame-reordered", .delivery, .info,
    "Within one flow, frames are in another order at the next point.",
    needs: "Captures at both points, with clocks good enough.",
    meaning: "TCP takes reordering for loss and slows down; most other traffic does not mind.",
    origins: """
      A bond in round-robin mode, ECMP per packet, several receive queues for one flow, or upcalls at its start.
      """,
    confirmation: """
          cat /proc/net/bonding/BOND | grep Mode
          ethtool -x UNDERLAY-NIC
      """,
    remedy: "Use a bond mode and ECMP hash per flow. The UDP source port of VXLAN is made for that.",
    exceptions: """
      The first 10 frames or 50 ms of a flow are excused: their upcalls may be overtaken. Held against each other is the
      order at the tunnel points of two hosts; fragments, and what is no IP, have no flow. Not raised for fewer than three
      frames, nor while a clock is being set.
      """),
  Rule(
    "bad-checksum-on-wire", .delivery, .warning,
    "A frame was received with a wrong inner checksum.",
    needs: "A capture at the receiving underlay NIC with whole frames.",
    meaning: "The receiving guest will drop it. Connections hang though small packets such as ping pass.",
    origins: """
      - Checksum offload of the inner frame that the NIC claims and does not do for tunnels
      (projectcalico/calico 3145, 4865).
      - Userspace or DPDK ports without checksum offload that hand on unfinished checksums.
      """,
    confirmation: """
          ethtool -k UNDERLAY-NIC | grep -e tx-udp_tnl -e tx-checksum
          ethtool -K UNDERLAY-NIC tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off
      """,
    remedy: "Switch the offload off on the sender, or update driver and firmware.",
    exceptions: """
      Not raised at sending points, where checksums are legitimately unfinished, nor for superframes, for frames that were
      not captured whole, or for fewer than three frames of a sender. Virtual underlays (veth) and receive offload show
      unfinished checksums that are in order.
      """),
]

let learningRules: [Rule] = [
  Rule(
    "flooded-after-learned", .learning, .warning,
    "Unicast to a MAC goes to several VTEPs though this host has heard from that MAC.",
    needs: "A capture at the sender's underlay NIC that shows both directions.",
    meaning: """
      The first frame to an unknown MAC is flooded; as soon as a frame *from* that MAC has come out of a tunnel, br-tun
      learns it (table 10 into table 20) and sends to one VTEP. Here frames are still copied to all. It works, but it
      costs bandwidth on every host, and every host sees the traffic.
      """,
    origins: """
      - The learn action in table 10 is missing or writes to another table.
      - Learned entries are wiped again and again: an agent restart loop, or flows that are replaced every few seconds.
      - Traffic in one direction only: nothing ever comes back to learn from. That is no fault and not reported.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=10    # must hold learn(table=20,...)
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=20    # is there an entry for the MAC?
      """,
    remedy: "Restart neutron-openvswitch-agent; if entries vanish at once, look for what reinstalls the flows.",
    exceptions: """
      Not raised within the learning grace (2 s by default: upcalls and the revalidator need time), while flows were
      being reinstalled, after learned entries expired because the guest was silent (hard timeout 300 s), or for fewer
      than three frames. An error where the installed flows show that learning is absent.
      """),
  Rule(
    "stale-location", .learning, .error,
    "Unicast goes to a VTEP where the MAC no longer lives.",
    needs: "Captures at the sender's underlay NIC and at the guest's new place; or a frame from it on the wire.",
    meaning: """
      The guest's MAC was last proven at another host, and this host still sends to the old one: the traffic is lost
      there. It heals when the learned entry expires (300 s) or when the guest speaks; l2population entries do not
      expire.
      """,
    origins: """
      - A live migration or failover whose announcement (RARP, gratuitous ARP, unsolicited NA) was lost.
      - An l2population entry (table 20, priority 2) that Neutron did not update (Launchpad 2123911); it wins over what
      is learned.
      - Open vSwitch before 2.17.10, 3.0.5, 3.1.3 and 3.2.1 can write a stale learned flow over a newer one.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=20,dl_dst=MAC
          openstack port show PORT -c binding_host_id
          ovs-vswitchd --version
      """,
    remedy: """
      Delete the entry (ovs-ofctl del-flows br-tun "table=20,dl_dst=MAC"); if it is an l2population entry (priority 2),
      restart the agent so that it fetches the list anew. Upgrade Open vSwitch if it is one of those versions.
      """,
    exceptions: """
      Not raised for MACs with several live locations (HA, DVR), within the grace after the move, nor where the flows
      were put in anew since the MAC was last heard (an agent that started again).
      """),
  Rule(
    "incomplete-flood", .learning, .error,
    "Broadcast misses a VTEP that has active ports of the network.",
    needs: "A capture at the sender's underlay NIC; which hosts have ports of the network.",
    meaning: """
      Broadcast, unknown unicast and multicast must reach every host with a port of the network. One is left out: its
      guests get no ARP requests from here, so that connections fail, often in one direction only and only until an
      entry is learned by luck.
      """,
    origins: """
      - A flood entry in table 22 without one peer after an agent restart (Launchpad 1853613, 1978088, 1489372).
      - The tunnel port to the peer does not exist (see missing-tunnel).
      - l2population: the server believes that the peer has no port there.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 --names dump-flows br-tun table=22    # outputs against ovs-vsctl show
          ovs-vsctl --columns=name,options find Interface type=vxlan
      """,
    remedy: """
      Restart the agent on the host whose list is short. With l2population, also the one on the peer, so that its ports
      are announced again.
      """,
    exceptions: """
      Not raised for hosts without active ports of the network, for l2population lists that rightly leave them out, for
      frames that policy drops, or for those sent before flood flows that are whole were put in anew.
      """),
  Rule(
    "tunnel-reflection", .learning, .error,
    "A host sends what it received from a tunnel into a tunnel again.",
    needs: "A capture at the host's underlay NIC.",
    meaning: """
      Split horizon is broken. In a full mesh a frame from a tunnel must never go back into one: with two such hosts a
      broadcast circles for ever, floods the underlay, and moves MACs to the wrong place.
      """,
    origins: """
      - A flow that outputs to tunnel ports without checking that the frame came from patch-int.
      - br-tun in standalone mode after it lost its flows: NORMAL bridges all tunnel ports.
      - A second bridge or patch pair that closes a loop.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 --names dump-flows br-tun table=0
          ovs-vsctl get-fail-mode br-tun        # must be secure
          ovs-vsctl show                        # patch ports: any loop?
      """,
    remedy: "Set fail_mode secure (ovs-vsctl set-fail-mode br-tun secure), remove the foreign flow, restart the agent.",
    exceptions: "Not raised when a guest on the host answers or forwards the frame itself."),
  Rule(
    "mac-moved", .learning, .info,
    "A MAC sends from another host or port than before.",
    needs: "Captures at both places, or at an underlay NIC.",
    meaning: "A guest moved. Shown because it explains what follows: floods, short losses, stale locations.",
    origins: "Live migration, failover of a virtual address with its MAC, or a duplicate (see duplicate-address).",
    confirmation: """
          openstack server migration list
          openstack port show PORT -c binding_host_id
      """,
    remedy: "Nothing, if it was meant.",
    exceptions: "Not raised for MACs with several live locations, nor for what a host sends into tunnels again (tunnel-reflection)."),
]

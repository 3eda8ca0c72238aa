let translationRules: [Rule] = [
  Rule(
    "wrong-vni", .translation, .error,
    "A frame left its host on a VNI other than its network's.",
    needs: """
      A capture where the frame entered (tap, qvb or qvo) and one at the sender's underlay NIC; the network's VNI from
      intent or the agent's record.
      """,
    meaning: """
      A tenant network has one VNI everywhere. This host put the network's frames on another, so no other host takes
      them for what they are: they are dropped, or, if the VNI belongs to another network, delivered to it. That is
      both an outage and a leak between tenants.
      """,
    origins: """
      - A stale flow in br-tun table 22 (flood) or 20 (learned or l2population unicast), left by an agent restart
      that did not clean up, or by a segment that was deleted and created anew with another segmentation ID.
      - Two agents, or an agent and an operator, writing to the same bridge.
      - Only one of the tables is wrong more often than both: then broadcast fails while known unicast works, or the
      other way round. The report names the flow that did it where a dump is there.
      """,
    confirmation: """
      On the host that sends, compare the tunnel ID that the flows set with the network's segmentation ID:

          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=22
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=20
          ovs-vsctl --columns=name,other_config list Port    # net_uuid, segmentation_id, tag
          openstack network show NETWORK -c provider:segmentation_id

      Ask the switch itself what it does to such a frame:

          ovs-appctl ofproto/trace br-int in_port=QVO,dl_src=MAC,dl_dst=ff:ff:ff:ff:ff:ff
      """,
    remedy: """
      Restart neutron-openvswitch-agent on that host: it reinstalls its flows with a new cookie and removes the others.
      If the wrong flow comes back, the agent's own record is wrong: compare it with Neutron's database. A wrong
      learned flow in table 20 can be deleted by hand (ovs-ofctl del-flows br-tun "table=20,dl_dst=MAC"); it is learned
      again.
      """,
    exceptions: """
      Not raised when the network is known only from the VNI itself (captures without state), nor for provider
      networks, whose segmentation ID is a VLAN and never a VNI.
      """),
  Rule(
    "wrong-local-vlan", .translation, .error,
    "A host put a network's frames on a local VLAN that is another network's there.",
    needs: """
      The flows or port tags of the host; or captures at ports of both networks, at a mirror or at a trunk port, where
      local VLAN tags can be seen.
      """,
    meaning: """
      Every host chooses its own local VLAN for each network; VLAN 1 here and VLAN 2 there is normal. But on one host
      the number must be the same for the tunnel (tun_id to VLAN in br-tun, tables 3, 4 or 6) and for the network's
      ports (their tag in br-int). Here it is not: frames go to the ports of another network, or to none.
      """,
    origins: """
      - The agent lost or reassigned its local VLANs on restart, and old flows or old port tags stayed.
      - A port was bound while the agent restarted and kept the tag of an earlier binding.
      - A tag was set by hand with ovs-vsctl.
      - A stray flow of br-int sets vlan_vid, of what a port sends or of what comes from the tunnels.
      """,
    confirmation: """
      The three numbers must agree: the flow's, the port's tag, and the agent's record.

          ovs-ofctl -O OpenFlow13 dump-flows br-tun | grep tun_id=0xVNI
          ovs-vsctl get Port QVO tag other_config

      The flow sets vlan_vid to 4096 + VLAN in its OpenFlow 1.3 spelling (set_field:4098->vlan_vid is VLAN 2).
      """,
    remedy: """
      Restart neutron-openvswitch-agent. If the port's tag differs from its other_config, the agent's next port update
      sets it right: openstack port set --name SAME-NAME PORT triggers one. Do not set tags by hand; the agent will not
      know.
      """,
    exceptions: """
      Not raised from points where tags cannot be seen: the device "any" (Linux cooked v2 has no tag), tap, qvb and qvo
      of access ports.
      """),
  Rule(
    "vlan-not-stripped", .translation, .error,
    "A frame in the tunnel still carries the sender's local VLAN tag.",
    needs: "A capture at an underlay NIC; for severity error also one where the frame entered.",
    meaning: """
      br-tun must remove the local VLAN before it encapsulates: the number means nothing on another host. The frame
      inside the tunnel has one tag more than where it entered, and that tag is the sender's local VLAN. The receiver
      pushes its own tag on top, and br-int delivers a frame with two tags to no access port: the traffic is lost.
      """,
    origins: """
      - A flood or unicast flow in br-tun without strip_vlan or pop_vlan: installed by hand, by another controller, or
      cut short by a bug in a third-party driver.
      - A guest-visible VLAN (vlan_transparent) configured on one side only looks alike; then the tag is the guest's.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=22    # actions must begin with pop_vlan
          tcpdump -e -nn -r UNDERLAY.pcap 'udp port 4789'       # look for 802.1Q behind the VXLAN header
      """,
    remedy: """
      Restart neutron-openvswitch-agent so that it reinstalls its flows; find out who else writes to br-tun (flows with
      a cookie that is not the agent's).
      """,
    exceptions: """
      Not raised when the guest sent the tag itself. A warning where the entry of the frame was not captured, because
      then the tag could be the guest's.
      """),
  Rule(
    "unexpected-vlan-tag", .translation, .error,
    "A frame reaches a guest with more tags than where it entered the overlay.",
    needs: "Captures where the frame entered and at the receiving port.",
    meaning: """
      A guest on an access port sees its frames without the host's local VLAN. This frame has a tag too many on its way
      *to* a guest: a guest that does not expect it drops it, and one that listens on all VLANs sees other lanes.
      """,
    origins: """
      - The port of br-int has no tag, or vlan_mode trunk, so that the local VLAN leaves with the frame.
      - The sender's host did not strip its local VLAN (see vlan-not-stripped).
      - A mirror or tap-as-a-service port that is taken for a guest's.
      """,
    confirmation: """
          ovs-vsctl --columns=name,tag,trunks,vlan_mode list Port QVO
          tcpdump -e -nn -i TAP vlan
      """,
    remedy: """
      Give the port its tag back by restarting the agent or updating the Neutron port; for guests that are meant to see
      tags use trunk ports (openstack network trunk create).
      """,
    exceptions: """
      Not raised for tags that a guest sent itself, for trunk ports and dot1q-tunnel ports, nor for VID 0, which is a
      priority tag and counts as untagged.
      """),
  Rule(
    "unknown-vni", .translation, .error,
    "A tunnel frame between the deployment's VTEPs has a VNI that no network has.",
    needs: "A capture at an underlay NIC and a list of networks; for severity error a complete one.",
    meaning: """
      Two tunnel endpoints of the deployment exchange frames on a VNI that belongs to no known network. Either
      something is sent on a wrong VNI, or a network exists on the hosts that the intent does not know.
      """,
    origins: """
      - A network that was deleted in Neutron while its flows stayed on a host.
      - A wrong VNI in a flow that happens to be nobody's.
      - Another cloud or tool that shares the hosts' addresses, or injected traffic.
      """,
    confirmation: """
          openstack network list --long --provider-segment VNI
          ovs-ofctl -O OpenFlow13 dump-flows br-tun | grep -i -e 'tun_id=0xVNI' -e 'set_field:0xVNI->tun_id'
      """,
    remedy: """
      Remove what is left of the network (restart the agent), or add the network to lanecheck.yaml or to Neutron's
      export if it belongs there.
      """,
    exceptions: """
      Only an info unless the intent says that it is complete (complete: true) or Neutron's export is there: then networks
      that only the hosts' flows, tags or traffic show are none. Not raised
      for floods of known networks that reach hosts without ports of them: that is how flooding works without
      l2population.
      """),
  Rule(
    "unmapped-vni", .translation, .error,
    "A host with ports of a network drops its frames: no flow maps the VNI to a VLAN.",
    needs: "A capture at the receiver's underlay NIC; the receiver's flows, or captures at its ports.",
    meaning: """
      Frames of the network arrive at the host in tunnels, and the host has an active port of the network, yet br-tun
      has no flow for the tunnel ID. They end in the default drop of table 3, 4 or 6. The guests there hear nothing.
      """,
    origins: """
      - The agent failed while it wired the port: the port is ACTIVE in Neutron, the flow is missing.
      - A restart of the agent on a busy host lost the tunnel flows (Launchpad 1813703).
      - The last port of the network was removed and a new one came at the same moment.
      """,
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-tun | grep tun_id=0xVNI
          ovs-ofctl -O OpenFlow13 dump-flows br-tun table=4 | grep 'priority=0'   # n_packets of the drop rises
      """,
    remedy: """
      Restart neutron-openvswitch-agent on the host, or set the port down and up again (openstack port set --disable,
      then --enable), which wires it anew. Look for errors in the agent's log at the time the port was bound.
      """,
    exceptions: """
      Not raised where the host has no port of the network (it drops such floods rightly), nor for frames that came
      before its flows were put in anew, where only a later dump tells of them.
      """),
]

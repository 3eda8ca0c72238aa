let installedRules: [Rule] = [
  Rule(
    "mapping-conflict", .installed, .error,
    "The installed translation between VLANs and VNIs contradicts itself.",
    needs: "br-tun's flows of one host, or of several.",
    meaning: """
      Two VNIs lead to one local VLAN, one VNI to two, a host's outbound and inbound flows disagree, or two hosts give
      one network different VNIs. Frames of one network can leave in another's lane.
      """,
    origins: "Flows of an earlier run of the agent, of a second agent, or set by hand.",
    confirmation: """
          ovs-ofctl -O OpenFlow13 dump-flows br-tun | grep -e tun_id -e dl_vlan
      """,
    remedy: "Restart neutron-openvswitch-agent; it removes flows that do not carry its cookie.",
    exceptions: "An info where no port uses the translation."),
  Rule(
    "missing-mapping", .installed, .error,
    "A host has an active port of a network and no translation for it.",
    needs: "br-tun's flows and the host's ports.",
    meaning: """
      There is no flow from the tunnel ID to a local VLAN, so that the port hears nothing, or no outbound flow for the
      VLAN, so that nobody hears the port.
      """,
    origins: """
      The agent failed while wiring the port, or lost its flows (Launchpad 1813703); the first port of a network on a
      host is the usual victim.
      """,
    confirmation: """
          ovs-vsctl --columns=name,tag,other_config list Port QVO
          ovs-ofctl -O OpenFlow13 dump-flows br-tun | grep -e tun_id=0xVNI -e dl_vlan=VLAN
      """,
    remedy: "Restart neutron-openvswitch-agent, or set the port down and up again.",
    exceptions: """
      Not raised for provider networks, which br-tun does not carry, for networks of which a host has no port in use, nor
      for floods of a network that no other host has ports of.
      """),
  Rule(
    "missing-flood-peer", .installed, .error,
    "A peer with active ports of the network is not in a host's flood list.",
    needs: "br-tun's flows, and which hosts have ports of the network.",
    meaning: """
      Broadcast and unknown unicast do not reach that peer: ARP fails from here to there (see incomplete-flood for what
      it looks like in captures).
      """,
    origins: "An agent restart (Launchpad 1853613, 1978088, 1489372), or l2population that missed the port's binding.",
    confirmation: """
          ovs-ofctl -O OpenFlow13 --names dump-flows br-tun table=22
          ovs-vsctl show
      """,
    remedy: "Restart the agent on this host; with l2population also on the peer.",
    exceptions: """
      Not raised for peers without active ports of the network. Where there is no tunnel to the peer either, that is what
      is missing (missing-tunnel). A port with remote_ip=flow may serve any peer.
      """),
  Rule(
    "missing-tunnel", .installed, .error,
    "There is no tunnel port to a peer that has active ports of the network.",
    needs: "Tunnel ports (ovs-vsctl show) and which hosts have ports of the network.",
    meaning: "Nothing can be sent to that peer, and with exact remote_ip ports nothing from it is accepted.",
    origins: """
      - The peer's agent never reported its local_ip, or the host's address changed and the old tunnel stayed (Launchpad
      1179223, 1381071).
      - Different tunnel_types on the two hosts.
      """,
    confirmation: """
          ovs-vsctl --columns=name,options find Interface type=vxlan
          openstack network agent show AGENT -c configuration    # tunneling_ip, tunnel_types
      """,
    remedy: "Set local_ip and tunnel_types in openvswitch_agent.ini, and restart the agent on the peer.",
    exceptions: """
      Not raised for peers without active ports of the network, nor where a port with remote_ip=flow serves all peers.
      """),
  Rule(
    "unreachable-port", .installed, .error,
    "The hosts' own flows do not carry frames between two ports of a network.",
    needs: "Flows of br-int and br-tun of both ports' hosts, and the ports' MACs.",
    meaning: """
      A frame that one port sends, to everybody or to the other port, ends on its way through the flows as they are
      installed: raised by check, which sends such frames through the dumps of all hosts, and only where nothing else
      that is wrong there explains it.
      """,
    origins: """
      - A flow of br-int that drops or diverts a port's frames: left over from an earlier port, set by hand, or by
      another agent (a quarantine, a tap-as-a-service session).
      - A tunnel port that does not take what the other host sends, because the address or the key differs.
      """,
    confirmation: """
          lanecheck trace BUNDLE GUEST GUEST
          ovs-appctl ofproto/trace br-int in_port=PORT,dl_src=MAC,dl_dst=ff:ff:ff:ff:ff:ff
      """,
    remedy: "Remove the flow that the finding names, or restart neutron-openvswitch-agent on that host.",
    exceptions: """
      Not raised where br-int tracks connections (the openvswitch firewall): what it lets pass is up to security groups.
      Nor for ports of trunks and routers, MACs that live in several places, and hosts of which no flows were dumped.
      """),
  Rule(
    "port-tag-mismatch", .installed, .error,
    "A port's VLAN tag differs from the agent's own record.",
    needs: "OVSDB's Port table (ovs-vsctl --format=json list Port).",
    meaning: """
      The agent wrote down which local VLAN the port belongs to (other_config:tag), and the port has another tag: it is
      on another network's VLAN, or on none.
      """,
    origins: "A tag set by hand, a tool that replugs ports, or a crash of the agent between the two writes.",
    confirmation: """
          ovs-vsctl get Port QVO tag other_config
      """,
    remedy: """
      Restart neutron-openvswitch-agent, or trigger an update of the port. Setting the tag by hand helps at once
      (ovs-vsctl set Port QVO tag=VLAN), and only until the agent's VLANs change.
      """,
    exceptions: """
      Ports on the dead VLAN 4095 are dead-vlan. Not raised where the tag and the agent's record changed together: the
      network has another VLAN there now.
      """),
  Rule(
    "dead-vlan", .installed, .warning,
    "An active port was left on the dead VLAN 4095.",
    needs: "Port tags and which ports are active.",
    meaning: """
      The agent parks ports on VLAN 4095 while they are not wired, and br-int drops that VLAN. A port that stays there
      has no network.
      """,
    origins: """
      Binding failed (openstack port show: binding_vif_type binding_failed), the port is administratively down, or the
      agent could not reach the server.
      """,
    confirmation: """
          ovs-vsctl find Port tag=4095
          openstack port show PORT -c status -c admin_state_up -c binding_vif_type
      """,
    remedy: "Mend the binding (mechanism driver, bridge mappings, agent alive), then restart the agent.",
    exceptions: """
      Not raised for ports that are not in use, nor for one that had its VLAN when the captures had ended: it was being
      plugged.
      """),
]

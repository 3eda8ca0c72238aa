let captureRules: [Rule] = [
  Rule(
    "capture-gap", .capture, .info,
    "A capture lost frames that other points prove.",
    needs: "A frame seen before and after the point, or drop counters, order and times in the file.",
    meaning: """
      Frames were seen on both sides of this point and not at it: the capture lost them, not the network. Its loss rate
      is stated, and nothing is concluded from what it lacks. With too many gaps the verdict is inconclusive.
      A capture's own counters (pcapng interface statistics, drop counts of packets) tell of losses too. Frames that lie
      more than half a second behind others of their file, and frames without a time, are not judged. Frames that two
      captures of one point show with the same time count once. Where many points lost a little, one remark speaks of all
      of them and names the worst; the JSON report lists each with its rate.
      """,
    origins: """
      A full capture buffer, a slow disk, or tcpdump stopped before its buffer was written; files that were appended to
      each other (mergecap -a); copies, and rotated files that overlap.
      """,
    confirmation: """
      tcpdump says it when it ends ("packets dropped by kernel"); capinfos shows it for pcapng:

          capinfos FILE | grep -i drop
      """,
    remedy: """
          tcpdump -i NIC -B 65536 -s 128 --immediate-mode -w FILE 'udp port 4789'

      A larger buffer (-B, in KiB), a smaller snap length, a filter, a faster disk.
      """,
    exceptions: "Not raised for the time before the capture started and after it ended."),
  Rule(
    "capture-truncated", .capture, .info,
    "A capture file ends within a record, or frames are cut so short that they cannot be compared.",
    needs: "The capture file.",
    meaning: """
      A cut last record is ordinary after a crash or a live copy: everything before it was used. Frames cut by the snap
      length are compared as far as all points have them; if too little is left to tell frames apart, they are not
      judged.
      """,
    origins: "A file copied while tcpdump wrote, a full disk, or a snap length (-s) below about 96 at an underlay NIC.",
    confirmation: """
          capinfos FILE
      """,
    remedy: "Copy after tcpdump ended (SIGINT, then wait); use -s 0, or at least -s 128 at underlay NICs.",
    exceptions: "Damage in the middle of a file is an input error, not this."),
  Rule(
    "clock-uncertain", .capture, .info,
    "The clocks of two hosts could not be aligned well enough.",
    needs: "Frames that were seen on both hosts, in both directions.",
    meaning: """
      Hosts' clocks are aligned from the traffic itself. Between these two it was not possible, or only with a wide
      bound, so that nothing that depends on the order of events across them is judged.
      """,
    origins: "Traffic in one direction only, too few common frames, a clock step during the capture, NIC time stamps.",
    confirmation: """
          chronyc tracking; timedatectl
      """,
    remedy: "Run NTP or chrony on all hosts, and capture longer, with traffic both ways.",
    exceptions: "Not raised where only one host was captured."),
  Rule(
    "point-not-covered", .capture, .info,
    "A point that would settle a question was not captured.",
    needs: "The list of hosts and ports.",
    meaning: """
      A statement about this part of the path is missing, because no capture shows it. The finding names the capture
      that would settle it.
      """,
    origins: "A host or device without capture, a filter that excludes the traffic, or a capture at another time.",
    confirmation: """
          lanecheck verify BUNDLE --verbose     # lists all captures with their frames
      """,
    remedy: """
          tcpdump -i NIC -w compute1/NIC.pcap

      Capture at the taps of the guests concerned and at the underlay NIC of each host, at the same time.
      """,
    exceptions: "Never a failure by itself."),
  Rule(
    "direction-unknown", .capture, .info,
    "It is not known in which direction frames crossed a point.",
    needs: "Captures with direction, MAC ownership, or a neighbouring point.",
    meaning: """
      Rules that need to know whether a guest sent or received a frame are no errors here. Cooked captures (-i any) and
      pcapng record directions; plain pcap does not, and lanecheck then uses VTEP addresses, neighbouring points and MAC
      ownership.
      """,
    origins: "A single capture at a point where MACs of unknown owners pass, without state.",
    confirmation: """
          lanecheck inspect FILE | head
      """,
    remedy: """
          tcpdump -Q in -i NIC -w NIC.in.pcap;  tcpdump -Q out -i NIC -w NIC.out.pcap

      Or capture a second point next to it.
      """,
    exceptions: "Not raised where the direction makes no difference."),
  Rule(
    "unsupported-mode", .capture, .info,
    "Part of the traffic cannot be seen in captures, by the way the host forwards it.",
    needs: "State: datapath type, offload settings, tunnel options.",
    meaning: """
      With hardware offload (hw-offload, SmartNICs), DPDK ports without taps, or IPsec between VTEPs, frames bypass the
      points where captures are taken, or are encrypted there. What is absent then proves nothing: nothing is concluded
      from what the captures of a host with hardware offload lack, unless ip -d link shows that none of its NICs has a
      switch inside (phys_switch_id).
      """,
    origins: """
      other_config:hw-offload=true with switchdev NICs, datapath_type netdev with vhost-user, remote_ip with psk.
      """,
    confirmation: """
          ovs-vsctl get Open_vSwitch . other_config
          ovs-vsctl --columns=name,datapath_type list Bridge
          ovs-appctl dpctl/dump-flows type=offloaded
      """,
    remedy: """
      For the time of the capture switch offload off on the hosts concerned, or use ovs-tcpdump, which mirrors the port
      to a tap.
      """,
    exceptions: "Userspace datapaths with tap or veth ports are captured as any other."),
]

/// The hosts' flows as Neutron's agent installs them, dumped when the captures begin: nothing has been learned yet.
extension Overlay {
  /// What `ovs-ofctl -O OpenFlow13 dump-flows br-tun` prints.
  func tunnelFlows(of host: Int, _ fault: ScenarioParameters.Fault?) -> String {
    let peers = Self.hostNames.indices.filter { $0 != host }.map { "\"\(tunnelPort(to: $0))\"" }
    var flows = [
      "table=0, priority=1,in_port=\"patch-int\" actions=goto_table:2", "table=0, priority=0 actions=drop",
      "table=2, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20",
      "table=2, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22",
      "table=4, priority=0 actions=drop", "table=20, priority=0 actions=goto_table:22",
      "table=22, priority=0 actions=drop",
      "table=10, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x6c61,"
        + "NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],"
        + "load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:\"patch-int\"",
    ]
    flows += peers.map { "table=0, priority=1,in_port=\($0) actions=goto_table:4" }
    for network in 0..<Self.networkCount {
      let vlan = Self.localVLAN(network, on: host)
      flows.append(
        "table=4, priority=1,tun_id=\(hexadecimal(Self.vni(network))) "
          + "actions=push_vlan:0x8100,set_field:\(vlan | 0x1000)->vlan_vid,goto_table:10")
      let isWrong = fault == .wrongVNI && host == 0 && network == 0
      flows.append(
        "table=22, priority=1,dl_vlan=\(vlan) actions=pop_vlan,"
          + "set_field:\(hexadecimal(Self.vni(isWrong ? 1 : network)))->tun_id"
          + peers.map { ",output:\($0)" }.joined())
    }
    return dump(flows)
  }

  /// What `ovs-ofctl -O OpenFlow13 dump-flows br-int` prints, where the agent protects no addresses.
  var integrationFlows: String {
    dump([
      "table=0, priority=65535,dl_vlan=4095 actions=drop", "table=0, priority=0 actions=goto_table:60",
      "table=60, priority=3 actions=NORMAL",
    ])
  }

  private func hexadecimal(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }

  private func dump(_ flows: [String]) -> String {
    flows.map { " cookie=0x6c61, duration=60.000s, n_packets=0, n_bytes=0, \($0)\n" }.joined()
  }
}

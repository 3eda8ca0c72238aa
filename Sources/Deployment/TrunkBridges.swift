/// The bridges of trunk ports. A guest with a trunk is plugged into a bridge of its own, which patches join to br-int:
/// one without a tag for the guest's own network, and one for each subport, whose tag is the VLAN on the guest's side
/// (neutron services/trunk/drivers/openvswitch/agent). What the guest's device shows are all their tags.
struct TrunkBridges {
  /// Names of the trunks' bridges.
  private(set) var bridges: Set<String> = []
  /// Bridge → its guest's port on br-int (tpi-).
  private(set) var parents: [String: BridgePort] = [:]
  /// A subport's port on br-int (spi-) → the VLAN on the guest's side, and the trunk's bridge.
  private(set) var subports: [String: (vlan: UInt16, bridge: String)] = [:]
  /// Bridge → names of its ports.
  private(set) var members: [String: Set<String>] = [:]

  init(_ state: HostState) {
    var ports: [String: BridgePort] = [:]
    for port in state.bridges.flatMap(\.ports) { ports[port.name] = port }
    for bridge in state.bridges {
      let patches = bridge.ports.compactMap { port in
        port.patchPeer.flatMap { ports[$0] }.map { (own: port, peer: $0) }
      }
      // Whatever its name: agents keep records of the far ends of its patches.
      guard bridge.name.hasPrefix("tbr-") || patches.contains(where: { AgentRecord.isRecorded($0.peer) }),
        !bridge.ports.contains(where: { AgentRecord.isRecorded($0) && $0.type == "patch" })
      else { continue }
      bridges.insert(bridge.name)
      members[bridge.name] = Set(bridge.ports.map(\.name))
      for (own, peer) in patches {
        if let vlan = own.tag {
          subports[peer.name] = (vlan, bridge.name)
        } else if parents[bridge.name] == nil {
          parents[bridge.name] = peer
        }
      }
    }
  }
}

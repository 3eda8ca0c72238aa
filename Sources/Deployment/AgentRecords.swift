import Wire

/// One port of a bridge that belongs to a Neutron port, with what the agent recorded of it.
struct AgentRecord {
  var host: Int
  var bridge: String
  var port: BridgePort

  /// Ports that carry a record, or whose names are those that Neutron gives to its ports.
  static func all(of state: HostState, host: Int) -> [AgentRecord] {
    var result: [AgentRecord] = []
    for bridge in state.bridges {
      for port in bridge.ports where port.name != bridge.name && isGuestPort(port) {
        result.append(AgentRecord(host: host, bridge: bridge.name, port: port))
      }
    }
    return result
  }

  private static func isGuestPort(_ port: BridgePort) -> Bool {
    if ["vxlan", "gre", "geneve"].contains(port.type) { return false }
    if isRecorded(port) { return true }
    guard port.type != "patch" else { return false }
    return ["qvo", "tap", "vhu", "qr-", "qg-", "ha-", "sg-", "fg-"].contains { port.name.hasPrefix($0) }
  }

  /// Whether the agent keeps a record with the port.
  static func isRecorded(_ port: BridgePort) -> Bool {
    port.externalIDs["iface-id"] != nil || port.externalIDs["attached-mac"] != nil || port.otherConfig["net_uuid"] != nil
  }

  var networkUUID: String? { word("net_uuid").map { $0.lowercased() } }
  var kind: Network.Kind { word("network_type").map { Network.Kind(agentType: $0) } ?? .unknown }
  var segmentationID: UInt32? { word("segmentation_id").flatMap { unsignedNumber($0) }.flatMap { UInt32(exactly: $0) } }
  var tag: UInt16? {
    word("tag").flatMap { unsignedNumber($0) }.flatMap { UInt16(exactly: $0) }.flatMap { $0 < 4096 ? $0 : nil }
  }
  var mac: MACAddress? { port.externalIDs["attached-mac"].flatMap { MACAddress($0) } }
  var uuid: String? { port.externalIDs["iface-id"].flatMap { $0.isEmpty ? nil : $0.lowercased() } }
  /// What Nova says; where it says nothing, a port that is up is in use.
  var isActive: Bool { port.externalIDs["iface-status"].map { $0 == "active" } ?? !port.isDown }
  /// Whether it says which network the port is on.
  var namesNetwork: Bool { networkUUID != nil || segmentationID != nil && kind != .unknown }

  /// The agent writes Python's `None` for what is not set.
  private func word(_ key: String) -> String? {
    port.otherConfig[key].flatMap { $0.isEmpty || $0 == "None" ? nil : $0 }
  }
}

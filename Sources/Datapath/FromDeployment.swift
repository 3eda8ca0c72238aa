import Deployment
import OpenFlow
import Wire

extension HostDatapath {
  /// The switches of a host as one state of it describes them.
  public init(_ state: HostState) {
    self.init(bridges: state.bridges.map { BridgeState($0, taken: state.taken) })
  }
}

extension BridgeState {
  /// - Parameter taken: when each file of the host was taken, in epoch seconds.
  public init(_ bridge: Bridge, taken: [String: Double] = [:]) {
    let mirrorOutputs = Set(bridge.mirrors.compactMap(\.outputPort))
    let ports = bridge.ports.map { port in
      var state = PortState(port, bridge: bridge.name)
      state.isMirrorOutput = mirrorOutputs.contains(port.name)
      return state
    }
    self.init(name: bridge.name, ports: ports, flows: bridge.flows)
    flowsTaken = bridge.flowsTaken.flatMap(BridgeState.nanoseconds)
    fdb = bridge.fdb
    fdbTaken = taken["\(bridge.name).fdb"].flatMap(BridgeState.nanoseconds)
    if let aging = bridge.otherConfig["mac-aging-time"].flatMap({ Int64($0) }), aging > 0 {
      // Open vSwitch keeps it between 15 seconds and an hour (lib/mac-learning.c).
      macAging = min(max(aging, 15), 3600)
    }
    forwardsBPDU = bridge.otherConfig["forward-bpdu"] == "true"
    mcastSnooping = bridge.mcastSnooping ?? false
    isStandalone = bridge.failMode != "secure"
  }

  private static func nanoseconds(_ seconds: Double) -> Int64? { Int64(exactly: (seconds * 1e9).rounded()) }
}

extension PortState {
  init(_ port: BridgePort, bridge: String) {
    let number = port.ofport.flatMap { $0 > 0 ? UInt32(exactly: $0) : nil }
    var kind = Kind.device
    if port.name == bridge {
      kind = .local
    } else if let peer = port.patchPeer {
      kind = .patch(peer: peer)
    } else if let settings = TunnelSettings(type: port.type, options: port.options) {
      kind = .tunnel(settings)
    }
    let vlans = VLANPolicy(
      mode: port.vlanMode.flatMap(VLANPolicy.Mode.init(rawValue:)), tag: port.tag, trunks: Set(port.trunks),
      customerVLANs: Set(port.customerVLANs), tunnelTPID: port.otherConfig["qinq-ethtype"] == "802.1q" ? 0x8100 : 0x88a8)
    self.init(name: port.name, number: number, kind: kind, vlans: vlans)
  }
}

extension TunnelSettings {
  /// Settings from `Interface.type` and `Interface.options`; nil for other types.
  public init?(type: String, options: [String: String]) {
    guard let kind = Kind(rawValue: type) else { return nil }
    func key(_ name: String) -> Setting<UInt64> {
      guard let text = options[name] ?? options["key"] else { return .fixed(0) }
      if text == "flow" { return .flow }
      let number = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
      return .fixed(number ?? 0)
    }
    var remote = Setting<IPAddress>.flow
    if let text = options["remote_ip"], text != "flow" { remote = .fixed(IPAddress(text) ?? .none) }
    self.init(
      kind: kind, local: options["local_ip"].flatMap { IPAddress($0) }, remote: remote, inKey: key("in_key"),
      outKey: key("out_key"), destinationPort: options["dst_port"].flatMap { UInt16($0) })
  }
}

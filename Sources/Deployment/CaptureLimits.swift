/// Ways of forwarding that captures on a host do not show, by its state.
public enum CaptureLimit: Sendable, Hashable {
  /// Open vSwitch hands flows to NICs (`other_config:hw-offload`). `isInUse`: a NIC of the host can take them, or it is
  /// not known whether one can.
  case hardwareOffload(isInUse: Bool)
  /// Ports of a userspace datapath that are no devices of the kernel: no capture is taken there.
  case userspacePorts([String])
  /// Tunnel ports whose packets are encrypted on the underlay.
  case encryptedTunnels([String])
}

extension Host {
  /// What its captures do not show, by the state before or after.
  public var captureLimits: [CaptureLimit] {
    var limits: [CaptureLimit] = []
    let states = [before, after].compactMap { $0 }
    if states.contains(where: \.hardwareOffload) { limits.append(.hardwareOffload(isInUse: hasOffloadingNIC)) }
    var userspace: Set<String> = []
    var encrypted: Set<String> = []
    for port in states.flatMap(\.bridges).flatMap(\.ports) {
      if port.type.hasPrefix("dpdk") { userspace.insert(port.name) }
      let keys = ["psk", "remote_cert", "remote_name", "peer_cert"]
      if Tunnel.Kind(rawValue: port.type) != nil, keys.contains(where: { !(port.options[$0] ?? "").isEmpty }) {
        encrypted.insert(port.name)
      }
    }
    if !userspace.isEmpty { limits.append(.userspacePorts(userspace.sorted(by: naturallyPrecedes))) }
    if !encrypted.isEmpty { limits.append(.encryptedTunnels(encrypted.sorted(by: naturallyPrecedes))) }
    return limits
  }

  /// Whether frames may pass without showing in captures of its devices.
  public var hidesFrames: Bool {
    hasOffloadingNIC && [before, after].contains { $0?.hardwareOffload ?? false }
  }

  /// A NIC with a switch inside has an identity of it (`ip -d link`); without details none is shown.
  private var hasOffloadingNIC: Bool {
    interfaces.contains { $0.switchID != nil } || !interfaces.contains { $0.kind != nil }
  }
}

extension Deployment {
  /// Networks that hosts know and an intent that says it is complete does not. Neutron's answers may be those of one
  /// project: what agents recorded is not held against them.
  public var undeclaredNetworks: [Int] {
    guard complete else { return [] }
    let weakest: Source = networks.contains { $0.source == .neutron } ? .agentRecord : .neutron
    return networks.indices.filter { networks[$0].isOverlay && networks[$0].source > weakest }
  }
}

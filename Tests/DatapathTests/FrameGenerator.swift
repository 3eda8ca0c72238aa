import OpenFlow
import Wire

@testable import Datapath

/// A generator of numbers that gives the same ones on every run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Frames that have something to do with a flow set: its MACs, addresses, VLANs and tunnel IDs, and others.
struct FrameGenerator {
  var random: SplitMix
  private var macs: [MACAddress] = [
    .broadcast, MACAddress(rawValue: 0x3333_0000_0001), MACAddress(rawValue: 0x0100_5e00_0001),
  ]
  private var addresses: [UInt32] = [0x0a00_0063]
  private var targets: [IPAddress] = [IPAddress(v6High: 0xfd00_0039_0000_0000, low: 0x99)]
  private(set) var vlans: [UInt16] = [7]
  private(set) var tunnelIDs: [UInt64] = [0x777]
  private let devices: [(bridge: String, port: String)]
  private let tunnels: [TunnelSettings]

  init(_ states: [BridgeState], seed: UInt64) {
    random = SplitMix(state: seed)
    devices = states.flatMap { state in state.ports.filter { $0.kind == .device }.map { (state.name, $0.name) } }
    tunnels = states.flatMap(\.ports).compactMap { if case .tunnel(let tunnel) = $0.kind { tunnel } else { nil } }
    var seen: Set<UInt64> = []
    for flow in states.flatMap({ $0.flows?.flows ?? [] }) {
      for term in flow.match.terms {
        switch term.field {
        case .ethernetSource, .ethernetDestination, .arpSenderMAC, .arpTargetMAC:
          if seen.insert(UInt64(term.value)).inserted { macs.append(MACAddress(rawValue: UInt64(term.value))) }
        case .ipv4Source, .ipv4Destination, .arpSenderAddress, .arpTargetAddress:
          if !addresses.contains(UInt32(term.value)) { addresses.append(UInt32(term.value)) }
        case .neighborTarget, .ipv6Source, .ipv6Destination: targets.append(IPAddress(v6: term.value))
        case .tunnelID: if !tunnelIDs.contains(UInt64(term.value)) { tunnelIDs.append(UInt64(term.value)) }
        case .vlanTCI: if let vlan = flow.match.vlanID, !vlans.contains(vlan) { vlans.append(vlan) }
        default: break
        }
      }
    }
    for number in 1...4 { macs.append(MACAddress(rawValue: 0xfa16_3eff_0000 + UInt64(number))) }
  }

  private mutating func pick<Element>(_ list: [Element]) -> Element {
    list[Int.random(in: 0..<list.count, using: &random)]
  }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  mutating func frame() -> TestFrame {
    let source = pick(macs.filter { !$0.isGroup && $0 != .zero })
    var destination = pick(macs)
    if chance(25) { destination = .broadcast }
    if chance(2) { destination = MACAddress(rawValue: 0x0180_c200_0000) }
    var tags: [VLANTag] = []
    if chance(12) { tags.append(VLANTag(tpid: 0x8100, tci: pick(vlans + [0]) | (chance(30) ? 0x6000 : 0))) }
    if chance(15), !tags.isEmpty { tags.append(VLANTag(tpid: 0x8100, tci: pick(vlans))) }
    let (from, to) = (pick(addresses), pick(addresses))
    if tags.count > 1 {
      // What lies behind a tag that the switch does not read cannot be compared.
      return TestFrame(
        destination: destination, source: source, tags: tags, etherType: 0x88b5, payload: Array(repeating: 2, count: 50)
      )
    }
    switch Int.random(in: 0..<10, using: &random) {
    case 0...2:
      return .arp(
        operation: chance(60) ? 1 : 2, source: source, destination: destination, sender: from, target: to,
        targetMAC: chance(20) ? .broadcast : .zero, tags: tags)
    case 3...6:
      let ports: [UInt16] = [8, 0, 53, 67, 68, 80, 546]
      return .ipv4(
        source: source, destination: destination, from: from, to: to, protocol: pick([1, 6, 17, 132]),
        ports: (pick(ports), pick(ports)), ttl: pick([1, 2, 64]), tags: tags)
    case 7...8:
      let link = IPAddress(v6High: 0xfe80 << 48, low: source.rawValue)
      return .icmp6(
        type: pick([133, 134, 135, 136, 128]), source: source, destination: destination, from: link, to: pick(targets),
        target: pick(targets), tags: tags)
    default:
      return TestFrame(
        destination: destination, source: source, tags: tags, etherType: 0x88b5, payload: Array(repeating: 1, count: 50)
      )
    }
  }

  /// Puts a frame in somewhere.
  mutating func step(_ both: Differential) throws {
    if !tunnels.isEmpty, devices.isEmpty || chance(50) {
      let tunnel = pick(tunnels)
      guard case .fixed(let remote) = tunnel.remote else { return }
      try both.receive(frame(), kind: tunnel.kind, tunnelID: pick(tunnelIDs), remote: remote)
    } else if !devices.isEmpty {
      let place = pick(devices)
      try both.send(frame(), bridge: place.bridge, port: place.port)
    }
  }
}

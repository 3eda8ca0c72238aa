import Deployment
import Wire

/// VXLAN on UDP ports that no source names: known by what lies inside.
struct UnnamedTunnelPorts {
  private struct Packets {
    var count = 0
    /// By the source MAC of a frame inside.
    var sources: [MACAddress: Int] = [:]
  }

  /// Frames of guests that a port must show at least.
  private static var leastFrames: Int { 3 }

  private var found: [UInt16: Packets] = [:]
  /// MACs that guests' ports show.
  private var guests: Set<MACAddress> = []

  mutating func add(_ frame: DecodedFrame, _ bytes: Span<UInt8>, at kind: PointKind) {
    let outer = frame.outer
    if kind.isGuestSide {
      if guests.count < 65_536, !outer.source.isGroup { guests.insert(outer.source) }
      return
    }
    guard kind == .tunnel || kind == .unknown, outer.transport == .udp, frame.tunnel.kind == .none,
      outer.fragmentOffset == 0, found.count < 4096 || found[outer.destinationPort] != nil
    else { return }
    found[outer.destinationPort, default: Packets()].count += 1
    let payload = min(Int(outer.payloadOffset), bytes.count)
    guard let source = vxlanSource(bytes.extracting(payload...)),
      found[outer.destinationPort]?.sources.count ?? 0 < 1024
    else { return }
    found[outer.destinationPort]?.sources[source, default: 0] += 1
  }

  /// Adds ports on which guests of the deployment travel in VXLAN, where there is room for more. Returns whether there
  /// are any.
  func name(in ports: inout TunnelPorts, _ known: Set<MACAddress>) -> Bool {
    let guests = guests.union(known)
    let carrying = found.compactMap { port, packets -> (port: UInt16, frames: Int)? in
      let frames = packets.sources.filter { guests.contains($0.key) }.values.reduce(0, +)
      return frames >= UnnamedTunnelPorts.leastFrames && frames * 2 > packets.count ? (port, frames) : nil
    }
    var isNew = false
    for (port, _) in carrying.sorted(by: { ($1.frames, $0.port) < ($0.frames, $1.port) }) where port != ports.geneve {
      if ports.vxlan2 == 0 {
        ports.vxlan2 = port
      } else if ports.vxlan3 == 0 {
        ports.vxlan3 = port
      } else {
        break
      }
      isNew = true
    }
    return isNew
  }
}

/// The source MAC of the frame inside what reads as a VXLAN header with nothing but the I flag set (RFC 7348, section 5);
/// nil where it does not.
private func vxlanSource(_ payload: Span<UInt8>) -> MACAddress? {
  guard payload.count >= 8 + 14, payload[0] == 0x08, payload[1] == 0, payload[2] == 0, payload[3] == 0, payload[7] == 0
  else { return nil }
  let etherType = UInt16(payload[20]) << 8 | UInt16(payload[21])
  guard [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8].contains(etherType), payload[14] & 1 == 0 else { return nil }
  var source: UInt64 = 0
  for offset in 14..<20 { source = source << 8 | UInt64(payload[offset]) }
  return MACAddress(rawValue: source)
}

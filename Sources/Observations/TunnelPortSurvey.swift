import CaptureFiles
import Deployment
import Wire

/// VXLAN on UDP ports that no source names: known by what lies inside.
extension Survey {
  /// Frames of guests that a port must show at least.
  private static var leastFrames: Int { 3 }

  /// Adds ports on which guests of the deployment travel in VXLAN, where there is room for more.
  mutating func findTunnelPorts() {
    guard result.plan.tunnelPorts.vxlan3 == 0 else { return }
    var guests = Set(result.deployment.ports.flatMap { $0.macs + $0.allowedMACs })
    /// By port: how many packets there are, and how many hold a frame from which MAC.
    var found: [UInt16: (packets: Int, sources: [MACAddress: Int])] = [:]
    var frame = DecodedFrame()
    let plan = result.plan
    for capture in result.deployment.captures.indices {
      let route = plan.routes[capture]
      sample(capture) { batch, interfaces in
        let bytes = batch.bytes.span
        for record in batch.frames {
          let linkType = record.interface < interfaces.count ? interfaces[record.interface].linkType : 1
          decode(
            bytes.extracting(record.start..<(record.start + record.capturedLength)), wireLength: record.wireLength,
            linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
          guard let point = route.point(of: record, frame) else { continue }
          let kind = plan.points[point].kind
          if kind.isGuestSide {
            if guests.count < 65_536, !frame.outer.source.isGroup { guests.insert(frame.outer.source) }
            continue
          }
          let outer = frame.outer
          guard kind == .tunnel || kind == .unknown, outer.transport == .udp, frame.tunnel.kind == .none,
            outer.fragmentOffset == 0, found.count < 4096 || found[outer.destinationPort] != nil
          else { continue }
          found[outer.destinationPort, default: (0, [:])].packets += 1
          let payload = record.start + Int(outer.payloadOffset)
          let end = record.start + record.capturedLength
          guard let source = vxlanSource(bytes.extracting(min(payload, end)..<end)) else { continue }
          if found[outer.destinationPort]?.sources.count ?? 0 < 1024 {
            found[outer.destinationPort]?.sources[source, default: 0] += 1
          }
        }
      }
    }
    let ports = found.compactMap { port, seen -> (port: UInt16, frames: Int)? in
      let frames = seen.sources.filter { guests.contains($0.key) }.values.reduce(0, +)
      return frames >= Survey.leastFrames && frames * 2 > seen.packets && port != plan.tunnelPorts.geneve ? (port, frames) : nil
    }
    for (port, _) in ports.sorted(by: { ($1.frames, $0.port) < ($0.frames, $1.port) }) {
      if result.plan.tunnelPorts.vxlan2 == 0 {
        result.plan.tunnelPorts.vxlan2 = port
      } else if result.plan.tunnelPorts.vxlan3 == 0 {
        result.plan.tunnelPorts.vxlan3 = port
      }
    }
  }
}

extension ObservationPlan.Route {
  /// The point of a frame of this capture.
  func point(of record: FrameRecord, _ frame: DecodedFrame) -> Int? {
    switch self {
    case .none: nil
    case .point(let point): point
    case .interfaces(let points): record.interface < points.count ? points[record.interface] : nil
    case .indices(let points): points[frame.link.interfaceIndex]
    }
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

import OpenFlow
import Wire

/// A frame in full, as it is on a wire.
public struct FabricFrame: Hashable, Sendable {
  /// From the destination MAC on, without the checksum; what a capture cut off is missing.
  public var bytes: [UInt8]
  /// Length on the wire, at least that of `bytes`.
  public var wireLength: Int

  public init(_ bytes: [UInt8], wireLength: Int = 0) {
    self.bytes = bytes
    self.wireLength = max(bytes.count, wireLength)
  }

  /// Its headers; tunnels inside it are payload.
  var headers: FrameHeaders {
    var closed = TunnelPorts()
    closed.vxlan0 = 0
    closed.geneve = 0
    closed.gre = false
    var frame = DecodedFrame()
    decode(bytes.span, wireLength: wireLength, linkType: 1, tunnels: closed, into: &frame)
    return frame.outer
  }

  public var packet: Packet { Packet(headers, length: UInt32(clamping: wireLength)) }

  /// The frame with the changes that tables made on its fields; checksums follow (RFC 1624).
  func changed(from before: Packet, to after: Packet) -> FabricFrame {
    guard bytes.count >= 14 else { return self }
    let (old, new) = (before.tags, after.tags)
    var editor = FrameEditor(bytes: [])
    editor.bytes.reserveCapacity(bytes.count + 8)
    editor.append(after.destination.rawValue, 6)
    editor.append(after.source.rawValue, 6)
    for index in 0..<new.held {
      editor.append(UInt64(new[index].tpid), 2)
      editor.append(UInt64(new[index].tci), 2)
    }
    let rest = min(bytes.count, 12 + 4 * old.held)
    editor.bytes += bytes[rest...]
    let shift = 4 * (new.held - old.held)
    let headers = headers
    editor.change(
      network: Int(headers.networkOffset) + shift, transport: Int(headers.transportOffset) + shift,
      hasTransport: headers.transport != .none, before, after)
    return FabricFrame(editor.bytes, wireLength: wireLength + shift)
  }
}

/// Writes fields in place. What lies beyond the captured bytes is left out.
private struct FrameEditor {
  var bytes: [UInt8]

  mutating func append(_ value: UInt64, _ count: Int) {
    for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - index)))) }
  }

  mutating func change(network: Int, transport: Int, hasTransport: Bool, _ before: Packet, _ after: Packet) {
    guard network >= 14 else { return }
    if before.isARP {
      for (field, offset, count) in [
        (Field.arpOperation, 6, 2), (.arpSenderMAC, 8, 6), (.arpSenderAddress, 14, 4), (.arpTargetMAC, 18, 6),
        (.arpTargetAddress, 24, 4),
      ] where before.value(of: field) != after.value(of: field) {
        replace(at: network + offset, after.value(of: field), count, checksums: [])
      }
      return
    }
    guard before.isIP else { return }
    var sums: [Int] = []
    if hasTransport {
      switch before.ipProtocol {
      case 6: sums = [transport + 16]
      // A UDP checksum of zero says that there is none.
      case 17: if word(transport + 6) != 0 { sums = [transport + 6] }
      case 58: sums = [transport + 2]
      default: break
      }
    }
    let own = before.isIPv4 ? [network + 10] : []
    if before.ttl != after.ttl {
      replace(at: network + (before.isIPv4 ? 8 : 7), UInt128(after.ttl), 1, checksums: own)
    }
    if before.tos != after.tos {
      if before.isIPv4 {
        replace(at: network + 1, UInt128(after.tos), 1, checksums: own)
      } else if let first = word(network) {
        replace(at: network, UInt128(first & 0xf00f | UInt16(after.tos) << 4), 2, checksums: [])
      }
    }
    let (length, source, destination) = before.isIPv4 ? (4, 12, 16) : (16, 8, 24)
    if before.networkSource != after.networkSource {
      replace(at: network + source, after.networkSource, length, checksums: own + sums)
    }
    if before.networkDestination != after.networkDestination {
      replace(at: network + destination, after.networkDestination, length, checksums: own + sums)
    }
    guard hasTransport else { return }
    let isICMP = before.isIPv4 && before.ipProtocol == 1 || before.isIPv6 && before.ipProtocol == 58
    let width = isICMP ? 1 : 2
    let icmpSum = before.ipProtocol == 1 ? [transport + 2] : sums
    if before.transportSource != after.transportSource {
      replace(at: transport, UInt128(after.transportSource), width, checksums: isICMP ? icmpSum : sums)
    }
    if before.transportDestination != after.transportDestination {
      replace(at: transport + width, UInt128(after.transportDestination), width, checksums: isICMP ? icmpSum : sums)
    }
    if isICMP, before.neighborTarget != after.neighborTarget {
      replace(at: transport + 8, after.neighborTarget, 16, checksums: sums)
    }
  }

  private func word(_ offset: Int) -> UInt16? {
    guard offset >= 0, offset + 1 < bytes.count else { return nil }
    return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  /// Writes the low `count` octets of `value`; headers begin at even distances from each other, so that words of
  /// checksums begin at the parity of the place of the checksum.
  private mutating func replace(at offset: Int, _ value: UInt128, _ count: Int, checksums: [Int]) {
    guard offset >= 0, offset + count <= bytes.count else { return }
    for index in 0..<count {
      let new = UInt8(truncatingIfNeeded: value >> UInt128(8 * (count - 1 - index)))
      let at = offset + index
      let old = bytes[at]
      bytes[at] = new
      for sum in checksums {
        guard let known = word(sum) else { continue }
        let isHigh = (at - sum) % 2 == 0
        let (m, n) = isHigh ? (UInt32(old) << 8, UInt32(new) << 8) : (UInt32(old), UInt32(new))
        var total = UInt32(~known) + (~m & 0xffff) + n
        while total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        let result = ~UInt16(truncatingIfNeeded: total)
        bytes[sum] = UInt8(result >> 8)
        bytes[sum + 1] = UInt8(result & 0xff)
      }
    }
  }
}

import Wire

/// Makes the frames that guests send, and what hosts wrap around them.
struct Frames {
  private let overlay: Overlay
  /// Content to cut payloads from.
  private let noise: [UInt8]
  private var sequence: UInt64 = 0

  init(_ overlay: Overlay, random: inout SplitMix64) {
    self.overlay = overlay
    var noise: [UInt8] = []
    for _ in 0..<512 { noise.append(contentsOf: octets(random.next())) }
    self.noise = noise
  }

  /// A datagram, segment or echo of `length` octets, 64 at least; no two are alike.
  mutating func unicast(from: Int, to: Int, length: Int, random: inout SplitMix64) -> [UInt8] {
    sequence += 1
    let (source, destination) = (overlay.guests[from], overlay.guests[to])
    let choice = random.below(20)
    let headers = choice < 9 ? 54 : 42
    let filling = max(0, length - headers - 8)
    let start = random.below(noise.count - filling)
    let content = octets(sequence) + noise[start..<start + filling]
    var frame = FrameBuilder()
    frame.ethernet(to: destination.mac, from: source.mac)
    var fields = FrameBuilder.IPFields()
    fields.dontFragment = true
    // Many systems send 0 with DF set.
    fields.identification = choice % 2 == 0 ? 0 : UInt16(truncatingIfNeeded: sequence)
    let ports = (UInt16(32768 + from), UInt16(truncatingIfNeeded: 1024 + to))
    // No two segments of a connection cover the same octets.
    let number = UInt32(truncatingIfNeeded: sequence &* 2048)
    frame.ipv4(from: source.address, to: destination.address, fields: fields) {
      switch choice {
      case 0..<9: $0.tcp(from: ports.0, to: ports.1, sequence: number, flags: 0x18) { $0.append(content) }
      case 9..<19: $0.udp(from: ports.0, to: ports.1) { $0.append(content) }
      default: $0.icmp(type: 8, rest: number) { $0.append(content) }
      }
    }
    return frame.bytes
  }

  /// A superframe of TCP, and the segments that a host cuts it into.
  mutating func superframe(from: Int, to: Int, segments: Int) -> (whole: [UInt8], segments: [[UInt8]]) {
    sequence += 1
    let (source, destination) = (overlay.guests[from], overlay.guests[to])
    let size = 1398
    var content: [UInt8] = []
    for number in 0..<segments {
      content += octets(sequence) + noise[number * 64..<number * 64 + size - 8]
    }
    let first = UInt32(truncatingIfNeeded: sequence &* 16_384)
    let identification = UInt16(truncatingIfNeeded: sequence &* 16)
    func frame(_ number: Int, _ payload: ArraySlice<UInt8>, isLast: Bool) -> [UInt8] {
      var frame = FrameBuilder()
      frame.ethernet(to: destination.mac, from: source.mac)
      var fields = FrameBuilder.IPFields()
      fields.dontFragment = true
      fields.identification = identification &+ UInt16(number)
      let ports = (UInt16(20_000 + from), UInt16(truncatingIfNeeded: 1024 + to))
      frame.ipv4(from: source.address, to: destination.address, fields: fields) {
        $0.tcp(
          from: ports.0, to: ports.1, sequence: first &+ UInt32(number * size), flags: isLast ? 0x18 : 0x10
        ) { $0.append(payload) }
      }
      return frame.bytes
    }
    return (
      frame(0, content[...], isLast: true),
      (0..<segments).map { frame($0, content[$0 * size..<($0 + 1) * size], isLast: $0 == segments - 1) }
    )
  }

  /// The question of one guest for the address of another: always the same octets.
  func question(from: Int, about: Int) -> [UInt8] {
    let guest = overlay.guests[from]
    var frame = FrameBuilder()
    frame.ethernet(to: .broadcast, from: guest.mac)
    frame.arp(
      operation: 1, senderMAC: guest.mac, sender: guest.address, targetMAC: .zero,
      target: overlay.guests[about].address)
    return frame.bytes
  }

  /// The frame in VXLAN, as a host sends it to another.
  func encapsulated(_ inner: [UInt8], vni: UInt32, from: Int, to: Int, flow: Int) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: overlay.underlayMACs[to], from: overlay.underlayMACs[from])
    var fields = FrameBuilder.IPFields()
    fields.dontFragment = true
    frame.ipv4(from: overlay.vteps[from], to: overlay.vteps[to], fields: fields) {
      $0.udp(from: UInt16(truncatingIfNeeded: 32768 + flow & 0x7fff), to: 4789, hasChecksum: false) {
        $0.vxlan(vni: vni)
        $0.append(inner)
      }
    }
    return frame.bytes
  }
}

private func octets(_ value: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
}

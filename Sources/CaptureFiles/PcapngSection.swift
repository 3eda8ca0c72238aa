/// The state of one section of a pcapng file while its blocks are read (draft-ietf-opsawg-pcapng, sections 3 and 4).
struct PcapngSection: Sendable {
  static let sectionHeader: UInt32 = 0x0a0d_0d0a
  static let byteOrderMagic: UInt32 = 0x1a2b_3c4d
  /// Bounds what a hostile file can make the reader remember.
  private static let mostInterfaces = 65_536

  private var order = ByteOrder.little
  /// Index of the section's first interface among those of the file.
  private var firstInterface = 0
  /// What packets of an interface of the section are read with.
  private struct Source: Sendable {
    var clock: PcapngClock
    var snapLength: Int
    var checksumLength: Int
  }
  private var sources: [Source] = []

  /// Indexes whole blocks of `bytes` from `position` on, and leaves `position` at the first that was not. Blocks
  /// that hold no frame are taken in even when the batch is full.
  mutating func index(
    _ bytes: Span<UInt8>, from position: inout Int, into frames: inout [FrameRecord], limit: Int,
    interfaces: inout [CaptureInterface], tally: inout FrameTally
  ) -> IndexOutcome {
    while true {
      let at = position
      let have = bytes.count - at
      guard have >= 8 else { return .needs(8) }
      let isSection = bytes.number32(at: at, .little) == Self.sectionHeader
      var blockOrder = order
      if isSection {
        guard have >= 12 else { return .needs(12) }
        if bytes.number32(at: at + 8, .little) == Self.byteOrderMagic {
          blockOrder = .little
        } else if bytes.number32(at: at + 8, .big) == Self.byteOrderMagic {
          blockOrder = .big
        } else {
          return .damaged("a section with an unknown byte order mark")
        }
      }
      let length = Int(bytes.number32(at: at + 4, blockOrder))
      if length == 0, bytes.number32(at: at, blockOrder) == 0 { return .zeros }
      guard length >= 12, length % 4 == 0, length <= largestRecord else {
        return .damaged("a block claims the impossible length of \(length) bytes")
      }
      let type = bytes.number32(at: at, blockOrder)
      let holdsFrame = type == 6 || type == 3 || type == 2
      if holdsFrame && frames.count >= limit { return .full }
      guard have >= length else { return .needs(length) }
      let trailer = Int(bytes.number32(at: at + length - 4, blockOrder))
      guard trailer == length else {
        return .damaged("a block of \(length) bytes ends with another length, \(trailer)")
      }
      do throws(LayoutError) {
        if holdsFrame {
          frames.append(try packet(type: type, bytes, at: at, length: length, interfaces: &interfaces, tally: &tally))
        } else if isSection {
          try beginSection(bytes, at: at, length: length, order: blockOrder, interfaces: interfaces.count)
        } else if type == 1 {
          try addInterface(bytes, at: at, length: length, interfaces: &interfaces)
        } else if type == 5 {
          try takeStatistics(bytes, at: at, length: length, interfaces: &interfaces)
        }
      } catch {
        return .damaged(error.reason)
      }
      position = at + length
    }
  }

  /// The length of the section header that a file begins with. Checks as much of it as there is.
  /// - Parameter bytes: at least 12.
  static func lengthOfFirst(_ bytes: Span<UInt8>) throws(LayoutError) -> Int {
    var section = PcapngSection()
    var position = 0
    var frames: [FrameRecord] = []
    var interfaces: [CaptureInterface] = []
    var tally = FrameTally()
    let outcome = section.index(
      bytes, from: &position, into: &frames, limit: 0, interfaces: &interfaces, tally: &tally)
    switch outcome {
    case .needs(let length) where position == 0: return length
    case .damaged(let reason) where position == 0: throw LayoutError(reason: reason)
    case .needs, .damaged, .full, .zeros: return position
    }
  }

  // MARK: Packets

  /// Enhanced (6), simple (3) and obsolete (2) packet blocks.
  @inline(__always)
  private func packet(
    type: UInt32, _ bytes: Span<UInt8>, at: Int, length: Int, interfaces: inout [CaptureInterface],
    tally: inout FrameTally
  ) throws(LayoutError) -> FrameRecord {
    let header = type == 3 ? 12 : 28
    guard length >= header + 4 else {
      throw LayoutError(reason: "a packet block of \(length) bytes is shorter than its header")
    }
    let room = length - header - 4
    let local =
      switch type {
      case 6: Int(bytes.number32(at: at + 8, order))
      case 2: Int(bytes.number16(at: at + 8, order))
      default: 0
      }
    guard local < sources.count else {
      throw LayoutError(reason: "a packet of interface \(local), which the section does not describe")
    }
    let source = sources[local]
    let snapLength = source.snapLength
    var wire = Int(bytes.number32(at: at + header - 4, order))
    var captured: Int
    var time: Int64 = 0
    if type == 3 {
      captured = snapLength == 0 ? wire : min(wire, snapLength)
      tally.anomalies.withoutTime += 1
    } else {
      captured = Int(bytes.number32(at: at + 20, order))
      let high = UInt64(bytes.number32(at: at + 12, order))
      let ticks = high << 32 | UInt64(bytes.number32(at: at + 16, order))
      if let exact = source.clock.nanoseconds(ticks) {
        time = exact
      } else {
        time = source.clock.nearest
        tally.anomalies.timeOutOfRange += 1
      }
    }
    guard captured <= room else {
      throw LayoutError(reason: "a packet block of \(length) bytes claims \(captured) captured bytes")
    }
    if wire < captured {
      wire = captured
      tally.anomalies.wireLengthRaised += 1
    }
    if captured > snapLength && snapLength > 0 { tally.anomalies.longerThanSnapLength += 1 }
    var facts = PacketFacts(checksumLength: source.checksumLength)
    let options = at + header + (captured + 3) / 4 * 4
    if type != 3, options < at + length - 4 {
      try facts.read(bytes, PcapngOptions(at: options, end: at + length - 4, order: order))
    }
    if type == 2 {
      let drops = bytes.number16(at: at + 10, order)
      if drops != .max { facts.drops = UInt64(drops) }
    }
    if let drops = facts.drops {
      let known = interfaces[firstInterface + local].droppedBetween ?? 0
      let (sum, overflow) = known.addingReportingOverflow(drops)
      interfaces[firstInterface + local].droppedBetween = overflow ? .max : sum
    }
    tally.frames += 1
    var record = FrameRecord(
      number: tally.frames, time: time, start: at + header, capturedLength: captured, wireLength: wire,
      interface: firstInterface + local, direction: facts.direction, hasTime: type != 3)
    if facts.checksumLength > 0 { record.removeChecksum(facts.checksumLength) }
    return record
  }

  /// What the options of a packet say.
  private struct PacketFacts {
    var direction = FrameRecord.Direction.unknown
    var checksumLength: Int
    /// Frames lost since the packet before.
    var drops: UInt64?

    init(checksumLength: Int) { self.checksumLength = checksumLength }

    mutating func read(_ bytes: Span<UInt8>, _ list: PcapngOptions) throws(LayoutError) {
      var options = list
      while let option = try options.next(bytes) {
        if option.code == 4 {
          try option.require(length: 8, of: "the drop count of a packet")
          drops = bytes.number64(at: option.start, list.order)
        }
        guard option.code == 2 else { continue }
        try option.require(length: 4, of: "packet flags")
        let flags = bytes.number32(at: option.start, list.order)
        // The lowest two bits are 1 for inbound and 2 for outbound.
        switch flags & 3 {
        case 1: direction = .inbound
        case 2: direction = .outbound
        default: direction = .unknown
        }
        // Bits 5 to 8: octets of frame check sequence, 0 for not known.
        if flags >> 5 & 0xf != 0 { checksumLength = Int(flags >> 5 & 0xf) }
      }
    }
  }

  // MARK: Sections and interfaces

  private mutating func beginSection(
    _ bytes: Span<UInt8>, at: Int, length: Int, order: ByteOrder, interfaces: Int
  ) throws(LayoutError) {
    guard length >= 28 else { throw LayoutError(reason: "a section header of only \(length) bytes") }
    let major = bytes.number16(at: at + 12, order)
    let minor = bytes.number16(at: at + 14, order)
    guard major == 1 else {
      throw LayoutError(reason: "pcapng version \(major).\(minor) is not supported; 1.0 is")
    }
    self.order = order
    firstInterface = interfaces
    sources.removeAll(keepingCapacity: true)
  }

  private mutating func addInterface(
    _ bytes: Span<UInt8>, at: Int, length: Int, interfaces: inout [CaptureInterface]
  ) throws(LayoutError) {
    guard length >= 20 else { throw LayoutError(reason: "an interface description of only \(length) bytes") }
    guard interfaces.count < Self.mostInterfaces else {
      throw LayoutError(reason: "more than \(Self.mostInterfaces) interfaces")
    }
    var interface = CaptureInterface(
      linkType: bytes.number16(at: at + 8, order), snapLength: bytes.number32(at: at + 12, order))
    var clock = PcapngClock()
    var options = PcapngOptions(at: at + 16, end: at + length - 4, order: order)
    while let option = try options.next(bytes) {
      switch option.code {
      case 2: interface.name = option.text(bytes)
      case 3: interface.description = option.text(bytes)
      case 9:
        try option.require(length: 1, of: "if_tsresol")
        clock.setResolution(bytes[option.start])
      case 11:
        guard option.length > 0 else { continue }
        interface.filter =
          bytes[option.start] == 0
          ? option.text(bytes, skipping: 1) : "a compiled filter of \(option.length - 1) bytes"
      case 13:
        try option.require(length: 1, of: "if_fcslen")
        // In bits, as the draft says; some writers count octets.
        let value = Int(bytes[option.start])
        interface.checksumLength = value < 16 ? value : value / 8
      case 14:
        try option.require(length: 8, of: "if_tsoffset")
        clock.setOffset(seconds: Int64(bitPattern: bytes.number64(at: option.start, order)))
      default: continue
      }
    }
    interfaces.append(interface)
    sources.append(
      Source(
        clock: clock, snapLength: Int(interface.snapLength), checksumLength: interface.checksumLength))
  }

  private func takeStatistics(
    _ bytes: Span<UInt8>, at: Int, length: Int, interfaces: inout [CaptureInterface]
  ) throws(LayoutError) {
    guard length >= 24 else { throw LayoutError(reason: "interface statistics of only \(length) bytes") }
    let local = Int(bytes.number32(at: at + 8, order))
    guard local < sources.count else {
      throw LayoutError(reason: "statistics of interface \(local), which the section does not describe")
    }
    var byInterface: UInt64?
    var bySystem: UInt64?
    var options = PcapngOptions(at: at + 20, end: at + length - 4, order: order)
    while let option = try options.next(bytes) {
      guard option.code == 4 || option.code == 5 || option.code == 7 else { continue }
      try option.require(length: 8, of: "interface statistics")
      let value = bytes.number64(at: option.start, order)
      switch option.code {
      case 4: interfaces[firstInterface + local].received = value
      case 5: byInterface = value
      default: bySystem = value
      }
    }
    if byInterface != nil || bySystem != nil {
      let (sum, overflow) = (byInterface ?? 0).addingReportingOverflow(bySystem ?? 0)
      interfaces[firstInterface + local].dropped = overflow ? .max : sum
    }
  }
}

/// Walks the options at the end of a block (draft-ietf-opsawg-pcapng, section 3.5).
struct PcapngOptions {
  struct Option {
    let code: UInt16
    let start: Int
    let length: Int

    func require(length wanted: Int, of name: String) throws(LayoutError) {
      guard length == wanted else { throw LayoutError(reason: "\(name) of \(length) bytes instead of \(wanted)") }
    }

    /// UTF-8, without the NULs that some writers end it with.
    func text(_ bytes: Span<UInt8>, skipping: Int = 0) -> String {
      var octets: [UInt8] = []
      for index in start + skipping..<start + length { octets.append(bytes[index]) }
      while octets.last == 0 { octets.removeLast() }
      return String(decoding: octets, as: UTF8.self)
    }
  }

  private var at: Int
  private let end: Int
  let order: ByteOrder

  init(at: Int, end: Int, order: ByteOrder) {
    self.at = at
    self.end = end
    self.order = order
  }

  /// Nil at the end mark, or where the block ends without one.
  mutating func next(_ bytes: Span<UInt8>) throws(LayoutError) -> Option? {
    guard end - at >= 4 else { return nil }
    let code = bytes.number16(at: at, order)
    let length = Int(bytes.number16(at: at + 2, order))
    guard code != 0 else { return nil }
    guard (length + 3) / 4 * 4 <= end - at - 4 else {
      throw LayoutError(reason: "option \(code) of \(length) bytes runs past the end of its block")
    }
    let option = Option(code: code, start: at + 4, length: length)
    at += 4 + (length + 3) / 4 * 4
    return option
  }
}

/// One 802.1Q or 802.1ad tag (IEEE 802.1Q, 9.3).
public struct VLANTag: Hashable, Sendable, BitwiseCopyable {
  /// 0x8100, 0x88a8, or the older 0x9100/0x9200.
  public var tpid: UInt16
  /// Priority (3 bits), drop eligibility (1), VID (12), in host byte order.
  public var tci: UInt16

  @inlinable
  public init(tpid: UInt16, tci: UInt16) {
    self.tpid = tpid
    self.tci = tci
  }

  @inlinable public var vid: UInt16 { tci & 0x0fff }
  @inlinable public var priority: UInt8 { UInt8(truncatingIfNeeded: tci >> 13) }
  @inlinable public var dropEligible: Bool { tci & 0x1000 != 0 }
}

/// The stack of VLAN tags of one frame, outermost first. Holds the first four; `count` may be
/// larger, so that a deeper stack is known to have been deeper.
public struct VLANTags: Hashable, Sendable, BitwiseCopyable {
  public static let capacity = 4
  var tag0 = VLANTag(tpid: 0, tci: 0)
  var tag1 = VLANTag(tpid: 0, tci: 0)
  var tag2 = VLANTag(tpid: 0, tci: 0)
  var tag3 = VLANTag(tpid: 0, tci: 0)
  /// How many tags the frame carried.
  public private(set) var count: UInt8 = 0

  public init() {}

  /// The tags that are held: `min(count, capacity)`.
  public var held: Int { min(Int(count), VLANTags.capacity) }

  public subscript(index: Int) -> VLANTag {
    switch index {
    case 0: tag0
    case 1: tag1
    case 2: tag2
    case 3: tag3
    default: VLANTag(tpid: 0, tci: 0)
    }
  }

  public mutating func append(_ tag: VLANTag) {
    switch count {
    case 0: tag0 = tag
    case 1: tag1 = tag
    case 2: tag2 = tag
    case 3: tag3 = tag
    default: break
    }
    if count < .max { count += 1 }
  }
}

extension FrameHeaders {
  /// All tags behind an ethertype that announces one. Ends at the first ethertype that is no
  /// tag's, or with the frame: each round consumes four bytes.
  mutating func decodeTags(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    var cursor = cursor
    while EtherType.isVLAN(etherType) {
      let header = bytes.extracting(droppingFirst: cursor.at)
      guard header.count >= 4, cursor.claimed >= 4 else {
        stop = cursor.shortage(of: 4, layer: .vlan, in: bytes)
        return nil
      }
      tags.append(VLANTag(tpid: etherType, tci: header.uint16(0)))
      etherType = header.uint16(2)
      cursor = cursor.advanced(by: 4)
      networkOffset = cursor.offset
    }
    return cursor
  }
}

/// A 48-bit IEEE 802 MAC address, kept in the low 48 bits of `rawValue` with the first octet
/// on the wire as the most significant.
public struct MACAddress: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The address as a number, `0x0000_AABB_CCDD_EEFF` for `aa:bb:cc:dd:ee:ff`.
  public var rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue & 0xffff_ffff_ffff }

  /// `ff:ff:ff:ff:ff:ff`.
  public static let broadcast = MACAddress(rawValue: 0xffff_ffff_ffff)

  /// The all-zero address, which stands for "none" where a field must hold something.
  public static let zero = MACAddress(rawValue: 0)

  /// Whether the I/G bit is set: multicast or broadcast (IEEE 802-2014, 8.2).
  @inlinable
  public var isGroup: Bool { rawValue & 0x0100_0000_0000 != 0 }

  @inlinable
  public var isBroadcast: Bool { rawValue == 0xffff_ffff_ffff }

  /// Whether the address is one of 01:80:c2:00:00:00 to 0f, which bridges do not forward
  /// (IEEE 802.1Q, 8.6.3).
  @inlinable
  public var isReservedBridgeGroup: Bool { rawValue & 0xffff_ffff_fff0 == 0x0180_c200_0000 }

  @inlinable
  public static func < (a: MACAddress, b: MACAddress) -> Bool { a.rawValue < b.rawValue }
}

extension MACAddress: LosslessStringConvertible {
  /// `aa:bb:cc:dd:ee:ff`, in lower case.
  public var description: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Six octets of two hexadecimal digits each, all separated by `:` or all by `-`. Nil for anything else.
  public init?(_ text: some StringProtocol) {
    var value: UInt64 = 0
    var position = 0
    var separator: UInt8 = 0
    for byte in text.utf8 {
      guard position < 17 else { return nil }
      if position % 3 == 2 {
        guard byte == UInt8(ascii: ":") || byte == UInt8(ascii: "-") else { return nil }
        guard separator == 0 || byte == separator else { return nil }
        separator = byte
      } else {
        guard let digit = hexadecimalValue(byte) else { return nil }
        value = value << 4 | UInt64(digit)
      }
      position += 1
    }
    guard position == 17 else { return nil }
    self.init(rawValue: value)
  }

  /// Appends the description as ASCII.
  public func append(to text: inout [UInt8]) {
    for shift in stride(from: 40, through: 0, by: -8) {
      if shift != 40 { text.append(UInt8(ascii: ":")) }
      appendHexadecimal(UInt8(truncatingIfNeeded: rawValue >> UInt64(shift)), to: &text)
    }
  }
}

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

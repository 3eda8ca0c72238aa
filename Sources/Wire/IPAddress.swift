/// An IPv4 or IPv6 address as a plain value. An IPv4 address lies in the low 32 bits of `low`.
public struct IPAddress: Hashable, Comparable, Sendable, BitwiseCopyable {
  public enum Family: UInt8, Sendable, BitwiseCopyable { case none = 0, v4 = 4, v6 = 6 }

  /// The upper and lower 64 bits, most significant octet first on the wire.
  public var high: UInt64
  public var low: UInt64
  public var family: Family

  @inlinable
  public init(v4: UInt32) {
    high = 0
    low = UInt64(v4)
    family = .v4
  }

  @inlinable
  public init(v6High high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
    family = .v6
  }

  @inlinable
  public init() {
    high = 0
    low = 0
    family = .none
  }

  /// No address.
  public static let none = IPAddress()

  @inlinable
  public static func < (a: IPAddress, b: IPAddress) -> Bool {
    (a.family.rawValue, a.high, a.low) < (b.family.rawValue, b.high, b.low)
  }
}

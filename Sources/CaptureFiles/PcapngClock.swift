/// How the time stamps of one pcapng interface become nanoseconds (`if_tsresol`, `if_tsoffset`).
struct PcapngClock: Sendable {
  private enum Unit: Sendable {
    /// Nanoseconds per tick.
    case multiple(UInt64)
    /// Ticks per nanosecond.
    case fraction(UInt64)
    /// 2^n ticks per second.
    case power(UInt64)
  }
  private var unit = Unit.multiple(1000)
  private var offset: Int64 = 0

  /// - Parameter value: `if_tsresol`: the exponent, of 2 where the highest bit is set, else of 10.
  mutating func setResolution(_ value: UInt8) {
    let exponent = Int(value & 0x7f)
    if value & 0x80 != 0 {
      unit = .power(UInt64(exponent))
    } else if exponent <= 9 {
      unit = .multiple(Self.powerOfTen(9 - exponent) ?? 1)
    } else {
      // Where the divisor is beyond 64 bits, every 64-bit count of ticks is below one nanosecond.
      unit = Self.powerOfTen(exponent - 9).map(Unit.fraction) ?? .multiple(0)
    }
  }

  /// - Parameter seconds: `if_tsoffset`, added to each time.
  mutating func setOffset(seconds: Int64) { offset = seconds }

  private static func powerOfTen(_ exponent: Int) -> UInt64? {
    guard exponent < 20 else { return nil }
    return (0..<exponent).reduce(UInt64(1)) { power, _ in power &* 10 }
  }

  /// Nanoseconds since 1970; nil where 64 bits do not hold them.
  @inline(__always)
  func nanoseconds(_ ticks: UInt64) -> Int64? {
    if case .multiple(let factor) = unit, offset == 0 {
      let (product, overflow) = ticks.multipliedReportingOverflow(by: factor)
      return overflow ? nil : Int64(exactly: product)
    }
    return wide(ticks)
  }

  /// The nearest time to one that 64 bits do not hold.
  var nearest: Int64 { offset < 0 ? .min : .max }

  private func wide(_ ticks: UInt64) -> Int64? {
    let span: Int128 =
      switch unit {
      case .multiple(let factor): Int128(ticks) * Int128(factor)
      case .fraction(let divisor): Int128(ticks / divisor)
      case .power(let exponent): (Int128(ticks) * 1_000_000_000) >> Int128(exponent)
      }
    return Int64(exactly: span + Int128(offset) * 1_000_000_000)
  }
}

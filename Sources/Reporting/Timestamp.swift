/// A moment in UTC, taken apart for printing.
struct Timestamp {
  var year: Int64
  var month: Int64
  var day: Int64
  var hour: UInt64
  var minute: UInt64
  var second: UInt64
  var nanosecond: UInt64

  /// From nanoseconds since 1970-01-01. Proleptic Gregorian calendar, no leap seconds.
  init(nanoseconds: Int64) {
    let perDay: Int64 = 86_400_000_000_000
    var days = nanoseconds / perDay
    var rest = nanoseconds % perDay
    if rest < 0 {
      rest += perDay
      days -= 1
    }
    nanosecond = UInt64(rest % 1_000_000_000)
    let seconds = UInt64(rest / 1_000_000_000)
    hour = seconds / 3600
    minute = seconds / 60 % 60
    second = seconds % 60
    // Days since 0000-03-01, so that the leap day ends its year (H. Hinnant, "chrono-compatible
    // low-level date algorithms"). An Int64 of nanoseconds spans 292 years either way: no overflow.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }
}

extension TextBuffer {
  /// `2026-01-31`
  mutating func append(date time: Timestamp) {
    append(decimal: UInt64(clamping: time.year), width: 4, fill: UInt8(ascii: "0"))
    append(byte: UInt8(ascii: "-"))
    append(decimal: UInt64(clamping: time.month), width: 2, fill: UInt8(ascii: "0"))
    append(byte: UInt8(ascii: "-"))
    append(decimal: UInt64(clamping: time.day), width: 2, fill: UInt8(ascii: "0"))
  }

  /// `12:23:41.220123456`, cut to so many digits of a second.
  mutating func append(clock time: Timestamp, fraction: Int = 9) {
    append(decimal: time.hour, width: 2, fill: UInt8(ascii: "0"))
    append(byte: UInt8(ascii: ":"))
    append(decimal: time.minute, width: 2, fill: UInt8(ascii: "0"))
    append(byte: UInt8(ascii: ":"))
    append(decimal: time.second, width: 2, fill: UInt8(ascii: "0"))
    guard fraction > 0 else { return }
    append(byte: UInt8(ascii: "."))
    var value = time.nanosecond
    for _ in 0..<(9 - min(9, fraction)) { value /= 10 }
    append(decimal: value, width: min(9, fraction), fill: UInt8(ascii: "0"))
  }

  /// ISO 8601 in UTC with nanoseconds: `2026-01-31T12:23:41.220123456Z`.
  mutating func append(iso8601 nanoseconds: Int64) {
    let time = Timestamp(nanoseconds: nanoseconds)
    append(date: time)
    append(byte: UInt8(ascii: "T"))
    append(clock: time)
    append(byte: UInt8(ascii: "Z"))
  }
}

/// `2026-01-31 12:23:41 UTC`.
public func timestamp(_ nanoseconds: Int64) -> String {
  let time = Timestamp(nanoseconds: nanoseconds)
  var text = TextBuffer()
  text.append(date: time)
  text.append(byte: UInt8(ascii: " "))
  text.append(clock: time, fraction: 0)
  text.append(" UTC")
  return text.string
}

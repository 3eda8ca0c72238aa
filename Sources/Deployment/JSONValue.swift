import Foundation

/// JSON as a plain value. Booleans are the numbers 0 and 1: Foundation does not keep them apart.
enum JSONValue {
  case null
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Octets that are not UTF-8 are read as U+FFFD. The error says why, and where Foundation knows it.
  static func parse(_ bytes: Data) throws(UnreadableText) -> JSONValue {
    let text = String(decoding: bytes, as: UTF8.self)
    do {
      return JSONValue(try JSONSerialization.jsonObject(with: Data(text.utf8)))
    } catch {
      let details = (error as NSError).userInfo["NSDebugDescription"] as? String
      throw UnreadableText(line: 0, reason: "no valid JSON: \(details ?? "cannot be parsed")")
    }
  }

  private init(_ value: Any) {
    switch value {
    case let text as String: self = .string(text)
    case let number as NSNumber: self = .number(number.doubleValue)
    case let items as [Any]: self = .array(items.map { JSONValue($0) })
    case let fields as [String: Any]: self = .object(fields.mapValues { JSONValue($0) })
    default: self = .null
    }
  }

  subscript(key: String) -> JSONValue? {
    guard case .object(let fields) = self else { return nil }
    return fields[key]
  }

  var array: [JSONValue]? {
    guard case .array(let items) = self else { return nil }
    return items
  }

  var object: [String: JSONValue]? {
    guard case .object(let fields) = self else { return nil }
    return fields
  }

  var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  var double: Double? {
    guard case .number(let value) = self else { return nil }
    return value
  }

  /// A whole number; also one written as a string, as OVSDB's maps hold them.
  var unsigned: UInt64? {
    switch self {
    case .number(let value): UInt64(exactly: value)
    case .string(let text): unsignedNumber(text)
    default: nil
    }
  }

  var bool: Bool? {
    switch self {
    case .number(let value): value == 0 ? false : value == 1 ? true : nil
    case .string("true"): true
    case .string("false"): false
    default: nil
    }
  }
}

/// Why a text could not be read, and at which line (from 1; 0 where that is not known).
struct UnreadableText: Error {
  var line: Int
  var reason: String
}

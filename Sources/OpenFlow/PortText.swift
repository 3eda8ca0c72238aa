import Wire

/// A port of a bridge, from `ovs-ofctl show` or `ovs-ofctl dump-ports-desc`.
public struct PortDescription: Hashable, Sendable {
  /// Reserved ports by their name: `LOCAL`.
  public var port: PortReference
  public var name: String
  public var mac: MACAddress
  public var isDown: Bool
}

/// The ports of one bridge, by number and by name.
public struct PortList: Sendable {
  public var ports: [PortDescription] = []
  public var errors: [FlowTextError] = []
  /// `dpid:` of the header, 16 hexadecimal digits.
  public var datapathID: String?

  public init() {}

  public init(text: String) { self.init(bytes: Array(text.utf8)) }

  /// Reads the output of `ovs-ofctl show`: ` 1(patch-int): addr:32:ac:1c:1b:be:e4` and what is indented
  /// below it.
  public init(bytes: [UInt8]) {
    var lines = LineReader(bytes)
    while let line = lines.next() {
      var cursor = TextCursor(bytes: bytes, start: FlowText.skipBlanks(bytes, line.start, line.end), end: line.end)
      if cursor.atEnd { continue }
      let start = cursor.position
      let word = cursor.word()
      if cursor.peek == UInt8(ascii: "("), let reference = PortList.reference(word) {
        do throws(FlowSyntaxError) {
          ports.append(try PortList.port(reference, &cursor))
        } catch {
          let shown = bytes[line.start..<min(line.end, line.start + 200)]
          errors.append(
            FlowTextError(
              line: line.number, column: error.offset - line.start + 1, reason: error.reason,
              text: String(decoding: shown, as: UTF8.self)))
        }
      } else if word == "config" || word == "state", !ports.isEmpty {
        if PortList.contains("DOWN", bytes, start, line.end) { ports[ports.count - 1].isDown = true }
      } else if word.hasPrefix("OFPT_FEATURES_REPLY") {
        datapathID = PortList.datapathID(bytes, start, line.end)
      }
    }
  }

  private static func reference(_ word: String) -> PortReference? {
    if word == "LOCAL" { return .local }
    return UInt32(word).map(PortReference.init(number:))
  }

  private static func port(
    _ reference: PortReference, _ cursor: inout TextCursor
  ) throws(FlowSyntaxError) -> PortDescription {
    try cursor.expect("(")
    let name: String
    if cursor.peek == UInt8(ascii: "\"") {
      name = try cursor.quoted()
    } else {
      let start = cursor.position
      while let byte = cursor.peek, byte != UInt8(ascii: ")") { cursor.position += 1 }
      name = cursor.string(start, cursor.position)
    }
    try cursor.expect(")")
    guard cursor.take(": addr:") else { throw cursor.failure("expected ': addr:'") }
    let mac = MACAddress(rawValue: UInt64(truncatingIfNeeded: try cursor.mac()))
    return PortDescription(port: reference, name: name, mac: mac, isDown: false)
  }

  private static func contains(_ text: String, _ bytes: [UInt8], _ start: Int, _ end: Int) -> Bool {
    var position = start
    while position < end {
      var cursor = TextCursor(bytes: bytes, start: position, end: end)
      if cursor.take(text) { return true }
      position += 1
    }
    return false
  }

  private static func datapathID(_ bytes: [UInt8], _ start: Int, _ end: Int) -> String? {
    var position = start
    while position < end {
      var cursor = TextCursor(bytes: bytes, start: position, end: end)
      if cursor.take("dpid:") { return cursor.word() }
      position += 1
    }
    return nil
  }
}

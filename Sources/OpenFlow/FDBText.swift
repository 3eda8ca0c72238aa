import Wire

/// One entry of the forwarding database that NORMAL switching fills.
public struct FDBEntry: Hashable, Sendable {
  public var port: PortReference
  public var vlan: UInt16
  public var mac: MACAddress
  /// Seconds since the MAC was last seen; nil for static entries, which do not age.
  public var age: UInt32?
}

/// The output of `ovs-appctl fdb/show BRIDGE`.
public struct FDBDump: Sendable {
  public var entries: [FDBEntry] = []
  public var errors: [FlowTextError] = []

  public init() {}

  public init(text: String) { self.init(bytes: Array(text.utf8)) }

  /// Reads the table under the heading ` port  VLAN  MAC                Age`.
  public init(bytes: [UInt8]) {
    var lines = LineReader(bytes)
    while let line = lines.next() {
      var cursor = TextCursor(bytes: bytes, start: FlowText.skipBlanks(bytes, line.start, line.end), end: line.end)
      if cursor.atEnd || cursor.take("port ") { continue }
      do throws(FlowSyntaxError) {
        entries.append(try FDBDump.entry(&cursor))
      } catch {
        let shown = bytes[line.start..<min(line.end, line.start + 200)]
        errors.append(
          FlowTextError(
            line: line.number, column: error.offset - line.start + 1, reason: error.reason,
            text: String(decoding: shown, as: UTF8.self)))
      }
    }
  }

  private static func entry(_ cursor: inout TextCursor) throws(FlowSyntaxError) -> FDBEntry {
    let port = try cursor.port()
    cursor.skipBlanks()
    let vlan = UInt16(truncatingIfNeeded: try cursor.number(upTo: 4095))
    cursor.skipBlanks()
    let mac = MACAddress(rawValue: UInt64(truncatingIfNeeded: try cursor.mac()))
    cursor.skipBlanks()
    var age: UInt32?
    if !cursor.take("static"), !cursor.take("?") { age = try cursor.uint32() }
    cursor.skipBlanks()
    if !cursor.atEnd { throw cursor.failure("unexpected text after the age") }
    return FDBEntry(port: port, vlan: vlan, mac: mac, age: age)
  }
}

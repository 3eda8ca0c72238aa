/// A line, or what should be one, that cannot be read.
public struct FlowTextError: Error, Hashable, Sendable {
  /// From 1.
  public var line: Int
  /// Byte in the line, from 1.
  public var column: Int
  public var reason: String
  /// The line's beginning, at most 200 bytes.
  public var text: String
}

/// The flows of one bridge, from the output of `ovs-ofctl dump-flows` in any dialect (or
/// `ovs-appctl bridge/dump-flows`, or a file for `ovs-ofctl add-flows`).
public struct FlowDump: Sendable {
  /// Which version of OpenFlow spelled the text.
  public enum Dialect: Hashable, Sendable {
    case openFlow10
    /// 1.1 and later, with the minor version where the header names it.
    case later(minor: UInt8?)
    /// Nothing in the text tells the versions apart.
    case unknown

    /// Whether `mod_vlan_vid` may stand for a push: OpenFlow 1.0 leaves `push_vlan` out.
    public var isLossy: Bool { self == .openFlow10 || self == .unknown }
  }

  public var flows: [Flow] = []
  public var errors: [FlowTextError] = []
  public var dialect = Dialect.unknown

  public init() {}

  public init(text: String) { self.init(bytes: Array(text.utf8)) }

  /// Reads a dump. Lines that cannot be read are in `errors`; all others are in `flows`, in their order.
  public init(bytes: [UInt8]) {
    var lines = LineReader(bytes)
    var evidence = DialectEvidence()
    while let line = lines.next() {
      let start = FlowText.skipBlanks(bytes, line.start, line.end)
      if start == line.end || bytes[start] == UInt8(ascii: "#") { continue }
      if let version = FlowText.header(bytes, start, line.end) {
        if dialect == .unknown { dialect = version }
        continue
      }
      var parser = FlowLineParser(bytes: bytes, start: start, end: line.end)
      do throws(FlowSyntaxError) {
        var flow = try parser.parse()
        flow.line = line.number
        evidence.note(flow)
        flows.append(flow)
      } catch {
        let shown = bytes[line.start..<min(line.end, line.start + 200)]
        errors.append(
          FlowTextError(
            line: line.number, column: error.offset - line.start + 1, reason: error.reason,
            text: String(decoding: shown, as: UTF8.self)))
      }
    }
    if dialect == .unknown { dialect = evidence.dialect }
  }
}

/// What tells the versions of OpenFlow apart in a dump without a header.
private struct DialectEvidence {
  var later = false
  var old = false

  mutating func note(_ flow: Flow) {
    for action in flow.actions {
      switch action {
      case .pushVLAN, .gotoTable, .writeActions, .clearActions, .meter: later = true
      case .modVLANVID, .modVLANPCP: old = true
      default: break
      }
    }
  }

  var dialect: FlowDump.Dialect {
    if old { return .openFlow10 }
    return later ? .later(minor: nil) : .unknown
  }
}

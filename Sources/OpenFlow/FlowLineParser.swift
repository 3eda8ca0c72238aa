/// What can be told from a line without reading it as a flow.
enum FlowText {
  static func skipBlanks(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
    var position = start
    while position < end, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") {
      position += 1
    }
    return position
  }

  /// The version that a header names: `NXST_FLOW reply (xid=0x4):`, `OFPST_FLOW reply (OF1.3) (xid=0x2):`.
  static func header(_ bytes: [UInt8], _ start: Int, _ end: Int) -> FlowDump.Dialect? {
    var cursor = TextCursor(bytes: bytes, start: start, end: end)
    let kind = cursor.word()
    guard kind.hasSuffix("ST_FLOW"), cursor.take(" reply") else { return nil }
    if cursor.take(" (OF1."), let minor = try? cursor.uint8() {
      return minor == 0 ? .openFlow10 : .later(minor: minor)
    }
    return .openFlow10
  }
}

/// Reads one line of a dump: statistics, match and actions.
struct FlowLineParser {
  var cursor: TextCursor
  private var flow = Flow()
  /// Where the match's text lies, and whether statistics stand inside it.
  private var matchStart: Int?
  private var matchEnd = 0
  private var isMixed = false
  private var matchItems: [(start: Int, end: Int)] = []

  init(bytes: [UInt8], start: Int, end: Int) {
    cursor = TextCursor(bytes: bytes, start: start, end: end)
  }

  mutating func parse() throws(FlowSyntaxError) -> Flow {
    while true {
      skipSeparators()
      if cursor.atEnd { throw cursor.failure("there is no 'actions='") }
      if cursor.take("actions=") || cursor.take("action=") { break }
      try item()
    }
    let actionsStart = cursor.position
    var parser = ActionParser(cursor: cursor)
    flow.actions = try parser.list()
    cursor = parser.cursor
    cursor.skipBlanks()
    if !cursor.atEnd { throw cursor.failure("unexpected text after the actions") }
    flow.match.settleAliases()
    flow.text = text(actionsStart)
    return flow
  }

  private mutating func skipSeparators() {
    while let byte = cursor.peek, byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
      cursor.position += 1
    }
  }

  private func text(_ actionsStart: Int) -> String {
    let actions = "actions=" + cursor.string(actionsStart, cursor.end)
    guard let matchStart else { return actions }
    if !isMixed { return cursor.string(matchStart, matchEnd) + " " + actions }
    return matchItems.map { cursor.string($0.start, $0.end) }.joined(separator: ",") + " " + actions
  }

  private mutating func item() throws(FlowSyntaxError) {
    let start = cursor.position
    let name = cursor.word()
    if name.isEmpty { throw cursor.failure("unexpected character") }
    let isStatistic: Bool
    if cursor.take("=") {
      isStatistic = try statistic(name)
      if !isStatistic { try condition(name, start) }
    } else {
      isStatistic = FlowLineParser.flagWords.contains(name)
      if isStatistic { flow.flags.append(name) } else { try keyword(name, start) }
    }
    if let next = cursor.peek, next != UInt8(ascii: ","), next != UInt8(ascii: " ") {
      throw cursor.failure("unexpected text after '\(name)'")
    }
    if isStatistic {
      if matchStart != nil { isMixed = true }
    } else {
      if matchStart == nil { matchStart = start }
      matchEnd = cursor.position
      matchItems.append((start, cursor.position))
    }
  }

  /// Words of `ofputil_flow_mod_flags_format`, and the mark of flows that Open vSwitch keeps for itself.
  private static let flagWords: Set<String> = [
    "send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts", "hidden",
  ]

  /// Reads the value of what belongs to the flow and not to its match.
  /// - Returns: false where `name` is no such thing.
  private mutating func statistic(_ name: String) throws(FlowSyntaxError) -> Bool {
    switch name {
    case "cookie":
      flow.cookie = try cursor.uint64()
      // A mask stands only in requests.
      if cursor.take("/") { _ = try cursor.number() }
    case "duration": flow.durationNanoseconds = try duration()
    case "table", "table_id": flow.table = try cursor.uint8()
    case "n_packets": flow.packets = try cursor.uint64()
    case "n_bytes": flow.bytes = try cursor.uint64()
    case "idle_timeout": flow.idleTimeout = try cursor.uint16()
    case "hard_timeout": flow.hardTimeout = try cursor.uint16()
    case "importance": flow.importance = try cursor.uint16()
    case "idle_age": flow.idleAge = try cursor.uint32()
    case "hard_age": flow.hardAge = try cursor.uint32()
    default: return false
    }
    return true
  }

  /// `12.345s`.
  private mutating func duration() throws(FlowSyntaxError) -> UInt64 {
    let start = cursor.position
    var seconds: UInt64 = 0
    var nanoseconds: UInt64 = 0
    var scale: UInt64 = 100_000_000
    var digits = 0
    while let byte = cursor.peek, TextCursor.isDigit(byte) {
      seconds = seconds &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
      digits += 1
      cursor.position += 1
    }
    if cursor.take(".") {
      while let byte = cursor.peek, TextCursor.isDigit(byte) {
        nanoseconds += scale * UInt64(byte - UInt8(ascii: "0"))
        scale /= 10
        cursor.position += 1
      }
    }
    // Ten digits are three hundred years.
    if digits == 0 || digits > 10 || !cursor.take("s") { throw cursor.failure("expected seconds", at: start) }
    return seconds * 1_000_000_000 + nanoseconds
  }

  private mutating func keyword(_ name: String, _ start: Int) throws(FlowSyntaxError) {
    if let known = FieldNames.protocols[name] {
      try add(.etherType, UInt128(known.etherType), 0xffff, start)
      if let number = known.ipProtocol { try add(.ipProtocol, UInt128(number), 0xff, start) }
    } else if name != "eth" {
      // `eth` says that packets are Ethernet, which all are here.
      try cursor.skipItem()
      flow.match.unknown.append(cursor.string(start, cursor.position))
    }
  }

  private mutating func condition(_ name: String, _ start: Int) throws(FlowSyntaxError) {
    if name == "priority" {
      flow.priority = try cursor.uint16()
      return
    }
    guard let spelling = FieldNames.table[name] else {
      try cursor.skipItem()
      flow.match.unknown.append(cursor.string(start, cursor.position))
      return
    }
    switch spelling.format {
    case .port:
      if cursor.take("ANY") { return }
      let port = try cursor.port()
      if let old = flow.match.inPort, old != port {
        throw cursor.failure("contradicts an earlier condition", at: start)
      }
      flow.match.inPort = port
    case .vlanVID, .vlanPCP:
      try vlanCondition(name, spelling, start)
    default:
      let whole = spelling.shift == 0 ? spelling.bits : spelling.bits >> UInt128(spelling.shift)
      let (value, mask) = try cursor.maskedValue(spelling.format, whole: whole)
      try add(spelling.field, value << UInt128(spelling.shift), mask << UInt128(spelling.shift), start)
    }
  }

  /// All of these speak of the TCI, in which bit 12 says whether there is a tag (ovs-fields(7), "VLAN
  /// Fields"; lib/match.c).
  private mutating func vlanCondition(
    _ name: String, _ spelling: FieldSpelling, _ start: Int
  ) throws(FlowSyntaxError) {
    let field = spelling.field == .innerVLANTCI ? Field.innerVLANTCI : .vlanTCI
    if spelling.format == .vlanPCP {
      let value = try cursor.number(upTo: 7)
      try add(field, value << 13 | 0x1000, 0xf000, start)
    } else if name == "vlan_vid" {
      let (value, mask) = try cursor.maskedValue(.integer, whole: 0x1fff)
      try add(field, value, mask, start)
    } else {
      let valueStart = cursor.position
      let value = try cursor.number(upTo: 0xffff)
      if value == 0xffff {
        // OpenFlow 1.0's way to say "no tag".
        try add(field, 0, 0xffff, start)
      } else if value > 0x0fff {
        throw cursor.failure("a VLAN is at most 4095", at: valueStart)
      } else {
        try add(field, value | 0x1000, 0x1fff, start)
      }
    }
  }

  private mutating func add(
    _ field: Field, _ value: UInt128, _ mask: UInt128, _ start: Int
  ) throws(FlowSyntaxError) {
    if !flow.match.add(field, value: value, mask: mask) {
      throw cursor.failure("contradicts an earlier condition", at: start)
    }
  }
}

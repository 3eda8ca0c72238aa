/// Reads a list of actions (ovs-actions(7), lib/ofp-actions.c).
struct ActionParser {
  var cursor: TextCursor
  private var depth = 0

  /// Nesting beyond this is no flow that Open vSwitch would take.
  static let deepest = 32

  init(cursor: TextCursor) { self.cursor = cursor }

  /// Actions up to the end of the text, or to the parenthesis that closes the list.
  mutating func list() throws(FlowSyntaxError) -> [Action] {
    var actions: [Action] = []
    depth += 1
    defer { depth -= 1 }
    if depth > ActionParser.deepest { throw cursor.failure("actions are nested too deeply") }
    while true {
      while let byte = cursor.peek, byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") { cursor.position += 1 }
      if cursor.atEnd { break }
      if cursor.peek == UInt8(ascii: ")") {
        if depth == 1 { throw cursor.failure("a parenthesis closes nothing") }
        break
      }
      let start = cursor.position
      if cursor.take("apply_actions(") {
        // What is applied at once is applied as if it stood here.
        actions += try list()
        try cursor.expect(")")
      } else if let action = try action() {
        actions.append(action)
      }
      if let next = cursor.peek, next != UInt8(ascii: ","), next != UInt8(ascii: " "), next != UInt8(ascii: ")") {
        throw cursor.failure("unexpected text after '\(cursor.string(start, min(cursor.position, start + 40)))'")
      }
    }
    return actions
  }

  private mutating func action() throws(FlowSyntaxError) -> Action? {
    let start = cursor.position
    if cursor.peek == UInt8(ascii: "\"") { return .output(try cursor.port()) }
    let name = cursor.word()
    switch cursor.peek {
    case UInt8(ascii: ":"):
      cursor.position += 1
      return try withValue(name, start)
    case UInt8(ascii: "("):
      cursor.position += 1
      return try withArguments(name, start)
    case UInt8(ascii: "="):
      return try unknown(start)
    default:
      if name.isEmpty { throw cursor.failure("unexpected character") }
      return try plain(name, start)
    }
  }

  /// An action taken as text.
  private mutating func unknown(_ start: Int) throws(FlowSyntaxError) -> Action {
    cursor.position = start
    try cursor.skipItem()
    return .unknown(cursor.string(start, cursor.position))
  }

  private mutating func inert(_ start: Int) throws(FlowSyntaxError) -> Action {
    cursor.position = start
    try cursor.skipItem()
    return .inert(cursor.string(start, cursor.position))
  }

  private mutating func plain(_ name: String, _ start: Int) throws(FlowSyntaxError) -> Action? {
    switch name {
    case "drop": return nil
    case "strip_vlan", "pop_vlan": return .popVLAN
    case "dec_ttl": return .decrementTTL
    case "clear_actions": return .clearActions
    case "ct_clear": return .conntrackClear
    case "exit": return .exit
    case "pop_queue": return .inert(name)
    case "ct":
      return .conntrack(Conntrack())
    default:
      if TextCursor.isDigit(name.utf8.first) {
        cursor.position = start
        return .output(try cursor.port())
      }
      if let port = PortReference.reserved[name.lowercased()] {
        return port == .controller ? .controller(name) : .output(port)
      }
      return try unknown(start)
    }
  }

  private mutating func withValue(_ name: String, _ start: Int) throws(FlowSyntaxError) -> Action {
    switch name {
    case "output": return try output()
    case "resubmit": return .resubmit(port: try cursor.port(), table: nil, connectionTracking: false)
    case "goto_table": return .gotoTable(try cursor.uint8())
    case "load": return try load(start)
    case "set_field": return try setField(start)
    case "move": return try move(start)
    case "mod_vlan_vid", "set_vlan_vid":
      let vid = UInt16(truncatingIfNeeded: try cursor.number(upTo: 0x0fff))
      return name == "mod_vlan_vid" ? .modVLANVID(vid) : .set(.vlanVID, value: UInt128(vid), mask: 0xfff)
    case "mod_vlan_pcp", "set_vlan_pcp":
      let pcp = UInt8(truncatingIfNeeded: try cursor.number(upTo: 7))
      return name == "mod_vlan_pcp" ? .modVLANPCP(pcp) : .set(.vlanPCP, value: UInt128(pcp), mask: 7)
    case "push_vlan": return .pushVLAN(tpid: try cursor.uint16())
    case "set_tunnel", "set_tunnel64":
      return .set(.tunnelID, value: try cursor.number(upTo: 0xffff_ffff_ffff_ffff), mask: Field.tunnelID.allBits)
    case "write_metadata":
      let (value, mask) = try cursor.maskedValue(.integer, whole: Field.metadata.allBits)
      return .set(.metadata, value: value & mask, mask: mask)
    case "mod_dl_src": return .set(.ethernetSource, value: try cursor.mac(), mask: Field.ethernetSource.allBits)
    case "mod_dl_dst":
      return .set(.ethernetDestination, value: try cursor.mac(), mask: Field.ethernetDestination.allBits)
    case "mod_nw_src": return .set(.ipv4Source, value: try cursor.ipv4(), mask: Field.ipv4Source.allBits)
    case "mod_nw_dst": return .set(.ipv4Destination, value: try cursor.ipv4(), mask: Field.ipv4Destination.allBits)
    case "mod_nw_tos": return .set(.ipTOS, value: try cursor.number(upTo: 0xff) & 0xfc, mask: 0xfc)
    case "mod_nw_ecn": return .set(.ipTOS, value: try cursor.number(upTo: 3), mask: 0x03)
    case "mod_nw_ttl": return .set(.ipTTL, value: try cursor.number(upTo: 0xff), mask: 0xff)
    case "mod_tp_src": return .set(.transportSource, value: try cursor.number(upTo: 0xffff), mask: 0xffff)
    case "mod_tp_dst": return .set(.transportDestination, value: try cursor.number(upTo: 0xffff), mask: 0xffff)
    case "group": return .group(try cursor.uint32())
    case "meter": return .meter(try cursor.uint32())
    case "enqueue":
      let port = try cursor.port()
      if !cursor.take(":"), !cursor.take("q") { throw cursor.failure("expected a queue") }
      return .enqueue(port, queue: try cursor.uint32())
    case "push", "pop":
      guard let field = try cursor.subfield() else { return try unknown(start) }
      return name == "push" ? .push(field) : .pop(field)
    case "note", "set_queue": return try inert(start)
    case "CONTROLLER", "controller":
      try cursor.skipItem()
      return .controller(cursor.string(start, cursor.position))
    default: return try unknown(start)
    }
  }

  private mutating func withArguments(_ name: String, _ start: Int) throws(FlowSyntaxError) -> Action {
    switch name {
    case "resubmit": return try resubmit()
    case "learn":
      let learn = try LearnParser.parse(&cursor)
      return .learn(learn)
    case "ct": return .conntrack(try conntrack())
    case "clone", "write_actions":
      let actions = try list()
      try cursor.expect(")")
      return name == "write_actions" ? .writeActions(actions) : .clone(actions)
    case "conjunction":
      let id = try cursor.uint32()
      try cursor.expect(",")
      let clause = try cursor.uint8()
      try cursor.expect("/")
      let count = try cursor.uint8()
      try cursor.expect(")")
      return .conjunction(id: id, clause: clause, of: count)
    case "check_pkt_larger":
      let length = try cursor.uint32()
      try cursor.expect(")")
      guard cursor.take("->"), let field = try cursor.subfield() else { return try unknown(start) }
      return .checkPacketLarger(length, field)
    case "output": return try outputTruncated(start)
    case "enqueue":
      let port = try cursor.port()
      try cursor.expect(",")
      let queue = try cursor.uint32()
      try cursor.expect(")")
      return .enqueue(port, queue: queue)
    case "dec_ttl":
      cursor.position -= 1
      try cursor.skipItem()
      return .decrementTTL
    case "controller", "CONTROLLER":
      cursor.position = start
      try cursor.skipItem()
      return .controller(cursor.string(start, cursor.position))
    case "fin_timeout": return try finTimeout(start)
    case "sample": return try inert(start)
    default: return try unknown(start)
    }
  }

  private mutating func finTimeout(_ start: Int) throws(FlowSyntaxError) -> Action {
    var (idle, hard): (UInt16, UInt16) = (0, 0)
    while !cursor.take(")") {
      if cursor.take(",") { continue }
      if cursor.take("idle_timeout=") {
        idle = try cursor.uint16()
      } else if cursor.take("hard_timeout=") {
        hard = try cursor.uint16()
      } else {
        return try unknown(start)
      }
    }
    return .finTimeout(idle: idle, hard: hard)
  }

  private mutating func output() throws(FlowSyntaxError) -> Action {
    if cursor.peek != UInt8(ascii: "\"") {
      let start = cursor.position
      if let field = try cursor.subfield() { return .outputField(field) }
      cursor.position = start
    }
    let port = try cursor.port()
    // Old versions write `output:CONTROLLER:65535`.
    if cursor.take(":") { _ = try cursor.number() }
    return port == .controller ? .controller("CONTROLLER") : .output(port)
  }

  private mutating func outputTruncated(_ start: Int) throws(FlowSyntaxError) -> Action {
    guard cursor.take("port=") else { return try unknown(start) }
    let port = try cursor.port()
    guard cursor.take(",max_len=") else { return try unknown(start) }
    let length = try cursor.uint32()
    try cursor.expect(")")
    return .outputTruncated(port, maxLength: length)
  }

  /// `resubmit([port],[table][,ct])`.
  private mutating func resubmit() throws(FlowSyntaxError) -> Action {
    var port: PortReference?
    var table: UInt8?
    var tracking = false
    if let next = cursor.peek, next != UInt8(ascii: ","), next != UInt8(ascii: ")") { port = try cursor.port() }
    if cursor.take(",") {
      if TextCursor.isDigit(cursor.peek) { table = try cursor.uint8() }
      if cursor.take(",") {
        guard cursor.take("ct") else { throw cursor.failure("expected 'ct'") }
        tracking = true
      }
    }
    try cursor.expect(")")
    if port == .inPort { port = nil }
    if table == 255 { table = nil }
    return .resubmit(port: port, table: table, connectionTracking: tracking)
  }

  /// `load:VALUE->FIELD[a..b]`.
  private mutating func load(_ start: Int) throws(FlowSyntaxError) -> Action {
    guard TextCursor.isDigit(cursor.peek) else { return try unknown(start) }
    let valueStart = cursor.position
    let value = try cursor.number()
    guard cursor.take("->"), let target = try cursor.subfield() else { return try unknown(start) }
    if value & ~bitMask(width: target.width) != 0 {
      throw cursor.failure("the value does not fit the field", at: valueStart)
    }
    return .set(target.field, value: value << UInt128(target.offset), mask: target.mask)
  }

  /// `set_field:VALUE[/MASK]->FIELD`. What the value means depends on the field, which comes last.
  private mutating func setField(_ start: Int) throws(FlowSyntaxError) -> Action {
    let valueStart = cursor.position
    while let byte = cursor.peek, byte != UInt8(ascii: ","), byte != UInt8(ascii: "-") || !arrowFollows {
      if byte == UInt8(ascii: "\"") {
        _ = try cursor.quoted()
      } else if byte == UInt8(ascii: ")") || byte == UInt8(ascii: " ") {
        break
      } else {
        cursor.position += 1
      }
    }
    var value = TextCursor(bytes: cursor.bytes, start: valueStart, end: cursor.position)
    guard cursor.take("->") else { throw cursor.failure("expected '->' and a field") }
    let nameStart = cursor.position
    let name = cursor.word()
    guard let spelling = FieldNames.table[name] else { return try unknown(start) }
    let action: Action
    switch spelling.format {
    case .port:
      action = .setInPort(try value.port())
    case .vlanVID:
      if spelling.field != .vlanVID { return try unknown(start) }
      // The value has the "present" bit of OpenFlow 1.2; writing it changes nothing, as only tagged
      // frames are written.
      let (vid, mask) = try value.maskedValue(.integer, whole: 0x1fff)
      action = .set(.vlanVID, value: vid & mask & 0x0fff, mask: mask & 0x0fff)
    case .vlanPCP:
      if spelling.field != .vlanPCP { return try unknown(start) }
      let (pcp, mask) = try value.maskedValue(.integer, whole: 7)
      action = .set(.vlanPCP, value: pcp & mask, mask: mask)
    default:
      let shift = UInt128(spelling.shift)
      let (bits, mask) = try value.maskedValue(spelling.format, whole: spelling.bits >> shift)
      action = .set(spelling.field, value: (bits & mask) << shift, mask: mask << shift)
    }
    if !value.atEnd {
      throw value.failure("unexpected text in the value of '\(cursor.string(nameStart, cursor.position))'")
    }
    // Older versions accept and print brackets.
    _ = cursor.take("[]")
    return action
  }

  private var arrowFollows: Bool {
    cursor.position + 1 < cursor.end && cursor.bytes[cursor.position + 1] == UInt8(ascii: ">")
  }

  private mutating func move(_ start: Int) throws(FlowSyntaxError) -> Action {
    let fieldStart = cursor.position
    guard let source = try cursor.subfield(), cursor.take("->"), let target = try cursor.subfield() else {
      return try unknown(start)
    }
    if source.width != target.width { throw cursor.failure("source and target differ in width", at: fieldStart) }
    return .move(from: source, to: target)
  }

  private mutating func conntrack() throws(FlowSyntaxError) -> Conntrack {
    var result = Conntrack()
    while !cursor.take(")") {
      if cursor.take(",") { continue }
      if cursor.atEnd { throw cursor.failure("a parenthesis is not closed") }
      let start = cursor.position
      let name = cursor.word()
      switch name {
      case "commit": result.commit = true
      case "force": result.force = true
      case "table":
        try cursor.expect("=")
        result.table = try cursor.uint8()
      case "zone":
        try cursor.expect("=")
        if TextCursor.isDigit(cursor.peek) {
          result.zone = .number(try cursor.uint16())
        } else if let field = try cursor.subfield() {
          result.zone = .field(field)
        } else {
          throw cursor.failure("expected a zone")
        }
      case "alg":
        try cursor.expect("=")
        result.alg = cursor.word()
      case "exec":
        try cursor.expect("(")
        result.exec += try list()
        try cursor.expect(")")
      case "nat":
        try cursor.skipItem()
        result.nat = cursor.string(start, cursor.position)
      default:
        try cursor.skipItem()
        if cursor.position == start { throw cursor.failure("unexpected character") }
        result.unknown.append(cursor.string(start, cursor.position))
      }
      if let next = cursor.peek, next != UInt8(ascii: ","), next != UInt8(ascii: ")") {
        throw cursor.failure("unexpected text in ct(…)")
      }
    }
    return result
  }
}

/// Reads the arguments of `learn(…)` (lib/learn.c).
enum LearnParser {
  /// Reads from behind the opening parenthesis to behind the closing one.
  static func parse(_ cursor: inout TextCursor) throws(FlowSyntaxError) -> Learn {
    var learn = Learn()
    while !cursor.take(")") {
      if cursor.take(",") || cursor.take(" ") { continue }
      if cursor.atEnd { throw cursor.failure("a parenthesis is not closed") }
      try argument(&learn, &cursor)
      if let next = cursor.peek, next != UInt8(ascii: ","), next != UInt8(ascii: ")"), next != UInt8(ascii: " ") {
        throw cursor.failure("unexpected text in learn(…)")
      }
    }
    return learn
  }

  private static func argument(_ learn: inout Learn, _ cursor: inout TextCursor) throws(FlowSyntaxError) {
    let start = cursor.position
    let name = cursor.word()
    if cursor.take("=") {
      switch name {
      case "table": learn.table = try cursor.uint8()
      case "idle_timeout": learn.idleTimeout = try cursor.uint16()
      case "hard_timeout": learn.hardTimeout = try cursor.uint16()
      case "fin_idle_timeout": learn.finIdleTimeout = try cursor.uint16()
      case "fin_hard_timeout": learn.finHardTimeout = try cursor.uint16()
      case "priority": learn.priority = try cursor.uint16()
      case "cookie": learn.cookie = try cursor.uint64()
      case "limit": learn.limit = try cursor.uint32()
      case "result_dst":
        guard let field = try cursor.subfield() else { throw cursor.failure("expected a field") }
        learn.resultDestination = field
      default:
        cursor.position = start
        try match(&learn, &cursor)
      }
      return
    }
    switch name {
    case "send_flow_rem": learn.sendFlowRemoved = true
    case "delete_learned": learn.deleteLearned = true
    case "load" where cursor.take(":"):
      try load(&learn, &cursor, start)
    case "output" where cursor.take(":"):
      guard let source = try cursor.subfield() else { return try unknown(&learn, &cursor, start) }
      learn.specs.append(.output(source))
    default:
      cursor.position = start
      try match(&learn, &cursor)
    }
  }

  private static func unknown(
    _ learn: inout Learn, _ cursor: inout TextCursor, _ start: Int
  ) throws(FlowSyntaxError) {
    cursor.position = start
    try cursor.skipItem()
    if cursor.position == start { throw cursor.failure("unexpected character") }
    learn.unknown.append(cursor.string(start, cursor.position))
  }

  private static func load(
    _ learn: inout Learn, _ cursor: inout TextCursor, _ start: Int
  ) throws(FlowSyntaxError) {
    if TextCursor.isDigit(cursor.peek) {
      let value = try cursor.number()
      guard cursor.take("->"), let target = try cursor.subfield() else {
        return try unknown(&learn, &cursor, start)
      }
      if value & ~bitMask(width: target.width) != 0 {
        throw cursor.failure("the value does not fit the field", at: start)
      }
      learn.specs.append(.loadValue(value, into: target))
    } else {
      guard let source = try cursor.subfield(), cursor.take("->"), let target = try cursor.subfield() else {
        return try unknown(&learn, &cursor, start)
      }
      if source.width != target.width { throw cursor.failure("source and target differ in width", at: start) }
      learn.specs.append(.loadField(source, into: target))
    }
  }

  /// `FIELD[a..b]`, `DST=SRC` or `FIELD=VALUE`.
  private static func match(_ learn: inout Learn, _ cursor: inout TextCursor) throws(FlowSyntaxError) {
    let start = cursor.position
    let name = cursor.word()
    cursor.position = start
    guard let spelling = FieldNames.table[name], let target = try cursor.subfield() else {
      return try unknown(&learn, &cursor, start)
    }
    guard cursor.take("=") else {
      learn.specs.append(.matchField(target, source: target))
      return
    }
    let valueStart = cursor.position
    if let source = try cursor.subfield() {
      if source.width != target.width { throw cursor.failure("source and target differ in width", at: valueStart) }
      learn.specs.append(.matchField(target, source: source))
    } else if spelling.format == .port {
      learn.specs.append(.matchInPort(try cursor.port()))
    } else {
      // A part of a field is always written as a number; a whole one in the field's own form.
      let format = target.width == spelling.width ? spelling.format : .integer
      let numeric = format == .vlanVID || format == .vlanPCP ? .integer : format
      let whole = numeric == .integer ? bitMask(width: 128) : spelling.bits
      let (value, _) = try cursor.maskedValue(numeric, whole: whole)
      let shown = spelling.format == .vlanVID ? value & 0x0fff : value
      if shown & ~bitMask(width: target.width) != 0 {
        throw cursor.failure("the value does not fit the field", at: valueStart)
      }
      learn.specs.append(.matchValue(target, shown))
    }
  }
}

import Verification

/// The report for people. Its first line is the verdict; then the coverage table, the findings with their
/// evidence (causes first, each with what follows from it), and what could not be checked.
/// - Parameters:
///   - color: whether to write SGR colour sequences.
///   - width: columns of the terminal; 0 for no limit.
///   - verbose: everything, where the short form ends with "… and n more (--verbose)".
///   - unicode: false where the terminal shows only ASCII.
public func renderText(
  _ report: Report, color: Bool, width: Int, verbose: Bool, unicode: Bool = true
) -> String {
  var text = ReportText(
    report: report, style: TextStyle(color: color, width: width, unicode: unicode), verbose: verbose)
  text.writeAll()
  return text.output
}

/// Only the verdict's line, for `--quiet`.
public func renderVerdictLine(_ report: Report, color: Bool, unicode: Bool = true) -> String {
  var text = ReportText(
    report: report, style: TextStyle(color: color, width: 0, unicode: unicode), verbose: false)
  text.writeVerdict()
  return text.output
}

struct ReportText {
  let report: Report
  let style: TextStyle
  let verbose: Bool
  var output = ""

  mutating func line(_ text: String = "") {
    output += text
    output += "\n"
  }

  /// A labelled sentence, wrapped under itself: `  label  text`.
  mutating func labelled(_ label: String, _ text: String, indent: Int = 2, wrap: Bool = true) {
    let lead = String(repeating: " ", count: indent)
    let column = indent + displayWidth(label) + 2
    let lines =
      wrap ? wrapped(text, width: style.width, first: column, rest: column) : [text]
    for (index, part) in lines.enumerated() {
      line(
        index == 0
          ? lead + style.paint(label, .dim) + "  " + part : String(repeating: " ", count: column) + part)
    }
  }

  /// At most `limit` of the items, unless verbose, and how many more there are.
  mutating func limited<Item>(
    _ items: [Item], to limit: Int, indent: Int, noun: String, _ write: (inout ReportText, Item) -> Void
  ) {
    let shown = verbose || items.count <= limit + 1 ? items.count : limit
    for item in items.prefix(shown) { write(&self, item) }
    if shown < items.count {
      line(
        String(repeating: " ", count: indent)
          + style.paint("\(style.more) and \(items.count - shown) more \(noun) (--verbose)", .dim))
    }
  }

  mutating func writeAll() {
    writeVerdict()
    writeReasons()
    writeInputErrors()
    writeCoverage()
    writeFindings()
    writeUnjudged()
    writeCaptures()
    writeClocks()
    writeNotes()
  }

  mutating func writeVerdict() {
    let (word, color): (String, TextStyle.Color) =
      switch report.verdict {
      case .pass: ("PASS", .boldGreen)
      case .fail: ("FAIL", .boldRed)
      case .inconclusive: ("INCONCLUSIVE", .boldYellow)
      }
    let counts = report.findingCounts
    var found: [String] = []
    if counts.causes > 0 { found.append(counted(UInt64(counts.causes), "cause")) }
    if counts.consequences > 0 { found.append(counted(UInt64(counts.consequences), "consequence")) }
    if counts.remarks > 0 { found.append(counted(UInt64(counts.remarks), "remark")) }
    if counts.causes + counts.consequences == 0 { found.insert("no findings", at: 0) }
    if report.isStatic {
      let scope = "\(counted(UInt64(report.hosts.count), "host")), state only: no capture was read"
      line(style.paint(word, color) + "  " + style.own([found.joined(separator: ", "), scope].joined(separator: style.dot)))
      return
    }
    var scope = [
      counted(UInt64(report.hosts.count), "host"), counted(UInt64(report.captures.count), "capture"),
    ]
    var judged = counted(report.trajectories.total, "trajectory", "trajectories")
    if let first = report.firstTime, let last = report.lastTime, last >= first {
      let (span, overflow) = last.subtractingReportingOverflow(first)
      if !overflow { judged += " over \(spokenDuration(nanoseconds: span))" }
      var buffer = TextBuffer()
      let time = Timestamp(nanoseconds: first)
      buffer.append(date: time)
      buffer.append(" ")
      buffer.append(clock: time, fraction: 0)
      judged += " from \(buffer.string) UTC"
    }
    scope.append(judged)
    let translations = report.translations
    var parts = [found.joined(separator: ", "), scope.joined(separator: ", ")]
    if translations.total > 0 {
      parts.append(
        "\(grouped(UInt64(translations.exercised))) of \(counted(UInt64(translations.total), "translation")) exercised")
    }
    let rest = style.own(parts.joined(separator: style.dot))
    let lines = wrapped(rest, width: style.width, first: word.count + 2, rest: word.count + 2)
    for (index, part) in lines.enumerated() {
      let lead = index == 0 ? style.paint(word, color) + "  " : String(repeating: " ", count: word.count + 2)
      line(lead + part)
    }
  }

  private mutating func writeReasons() {
    guard !report.reasons.isEmpty || report.inferred else { return }
    line()
    let label = report.verdict == .inconclusive ? "why" : "remark"
    limited(report.reasons, to: 12, indent: 2, noun: "reasons") { text, reason in
      text.labelled(label, text.style.plain(reason))
    }
    if report.inferred {
      labelled(
        "inferred",
        "no source names a network: the translation was inferred from the captures. "
          + "Contradictions are reported, but not which side is right.")
    }
  }

  private mutating func writeInputErrors() {
    guard !report.inputErrors.isEmpty else { return }
    line()
    limited(report.inputErrors, to: 12, indent: 2, noun: "input errors") { text, error in
      text.labelled("input", text.style.plain(error))
    }
  }

  private mutating func writeUnjudged() {
    let counts = report.trajectories
    if let filter = report.filter {
      line()
      labelled("filter", "\(style.plain(filter)): only inner frames that match it were judged", indent: 0)
    }
    guard counts.unjudged > 0 || counts.otherOverlayFrames > 0 || (verbose && counts.otherFrames > 0) else { return }
    line()
    if counts.unjudged > 0 {
      let reasons = counts.unjudgedReasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      let list = reasons.map { "\(style.plain($0.key)) \(grouped($0.value))" }.joined(separator: ", ")
      labelled(
        "not judged",
        counted(counts.unjudged, "trajectory", "trajectories") + " of \(grouped(counts.total))"
          + (list.isEmpty ? "" : ": \(list)"),
        indent: 0)
    }
    if counts.otherOverlayFrames > 0 {
      labelled(
        "other overlay", "\(grouped(counts.otherOverlayFrames)) tunnel frames that belong to none of these hosts' tunnels",
        indent: 0)
    }
    let rest = counts.otherFrames - min(counts.otherFrames, counts.otherOverlayFrames)
    if verbose, rest > 0 { labelled("other frames", "\(grouped(rest)) of the underlay itself", indent: 0) }
  }

  /// All captures where asked for; else only those that gave nothing or broke off.
  private mutating func writeCaptures() {
    let shown = verbose ? report.captures : report.captures.filter { $0.error != nil || $0.frames == 0 || $0.dropped ?? 0 > 0 }
    guard !shown.isEmpty else { return }
    line()
    line(style.paint(verbose ? "captures" : "captures to look at", .dim))
    let names = shown.map { style.plain($0.file) }
    let column = min(names.map(displayWidth).max() ?? 0, 48)
    limited(Array(zip(shown, names)), to: 10, indent: 2, noun: "captures") { text, item in
      let (capture, name) = item
      var facts = [counted(capture.frames, "frame")]
      if text.verbose {
        if !capture.kinds.isEmpty { facts.append(text.style.plain(capture.kinds.joined(separator: ", "))) }
        if !capture.interfaces.isEmpty {
          facts.append("on " + text.style.plain(capture.interfaces.joined(separator: ", ")))
        }
        if capture.cut > 0 {
          facts.append("\(grouped(capture.cut)) cut by the snap length \(capture.snapLength)")
        }
        if capture.late > 0 { facts.append("\(grouped(capture.late)) too far out of order") }
        if capture.repeated > 0 { facts.append("\(grouped(capture.repeated)) also in another capture") }
      }
      if let dropped = capture.dropped, dropped > 0 || text.verbose {
        facts.append("\(grouped(dropped)) lost by the capture")
      }
      var row = "  " + padded(name, to: column) + "  " + facts.joined(separator: text.style.dot)
      if let error = capture.error { row += "  " + text.style.paint(text.style.plain(error), .red) }
      text.line(row)
    }
  }

  private mutating func writeClocks() {
    guard verbose, !report.clocks.isEmpty else { return }
    line()
    line(style.paint("clocks", .dim))
    for clock in report.clocks {
      guard clock.uncertainty < .max else {
        line(style.own("  \(style.plain(clock.host)): not aligned with another (\(style.plain(clock.grade)))"))
        continue
      }
      guard clock.host != clock.reference else {
        line(style.own("  \(style.plain(clock.host)): the reference"))
        continue
      }
      let sign = clock.offset < 0 ? "-" : "+"
      let offset = spokenDuration(nanoseconds: Int64(clamping: clock.offset.magnitude))
      let bound = spokenDuration(nanoseconds: clock.uncertainty)
      line(
        style.own(
          "  \(style.plain(clock.host)) against \(style.plain(clock.reference)): \(sign)\(offset), "
            + "within \(bound) either way (\(style.plain(clock.grade))), drift \(clock.drift) ppb"))
      for step in clock.steps {
        let size = spokenDuration(nanoseconds: Int64(clamping: step.size.magnitude))
        var time = TextBuffer()
        time.append(clock: Timestamp(nanoseconds: step.before), fraction: 3)
        let bound = "within \(spokenDuration(nanoseconds: step.uncertainty)) either way"
        line(
          style.own(
            "    set \(step.size < 0 ? "back" : "forward") by \(step.isLeast ? "at least " : "")\(size), \(bound), after its "
              + time.string))
      }
    }
  }

  private mutating func writeNotes() {
    guard !report.notes.isEmpty else { return }
    line()
    line(style.paint("notes on the state", .dim))
    limited(report.notes, to: 5, indent: 2, noun: "notes") { text, note in
      let lines = wrapped(text.style.plain(note), width: text.style.width, first: 2, rest: 4)
      for (index, part) in lines.enumerated() { text.line((index == 0 ? "  " : "    ") + part) }
    }
  }
}

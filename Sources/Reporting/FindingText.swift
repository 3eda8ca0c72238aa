import Verification

// Findings with their evidence: causes in the report's order, each followed by what it leads to.
extension ReportText {
  mutating func writeFindings() {
    guard !report.findings.isEmpty else { return }
    var children: [String: [Int]] = [:]
    var tops: [Int] = []
    let identifiers = Set(report.findings.map(\.id))
    for (index, finding) in report.findings.enumerated() {
      if let cause = finding.causedBy, identifiers.contains(cause), cause != finding.id {
        children[cause, default: []].append(index)
      } else {
        tops.append(index)
      }
    }
    // Findings that name each other as cause belong to no top: show them as tops of their own.
    var reached = Set<Int>()
    func reach(_ index: Int) {
      guard reached.insert(index).inserted else { return }
      for child in children[report.findings[index].id] ?? [] { reach(child) }
    }
    for top in tops { reach(top) }
    for index in report.findings.indices where !reached.contains(index) {
      tops.append(index)
      reach(index)
    }
    let faults = tops.filter { report.findings[$0].severity > .info }
    let remarks = tops.filter { report.findings[$0].severity == .info }
    limited(faults, to: 20, indent: 0, noun: "causes") { text, index in
      text.line()
      text.writeFinding(index, children)
    }
    if !remarks.isEmpty { line() }
    limited(remarks, to: 8, indent: 0, noun: "remarks") { text, index in
      if text.verbose {
        text.writeFinding(index, children)
      } else {
        text.writeTitle(text.report.findings[index])
      }
    }
  }

  private mutating func writeTitle(_ finding: Finding, indent: Int = 0) {
    let color: TextStyle.Color =
      switch finding.severity {
      case .error: .boldRed
      case .warning: .boldYellow
      case .info: .cyan
      }
    let rule = style.plain(finding.rule)
    let certainty = finding.certainty == .proven ? "" : " (\(finding.certainty.rawValue))"
    let first = indent + finding.severity.rawValue.count + 1 + displayWidth(rule) + certainty.count + 2
    let lead = String(repeating: " ", count: indent)
    let lines = wrapped(style.plain(finding.message), width: style.width, first: first, rest: indent + 2)
    for (index, part) in lines.enumerated() {
      if index == 0 {
        line(
          lead + style.paint(finding.severity.rawValue, color) + " " + style.paint(rule, .bold) + certainty + "  "
            + part)
      } else {
        line(lead + "  " + part)
      }
    }
  }

  private mutating func writeFinding(_ index: Int, _ children: [String: [Int]]) {
    let finding = report.findings[index]
    writeTitle(finding)
    let evidence = evidence(finding)
    if !evidence.isEmpty {
      for part in wrapped(evidence, width: style.width, first: 2, rest: 2) { line("  " + part) }
    }
    writeValues(finding)
    if let cause = finding.cause {
      labelled("cause", describe(cause), wrap: false)
      if let file = cause.file {
        line("         " + style.paint(style.plain(file) + (cause.line.map { " line \($0)" } ?? ""), .dim))
      }
    }
    if !finding.path.isEmpty {
      labelled("path", finding.path.map(describe).joined(separator: style.line))
    }
    var seen: Set<Int> = [index]
    writeConsequences(of: finding.id, children, indent: 2, seen: &seen)
    limited(finding.next + ["lanecheck explain \(finding.rule)"], to: 4, indent: 2, noun: "steps") { text, step in
      text.labelled("next", text.style.plain(step), wrap: false)
    }
  }

  private mutating func writeConsequences(
    of id: String, _ children: [String: [Int]], indent: Int, seen: inout Set<Int>
  ) {
    let mine = (children[id] ?? []).filter { !seen.contains($0) }
    for index in mine { seen.insert(index) }
    var visited = seen
    limited(mine, to: 5, indent: indent, noun: "consequences") { text, index in
      let finding = text.report.findings[index]
      text.labelled(
        "leads to", "\(text.style.plain(finding.rule)): \(text.style.plain(finding.message))", indent: indent)
      if text.verbose {
        let evidence = text.evidence(finding)
        if !evidence.isEmpty { text.line(String(repeating: " ", count: indent + 10) + evidence) }
      }
      text.writeConsequences(of: finding.id, children, indent: indent + 2, seen: &visited)
    }
    seen = visited
  }

  /// `36 frames (42 copies), 12:23:41.220 to 12:23:58.004; first: host1/eth1.pcap frame 1`
  private func evidence(_ finding: Finding) -> String {
    var parts: [String] = []
    if finding.count > 0 || finding.copies > 0 {
      var amount = counted(finding.count > 0 ? finding.count : finding.copies, "frame")
      if finding.count > 0, finding.copies > 0, finding.copies != finding.count {
        amount += " (\(counted(finding.copies, "copy", "copies")))"
      }
      parts.append(amount)
    }
    if let first = finding.first {
      let dated = isDated
      var span = moment(first, dated: dated)
      if let last = finding.last, last != first { span += " to \(moment(last, dated: dated))" }
      parts.append(parts.isEmpty ? span : ", " + span)
    }
    var result = parts.joined()
    let shown = verbose ? finding.examples.count : 1
    let examples = finding.examples.prefix(shown).map { "\(style.plain($0.file)) frame \($0.frame)" }
    if !examples.isEmpty {
      if !result.isEmpty { result += "; " }
      result += (verbose && examples.count > 1 ? "examples: " : "first: ") + examples.joined(separator: ", ")
    }
    return result
  }

  /// The run spans more than one day, so a time alone would not say which.
  private var isDated: Bool {
    guard let first = report.firstTime, let last = report.lastTime else { return true }
    let day: Int64 = 86_400_000_000_000
    return first / day != last / day
  }

  private func moment(_ nanoseconds: Int64, dated: Bool) -> String {
    var buffer = TextBuffer()
    let time = Timestamp(nanoseconds: nanoseconds)
    if dated {
      buffer.append(date: time)
      buffer.append(" ")
    }
    buffer.append(clock: time, fraction: 3)
    return buffer.string
  }

  private mutating func writeValues(_ finding: Finding) {
    guard !finding.expected.isEmpty || !finding.observed.isEmpty else { return }
    var parts: [String] = []
    if !finding.expected.isEmpty { parts.append(values(finding.expected)) }
    let observed = finding.observed.isEmpty ? "" : "observed \(values(finding.observed))"
    if parts.isEmpty {
      labelled("observed", values(finding.observed))
    } else {
      labelled("expected", parts.joined() + (observed.isEmpty ? "" : style.dot + observed))
    }
  }

  private func values(_ pairs: [(key: String, value: ReportValue)]) -> String {
    pairs.map { key, value in
      let name = words(style.plain(key))
      return switch value {
      case .number(let number) where key.lowercased().hasSuffix("vni") && number >= 0:
        "\(name) \(number) (0x\(String(number, radix: 16)))"
      case .number(let number): "\(name) \(number)"
      case .text(let text): "\(name) \(style.plain(text))"
      case .list(let list): "\(name) \(list.isEmpty ? "none" : style.plain(some(list)))"
      }
    }.joined(separator: ", ")
  }

  /// The JSON report has them all.
  private func some(_ list: [String]) -> String {
    guard list.count > 12 else { return list.joined(separator: ", ") }
    return list.prefix(8).joined(separator: ", ") + " and \(list.count - 8) more"
  }

  /// A key of the JSON report, in the words that people use: `localVLAN` is a local VLAN.
  private func words(_ key: String) -> String {
    let names = ["vni": "VNI", "vnis": "VNIs", "vtep": "VTEP", "vteps": "VTEPs", "vlan": "VLAN", "mac": "MAC"]
    if let name = names[key] { return name }
    if key == "macs" { return "MACs" }
    var text = ""
    var isAfterSmall = false
    for character in key {
      if character.isUppercase, isAfterSmall { text.append(" ") }
      isAfterSmall = character.isLowercase
      text.append(character)
    }
    return text.split(separator: " ").map { word in
      if word.lowercased() == "udp" || word.lowercased() == "icmp" { return word.uppercased() }
      return word.count > 1 && word.dropFirst().contains { $0.isUppercase } ? String(word) : word.lowercased()
    }.joined(separator: " ")
  }

  private func describe(_ cause: Cause) -> String {
    var place: [String] = []
    if let host = cause.host { place.append(style.plain(host)) }
    if let bridge = cause.bridge { place.append(style.plain(bridge)) }
    if let table = cause.table { place.append("table \(table)") }
    let text = style.plain(cause.text)
    let kind: String? =
      switch cause.kind {
      case .missingFlow: "no flow"
      default: nil
      }
    if let kind { place.append("(\(kind))") }
    return place.isEmpty ? text : "\(place.joined(separator: " ")): \(text)"
  }

  private func describe(_ step: PathStep) -> String {
    var words = [style.plain(step.place)]
    switch step.mark {
    case .passed: words.append(style.paint(style.passed, .green))
    case .wrong: words.append(style.paint(style.wrong, .boldRed))
    case .missing: words.append(style.paint("\(style.wrong) not seen", .boldRed))
    case .unknown: break
    }
    if !step.detail.isEmpty { words.append(style.plain(step.detail)) }
    return words.joined(separator: " ")
  }
}

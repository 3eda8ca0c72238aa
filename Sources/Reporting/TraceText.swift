import Datapath
import Wire

/// A trace for people, in the form of `ovs-appctl ofproto/trace`, host after host; then where the copies ended.
public func renderText(_ report: TraceReport, color: Bool, unicode: Bool = true) -> String {
  var text = TraceText(style: TextStyle(color: color, width: 0, unicode: unicode))
  for note in report.notes { text.line(0, text.style.paint(text.style.plain(note), .dim)) }
  for (index, frame) in report.frames.enumerated() {
    if index > 0 || !report.notes.isEmpty { text.output += "\n" }
    text.append(frame, number: report.frames.count > 1 ? index + 1 : nil)
  }
  return text.output
}

private struct TraceText {
  let style: TextStyle
  var output = ""

  mutating func line(_ indent: Int, _ text: String) {
    output += String(repeating: " ", count: text.isEmpty ? 0 : indent) + text + "\n"
  }

  mutating func append(_ frame: TracedFrame, number: Int?) {
    line(0, style.paint((number.map { "Frame \($0): " } ?? "") + style.plain(frame.title), .bold))
    line(0, "Flow: " + style.plain(frame.flow))
    for (index, visit) in frame.visits.enumerated() {
      output += "\n"
      append(visit, index)
    }
    if let cut = frame.cut {
      output += "\n"
      line(0, style.paint(style.plain(cut), .boldYellow))
    }
    output += "\n"
    line(0, style.paint("Outcome", .bold))
    for end in frame.ends { append(end) }
    if frame.ends.isEmpty { line(2, "none") }
    if let missed = frame.missed {
      line(2, "\(style.paint(style.wrong, .boldRed)) \(style.plain(missed)) does not get it")
    }
  }

  private mutating func append(_ visit: TracedVisit, _ index: Int) {
    var head = style.paint(style.plain(visit.host), .bold) + ": " + style.plain(visit.arrival)
    if visit.certainty == .may { head += style.paint(" (may be)", .yellow) }
    line(0, head)
    if let refusal = visit.refusal { line(4, style.paint(style.plain(refusal), .boldRed)) }
    var bridge = ""
    for place in visit.steps.indices where isRoot(place, in: visit) {
      append(place, visit, 0, &bridge)
    }
    for doubt in visit.uncertainties {
      line(4, style.paint("uncertain: " + style.plain(doubt.reason), .yellow))
      if let flow = doubt.flow { line(8, style.plain("\(flow.bridge) table \(flow.table): \(flow.text)")) }
    }
    for exit in visit.exits { append(exit) }
  }

  /// Whether no other step led to it.
  private func isRoot(_ place: Int, in visit: TracedVisit) -> Bool {
    !visit.steps.contains { step in step.events.contains(.step(place)) }
  }

  private mutating func append(_ place: Int, _ visit: TracedVisit, _ indent: Int, _ bridge: inout String) {
    let step = visit.steps[place]
    if step.bridge != bridge {
      bridge = step.bridge
      let title = "bridge(\"\(style.plain(bridge))\")"
      output += "\n"
      line(indent, style.paint(title, .cyan))
      line(indent, style.paint(String(repeating: "-", count: displayWidth(title)), .cyan))
    }
    let table = String(step.table)
    let number = String(repeating: " ", count: max(0, 2 - table.count)) + table
    guard let flow = step.flow else {
      line(indent, "\(number). No match.")
      line(indent + 4, "drop")
      tell(step, visit, indent, &bridge)
      return
    }
    line(indent, "\(number). \(style.plain(head(flow)))")
    let told = step.events.contains { if case .action = $0 { true } else { false } }
    if !told { line(indent + 4, style.plain(flow.actionTexts.joined(separator: ","))) }
    tell(step, visit, indent, &bridge)
  }

  /// The match first and then the priority, as `ofproto/trace` writes it.
  private func head(_ flow: FlowReference) -> String {
    let match = flow.matchText.split(separator: ",").filter { !$0.hasPrefix("priority=") }.joined(separator: ",")
    var text = match.isEmpty ? "" : match + ", "
    text += "priority \(flow.priority)"
    if flow.cookie != 0 { text += ", cookie 0x\(String(flow.cookie, radix: 16))" }
    if flow.isLearned { text += ", learned" }
    return text
  }

  private mutating func tell(_ step: TraceStep, _ visit: TracedVisit, _ indent: Int, _ bridge: inout String) {
    for (position, event) in step.events.enumerated() {
      switch event {
      case .action(let text): line(indent + 4, style.plain(text))
      case .note(let text):
        let mark = text.hasPrefix("leaves by ") ? style.unicode ? "⇒" : "=>" : "->"
        line(indent + 5, style.paint("\(mark) \(style.plain(text))", text.hasPrefix("dropped") ? .boldRed : .green))
      case .step(let child):
        // What only follows stays at its depth; what is done in between goes deeper.
        let isLast = !step.events.dropFirst(position + 1).contains { if case .action = $0 { true } else { false } }
        let before = bridge
        append(child, visit, isLast ? indent : indent + 4, &bridge)
        if !isLast { bridge = before }
      }
    }
  }

  private mutating func append(_ exit: TracedExit) {
    guard let outer = exit.outer else { return }
    let may = exit.certainty == .may ? style.paint(" (may be)", .yellow) : ""
    let to = exit.destination.map { "to \($0)" } ?? "to an address that no host has"
    line(2, "\(style.out) \(style.plain(exit.port)): \(laneText(outer)), \(outer.source) \(style.out) \(outer.destination), \(style.plain(to))\(may)")
  }

  private mutating func append(_ end: TraceEnd) {
    let mark: String
    switch end.kind {
    case .delivered: mark = style.paint(style.passed, .green)
    case .local: mark = style.none
    case .dropped, .lost: mark = style.paint(style.wrong, .boldRed)
    }
    let place = [end.host, end.port].filter { !$0.isEmpty }.joined(separator: "/")
    var text = "\(mark) \(style.plain(place))"
    if let guest = end.guest { text += " (\(style.plain(guest)))" }
    switch end.kind {
    case .delivered: break
    case .local: text += " (the bridge's own port)"
    case .dropped, .lost:
      text += " \(end.kind.rawValue)" + (end.reason.isEmpty ? "" : ": " + style.plain(end.reason))
    }
    if end.certainty == .may { text += style.paint("  may be", .yellow) }
    line(2, text)
    if !end.lane.isEmpty, end.kind != .local { line(6, end.lane.map(style.plain).joined(separator: " \(style.out) ")) }
    if let flow = end.flow {
      line(6, style.plain("\(flow.bridge) table \(flow.table): \(flow.text)"))
    } else if end.kind == .dropped, end.reason.isEmpty {
      line(6, "no flow matched")
    }
  }
}

/// `VXLAN VNI 57 (0x39)`.
public func laneText(_ outer: OuterHeader) -> String {
  guard let id = outer.tunnelID else { return "GRE without a key" }
  let name =
    switch outer.kind {
    case .vxlan: "VXLAN VNI"
    case .geneve: "Geneve VNI"
    case .gre: "GRE key"
    }
  return "\(name) \(id) (0x\(String(id, radix: 16)))"
}

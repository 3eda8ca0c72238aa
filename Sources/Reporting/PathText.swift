import Verification

/// The answer of `path` for people: the conclusion, then each direction's points with their counts.
public func renderText(
  _ report: PathReport, color: Bool, width: Int, unicode: Bool = true
) -> String {
  let style = TextStyle(color: color, width: width, unicode: unicode)
  var output = ""
  for part in wrapped(style.plain(report.conclusion), width: width, first: 0, rest: 0) {
    output += style.paint(part, .bold) + "\n"
  }
  for direction in report.directions {
    output += "\n" + style.paint("\(style.plain(direction.from)) \(style.out) \(style.plain(direction.to))", .bold)
    output += "\n"
    for stage in direction.stages {
      let places = stage.points.map { style.plain($0.place) }
      let column = min(40, max(displayWidth(stage.what) + 2, places.map(displayWidth).max() ?? 0))
      let isTraffic = stage.what == "traffic"
      output +=
        "  " + style.paint(padded(style.plain(stage.what), to: column + 2), .dim)
        + style.paint(isTraffic ? "   there     back" : "requests  answers", .dim) + "\n"
      for (point, place) in zip(stage.points, places) {
        let mark =
          switch point.mark {
          case .passed: style.paint(style.passed, .green)
          case .wrong, .missing: style.paint(style.wrong, .boldRed)
          case .unknown: "?"
          }
        output += "    " + padded(place, to: column) + aligned(point.requests, 8) + " " + aligned(point.answers, 8)
        output += "  " + mark
        if !point.note.isEmpty { output += "  " + style.plain(point.note) }
        output += "\n"
      }
    }
  }
  return output
}

private func aligned(_ value: UInt64, _ width: Int) -> String {
  let text = grouped(value)
  return String(repeating: " ", count: max(0, width - text.count)) + text
}

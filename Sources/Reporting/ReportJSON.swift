import Verification

/// The report for scripts: `lanecheck-report/1`. Members may be added in later versions; those that are
/// there keep their names and meaning. Times are ISO 8601 in UTC with nanoseconds, or null. The same report
/// always gives the same bytes. Ends with a line break.
///
/// - `verdict`: `pass`, `fail` or `inconclusive`; `reasons`: why it is inconclusive, or what limits a pass
/// - `findings[]`: `count` is trajectories, `copies` frames seen wrong; `causedBy` is the `id` of another finding;
///   `expected` and `observed` are objects of numbers, strings or arrays of strings; `frames[]` names every frame
///   seen wrong, by file, unless `framesComplete` is false
/// - `coverage[]`: `out` counts trajectories from local ports to a remote VTEP, `in` those delivered to local
///   ports; `outWrong` and `inWrong` those of them that went wrong; `expected` is false where the host has no port
///   of the network
/// - `captures[]`, `clocks[]` (offsets in nanoseconds), `trajectories`, `inputErrors[]`, `notes[]`
public func renderJSON(_ report: Report) -> String {
  var json = JSONWriter(pretty: true)
  json.object { json in
    json.member("schema", "lanecheck-report/1")
    json.member("verdict", report.verdict.rawValue)
    json.member("reasons", report.reasons)
    json.member("bundle", report.bundle)
    json.member("filter", report.filter)
    json.member("hosts", report.hosts)
    json.member("inferred", report.inferred)
    json.member("first", time: report.firstTime)
    json.member("last", time: report.lastTime)
    json.member("framesRead", report.framesRead)
    json.array("findings", report.findings) { $0.write($1) }
    json.array("coverage", report.coverage) { $0.write($1) }
    json.object("translations") { json in
      json.member("exercised", report.translations.exercised)
      json.member("total", report.translations.total)
    }
    json.array("captures", report.captures) { $0.write($1) }
    json.array("clocks", report.clocks) { $0.write($1) }
    json.object("trajectories") { json in
      json.member("total", report.trajectories.total)
      json.member("asExpected", report.trajectories.asExpected)
      json.member("unjudged", report.trajectories.unjudged)
      json.object("unjudgedReasons") { json in
        for (reason, count) in report.trajectories.unjudgedReasons.sorted(by: { $0.key < $1.key }) {
          json.key(escaping: reason)
          json.number(count)
        }
      }
      json.member("otherFrames", report.trajectories.otherFrames)
      json.member("otherOverlayFrames", report.trajectories.otherOverlayFrames)
    }
    json.member("inputErrors", report.inputErrors)
    json.member("notes", report.notes)
  }
  json.out.appendNewline()
  return json.out.string
}

/// The answer of `path` for scripts: `lanecheck-path/1`. Members may be added, never renamed.
public func renderJSON(_ report: PathReport) -> String {
  var json = JSONWriter(pretty: true)
  json.object { json in
    json.member("schema", "lanecheck-path/1")
    json.member("conclusion", report.conclusion)
    json.array("directions", report.directions) { json, direction in
      json.object { json in
        json.member("from", direction.from)
        json.member("to", direction.to)
        json.array("stages", direction.stages) { json, stage in
          json.object { json in
            json.member("what", stage.what)
            json.array("points", stage.points) { json, point in
              json.object { json in
                json.member("place", point.place)
                json.member("requests", point.requests)
                json.member("answers", point.answers)
                json.member("mark", point.mark.rawValue)
                json.member("note", point.note)
              }
            }
          }
        }
      }
    }
  }
  json.out.appendNewline()
  return json.out.string
}

extension JSONWriter {
  fileprivate mutating func write(_ finding: Finding) {
    object { json in
      json.member("id", finding.id)
      json.member("rule", finding.rule)
      json.member("severity", finding.severity.rawValue)
      json.member("role", finding.role.rawValue)
      json.member("causedBy", finding.causedBy)
      json.member("certainty", finding.certainty.rawValue)
      json.member("host", finding.host)
      json.member("network", finding.network)
      json.member("port", finding.port)
      json.member("point", finding.point)
      json.member("count", finding.count)
      json.member("copies", finding.copies)
      json.member("first", time: finding.first)
      json.member("last", time: finding.last)
      json.write("expected", finding.expected)
      json.write("observed", finding.observed)
      json.key("cause")
      if let cause = finding.cause { json.write(cause) } else { json.null() }
      json.member("message", finding.message)
      json.array("examples", finding.examples) { json, example in
        json.object { json in
          json.member("file", example.file)
          json.member("frame", example.frame)
        }
      }
      json.array("frames", finding.frames) { json, frames in
        json.object { json in
          json.member("file", frames.file)
          json.array("numbers", frames.numbers) { $0.number($1) }
        }
      }
      json.member("framesComplete", finding.framesComplete)
      json.array("path", finding.path) { json, step in
        json.object { json in
          json.member("place", step.place)
          json.member("mark", step.mark.rawValue)
          json.member("detail", step.detail)
        }
      }
      json.member("next", finding.next)
    }
  }

  private mutating func write(_ name: String, _ values: [(key: String, value: ReportValue)]) {
    object(name) { json in
      for (key, value) in values {
        json.key(escaping: key)
        switch value {
        case .number(let number): json.number(number)
        case .text(let text): json.string(text)
        case .list(let list): json.array(list) { $0.string($1) }
        }
      }
    }
  }

  private mutating func write(_ cause: Cause) {
    object { json in
      json.member("kind", cause.kind.rawValue)
      json.member("host", cause.host)
      json.member("bridge", cause.bridge)
      json.member("table", cause.table)
      json.member("text", cause.text)
      json.member("file", cause.file)
      json.member("line", cause.line)
    }
  }

  fileprivate mutating func write(_ row: CoverageRow) {
    object { json in
      json.member("host", row.host)
      json.member("network", row.network)
      json.member("localVLAN", row.localVLAN)
      json.member("vni", row.vni)
      json.member("out", row.out)
      json.member("in", row.in)
      json.member("outWrong", row.outWrong)
      json.member("inWrong", row.inWrong)
      json.member("expected", row.expected)
    }
  }

  fileprivate mutating func write(_ capture: CaptureSummary) {
    object { json in
      json.member("file", capture.file)
      json.member("host", capture.host)
      json.member("interfaces", capture.interfaces)
      json.member("kinds", capture.kinds)
      json.member("frames", capture.frames)
      json.member("first", time: capture.first)
      json.member("last", time: capture.last)
      json.member("snapLength", capture.snapLength)
      json.member("cut", capture.cut)
      json.member("received", capture.received)
      json.member("dropped", capture.dropped)
      json.member("late", capture.late)
      json.member("repeated", capture.repeated)
      json.member("error", capture.error)
    }
  }

  fileprivate mutating func write(_ clock: ClockSummary) {
    object { json in
      json.member("host", clock.host)
      json.member("reference", clock.reference)
      json.member("offset", clock.offset)
      json.member("at", time: clock.at)
      json.member("uncertainty", clock.uncertainty)
      json.member("grade", clock.grade)
      json.member("driftPPB", clock.drift)
      json.member("driftUncertaintyPPB", clock.driftUncertainty)
      json.array("steps", clock.steps) { json, step in
        json.object { json in
          json.member("before", time: step.before)
          json.member("after", time: step.after)
          json.member("size", step.size)
          json.member("uncertainty", step.uncertainty)
          json.member("atLeast", step.isLeast)
        }
      }
    }
  }
}

import Datapath

/// A trace for scripts: `lanecheck-trace/1`. Members may be added, never renamed.
public func renderJSON(_ report: TraceReport) -> String {
  var json = JSONWriter(pretty: true)
  json.object { json in
    json.member("schema", "lanecheck-trace/1")
    json.member("notes", report.notes)
    json.array("frames", report.frames) { json, frame in
      json.object { json in
        json.member("title", frame.title)
        json.member("flow", frame.flow)
        json.member("time", time: frame.time == 0 ? nil : frame.time)
        json.member("cut", frame.cut)
        json.member("missed", frame.missed)
        json.array("visits", frame.visits) { $0.write($1) }
        json.array("ends", frame.ends) { $0.write($1) }
      }
    }
  }
  json.out.appendNewline()
  return json.out.string
}

extension JSONWriter {
  fileprivate mutating func write(_ visit: TracedVisit) {
    object { json in
      json.member("host", visit.host)
      json.member("arrival", visit.arrival)
      json.member("from", visit.from?.host)
      json.member("fromVisit", visit.from?.visit)
      json.tunnel("tunnel", visit.outer)
      json.member("certainty", visit.certainty.word)
      json.member("refusal", visit.refusal)
      json.array("steps", visit.steps) { $0.write($1) }
      json.array("exits", visit.exits) { json, exit in
        json.object { json in
          json.member("bridge", exit.bridge)
          json.member("port", exit.port)
          json.member("guest", exit.guest)
          json.array("vlans", exit.tags) { $0.number($1) }
          json.tunnel("tunnel", exit.outer)
          json.member("destination", exit.destination)
          json.member("visit", exit.visit)
          json.member("certainty", exit.certainty.word)
        }
      }
      json.array("uncertainties", visit.uncertainties) { json, doubt in
        json.object { json in
          json.member("reason", doubt.reason)
          json.flow("flow", doubt.flow)
        }
      }
    }
  }

  fileprivate mutating func write(_ step: TraceStep) {
    object { json in
      json.member("bridge", step.bridge)
      json.member("table", step.table)
      json.member("depth", step.depth)
      json.flow("flow", step.flow)
      json.member("notes", step.notes)
    }
  }

  fileprivate mutating func write(_ end: TraceEnd) {
    object { json in
      json.member("kind", end.kind.rawValue)
      json.member("host", end.host)
      json.member("port", end.port.isEmpty ? nil : end.port)
      json.member("guest", end.guest)
      json.member("lane", end.lane)
      json.member("reason", end.reason.isEmpty ? nil : end.reason)
      json.flow("flow", end.flow)
      json.member("certainty", end.certainty.word)
    }
  }

  private mutating func flow(_ name: String, _ flow: FlowReference?) {
    key(name)
    guard let flow else { return null() }
    object { json in
      json.member("bridge", flow.bridge)
      json.member("table", flow.table)
      json.member("priority", flow.priority)
      json.member("text", flow.text)
      json.member("line", flow.line > 0 ? flow.line : nil)
      json.member("learned", flow.isLearned)
    }
  }

  private mutating func tunnel(_ name: String, _ outer: OuterHeader?) {
    key(name)
    guard let outer else { return null() }
    object { json in
      json.member("kind", outer.kind.rawValue)
      json.member("id", outer.tunnelID)
      json.member("source", "\(outer.source)")
      json.member("destination", "\(outer.destination)")
      json.member("port", outer.destinationPort == 0 ? nil : outer.destinationPort)
    }
  }
}

extension Certainty {
  fileprivate var word: String { self == .certain ? "certain" : "may" }
}

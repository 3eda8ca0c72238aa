/// What a simulation did: where its frames came from, what became of them, and the files it wrote.
public struct SimulationReport: Sendable {
  public struct Counts: Sendable {
    /// Frames of guests that were put in.
    public var fed: UInt64 = 0
    /// Frames at guests' points that guests received.
    public var skipped: UInt64 = 0
    /// Frames that came back to the port that sent them: they are no new ones.
    public var returned: UInt64 = 0
    /// Without a whole Ethernet header.
    public var undecodable: UInt64 = 0
    /// Of ports that are on no known bridge.
    public var unplugged: UInt64 = 0
    /// Copies in tunnels, and at guests.
    public var tunnelled: UInt64 = 0
    public var delivered: UInt64 = 0
    /// Frames that went nowhere.
    public var dropped: UInt64 = 0
    /// Copies that may be or not.
    public var uncertain: UInt64 = 0
    /// Frames that go round between hosts; they were cut.
    public var cut: UInt64 = 0
    public init() {}
  }

  public struct File: Sendable {
    /// Below the output directory.
    public var name: String
    public var frames: UInt64
    public init(name: String, frames: UInt64) {
      self.name = name
      self.frames = frames
    }
  }

  public var output: String
  /// Points whose frames were put in.
  public var inputs: [String] = []
  public var counts = Counts()
  /// Frames that a decided flow served, and others, on all hosts.
  public var cache: (hits: UInt64, misses: UInt64) = (0, 0)
  public var files: [File] = []
  /// What was not known, and what could not be read.
  public var notes: [String] = []

  public init(output: String) { self.output = output }
}

/// A simulation for people.
public func renderText(_ report: SimulationReport, color: Bool, unicode: Bool = true) -> String {
  let style = TextStyle(color: color, width: 0, unicode: unicode)
  let counts = report.counts
  var output = style.paint(
    "\(counted(counts.fed, "frame")) of \(counted(UInt64(report.inputs.count), "guest")) simulated: "
      + "\(grouped(counts.tunnelled)) copies in tunnels, \(grouped(counts.delivered)) delivered to guests, "
      + "\(grouped(counts.dropped)) went nowhere", .bold) + "\n"
  func line(_ count: UInt64, _ text: String) {
    if count > 0 { output += "  \(grouped(count)) \(text)\n" }
  }
  line(counts.uncertain, "copies are uncertain: what decides them is in no dump")
  line(counts.cut, "frames go round between the hosts, and were cut")
  line(counts.skipped, "frames at the same points were not the guest's own, and were not put in")
  line(counts.returned, "frames were copies that came back, and were not put in again")
  line(counts.undecodable, "frames or captures have no whole Ethernet header, and could not be put in")
  line(counts.unplugged, "frames are of ports that are on no known bridge")
  for note in report.notes { output += "  \(style.plain(note))\n" }
  output += "\n"
  let width = report.files.map { displayWidth($0.name) }.max() ?? 0
  for file in report.files {
    output += "  \(padded(style.plain(file.name), to: width))  \(counted(file.frames, "frame"))\n"
  }
  return output
}

/// A simulation for scripts: `lanecheck-simulation/1`.
public func renderJSON(_ report: SimulationReport) -> String {
  var json = JSONWriter(pretty: true)
  let counts = report.counts
  json.object { json in
    json.member("schema", "lanecheck-simulation/1")
    json.member("output", report.output)
    json.member("inputs", report.inputs)
    json.object("frames") { json in
      json.member("fed", counts.fed)
      json.member("dropped", counts.dropped)
      json.member("cut", counts.cut)
      json.member("notFromGuest", counts.skipped)
      json.member("returned", counts.returned)
      json.member("undecodable", counts.undecodable)
      json.member("unplugged", counts.unplugged)
    }
    json.object("copies") { json in
      json.member("tunnelled", counts.tunnelled)
      json.member("delivered", counts.delivered)
      json.member("uncertain", counts.uncertain)
    }
    json.object("decidedFlows") { json in
      json.member("hits", report.cache.hits)
      json.member("misses", report.cache.misses)
    }
    json.array("files", report.files) { json, file in
      json.object { json in
        json.member("name", file.name)
        json.member("frames", file.frames)
      }
    }
    json.member("notes", report.notes)
  }
  json.out.appendNewline()
  return json.out.string
}

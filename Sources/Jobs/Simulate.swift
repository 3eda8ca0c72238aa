import CaptureFiles
import Datapath
import Deployment
import Observations
import Reporting
import Verification
import Wire

/// What `simulate` is asked to do.
public struct SimulateOptions: Sendable {
  /// A bundle's directory, or capture and state files.
  public var paths: [String]
  public var manifest: String?
  /// Directory that gets the captures; made where it is not there.
  public var output: String
  /// Copies that what is not known leaves open are left out.
  public var onlyCertain = false
  /// Hosts without dumps are taken to be set up with l2population and ARP responder; else they flood and learn.
  public var populatesTables = false
  /// Whether decided flows are kept for later frames.
  public var caching = true

  public init(paths: [String], output: String) {
    self.paths = paths
    self.output = output
  }

  var mode: NeutronMode { populatesTables ? .l2population : .plain }
}

/// Runs the frames that guests sent through all hosts, and writes what every capture point would have seen.
public func simulate(
  _ options: SimulateOptions, progress: (@Sendable (Progress) -> Void)? = nil
) throws(JobError) -> SimulationReport {
  var wanted = VerifyOptions(paths: options.paths)
  wanted.manifest = options.manifest
  let (survey, _) = try prepare(wanted)
  var frames = GuestFrames(survey)
  guard !frames.points.isEmpty else {
    throw JobError("no capture of a guest's tap, qvo or qvb was found: simulate is fed with what guests sent")
  }
  var run = Simulation(survey, mode: options.mode, caching: options.caching, onlyCertain: options.onlyCertain)
  guard run.knowsAnything else {
    throw JobError("the flows of no host are known, nor networks for which Neutron would install some")
  }
  let writer: SimulatedCaptures
  do throws(CaptureWriteError) {
    writer = try SimulatedCaptures(survey, run.fabric, directory: options.output)
    var read: UInt64 = 0
    while let next = frames.next() {
      try run.feed(next, frames.mayUse(next.port, next.frame.source), into: writer)
      read &+= 1
      if read % 4096 == 0 {
        progress?(Progress(bytesRead: 0, bytesTotal: 0, frames: read, stage: "simulating"))
      }
    }
    try writer.finish()
  } catch {
    throw JobError(error.description)
  }
  return run.report(frames, writer, survey)
}

extension FabricFrame {
  /// The source MAC; zero where the frame is too short to have one.
  var source: MACAddress {
    guard bytes.count >= 12 else { return .zero }
    return MACAddress(rawValue: bytes[6..<12].reduce(0) { $0 << 8 | UInt64($1) })
  }
}

/// One run: the fabric and what was counted.
struct Simulation {
  private(set) var fabric: Fabric
  private let deployment: Deployment
  private let onlyCertain: Bool
  /// By port of the deployment.
  private var entries: [FabricPort?]
  private var portOfEntry: [FabricPort: Int] = [:]
  private var counts = SimulationReport.Counts()
  private var unknownPorts: Set<Int> = []
  private var refusals: [String: UInt64] = [:]
  /// Frames that came back to where they may have been sent, with the time: they are no new ones.
  private var returned: [Returned: (time: Int64, count: Int)] = [:]
  private var lastExpiry = Int64.min

  private struct Returned: Hashable {
    var port: Int
    var frame: FabricFrame
  }

  init(_ survey: SurveyResult, mode: NeutronMode, caching: Bool, onlyCertain: Bool) {
    deployment = survey.deployment
    self.onlyCertain = onlyCertain
    let fabric = Fabric(survey.deployment, mode: mode, caching: caching)
    self.fabric = fabric
    entries = survey.deployment.ports.map { port in
      for name in [port.bridgePort, port.qvo, port.tap, port.name].compactMap({ $0 }) {
        if let found = fabric.port(named: name, on: port.host) { return found }
      }
      return nil
    }
    for (index, entry) in entries.enumerated() {
      if let entry { portOfEntry[entry] = index }
    }
  }

  var knowsAnything: Bool { fabric.hostNames.indices.contains { fabric.isKnown($0) } }

  mutating func feed(_ sent: GuestFrame, _ isOwn: Bool, into writer: SimulatedCaptures) throws(CaptureWriteError) {
    forget(before: sent.time)
    if isOwn, !returned.isEmpty {
      let key = Returned(port: sent.port, frame: sent.frame)
      if let known = returned[key], known.count > 0 {
        returned[key] = known.count == 1 ? nil : (known.time, known.count - 1)
        counts.returned &+= 1
        return
      }
    }
    guard let entry = entries[sent.port] else {
      unknownPorts.insert(sent.port)
      counts.unplugged &+= 1
      return
    }
    counts.fed &+= 1
    try writer.guest(sent.port, sent.frame, at: sent.time)
    let journey = fabric.send(sent.frame, at: entry, time: sent.time)
    if journey.cut != nil { counts.cut &+= 1 }
    var delivered = false
    for visit in journey.visits {
      if let refusal = visit.refusal { note(refusal, visit) }
      for exit in visit.exits {
        let certainty = max(visit.certainty, exit.certainty)
        if certainty == .may {
          counts.uncertain &+= 1
          if onlyCertain { continue }
        }
        delivered = true
        if let outer = exit.outer {
          counts.tunnelled &+= 1
          try writer.underlay(from: exit.port, to: exit.destination, exit.frame, outer, at: sent.time)
        } else if let port = portOfEntry[exit.port] {
          counts.delivered &+= 1
          try writer.guest(port, exit.frame, at: sent.time)
          remember(port, exit.frame, at: sent.time)
        } else {
          try writer.device(exit.port, exit.frame, at: sent.time)
        }
      }
    }
    if !delivered { counts.dropped &+= 1 }
  }

  private mutating func remember(_ port: Int, _ frame: FabricFrame, at time: Int64) {
    let source = frame.source
    guard deployment.ports[port].macs.contains(source) || deployment.ports[port].allowedMACs.contains(source) else {
      return
    }
    returned[Returned(port: port, frame: frame), default: (time, 0)].count += 1
  }

  /// Once a second of capture time: what is long past.
  private mutating func forget(before time: Int64) {
    guard time &- lastExpiry > 1_000_000_000 || lastExpiry == .min else { return }
    returned = returned.filter { time &- $0.value.time < 1_000_000_000 }
    // Learned flows live for minutes.
    if lastExpiry == .min || time / 60_000_000_000 != lastExpiry / 60_000_000_000 { fabric.expire(at: time) }
    lastExpiry = time
  }

  private mutating func note(_ refusal: Visit.Refusal, _ visit: Visit) {
    let host = fabric.hostNames[visit.host]
    switch (refusal, visit.arrival) {
    case (.unknownHost, _): refusals["nothing is known of the switches of \(host)", default: 0] &+= 1
    case (.noTunnelPort, .tunnel(let outer, _)):
      refusals["no tunnel port of \(host) takes \(outer.text)", default: 0] &+= 1
    case (.noTunnelPort, .port): break
    }
  }

  func report(_ frames: GuestFrames, _ writer: SimulatedCaptures, _ survey: SurveyResult) -> SimulationReport {
    var report = SimulationReport(output: writer.directory)
    report.counts = counts
    report.counts.skipped = frames.skipped.others
    report.counts.undecodable = frames.skipped.undecodable
    report.cache = fabric.cacheCounts
    report.files = writer.files.map { .init(name: $0.name, frames: $0.frames) }
    report.inputs = frames.points.sorted { $0.key < $1.key }.map { _, point in
      let point = survey.plan.points[point]
      return "\(survey.deployment.hosts[point.host].name)/\(point.interface)"
    }
    report.notes = frames.errors
    let intended = fabric.hostNames.indices.filter(fabric.isIntended).map { fabric.hostNames[$0] }
    if !intended.isEmpty {
      report.notes.append("no dumps of \(intended.joined(separator: ", ")): flows as Neutron would install them")
    }
    for port in unknownPorts.sorted() {
      let port = deployment.ports[port]
      report.notes.append(
        "\(deployment.hosts[port.host].name)/\(port.name): the port is on no known bridge; its frames go nowhere")
    }
    for (text, count) in refusals.sorted(by: { $0.key < $1.key }) { report.notes.append("\(text): \(count) frames") }
    return report
  }
}

extension OuterHeader {
  /// `VXLAN VNI 57 (0x39) from 192.0.2.1 to 192.0.2.2`.
  var text: String {
    let name = kind == .gre ? "GRE key" : "\(kind == .vxlan ? "VXLAN" : "Geneve") VNI"
    let id = tunnelID.map { "\(name) \($0) (0x\(String($0, radix: 16)))" } ?? "GRE without a key"
    return "\(id) from \(source) to \(destination)" + (destinationPort == 0 ? "" : " port \(destinationPort)")
  }
}

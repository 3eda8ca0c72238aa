import CaptureFiles
import Datapath
import Deployment
import Observations
import Reporting
import Verification
import Wire

/// What `trace` is asked to do.
public struct TraceOptions: Sendable {
  /// A bundle's directory, or state files.
  public var paths: [String]
  public var manifest: String?
  /// A guest or port as `path` takes them, or `HOST/PORT` of any bridge.
  public var from: String?
  /// A guest or port; a MAC or address that is no port's is taken as it stands.
  public var to: String?
  public var kind: TraceProtocol?
  public var sourceMAC: MACAddress?
  public var destinationMAC: MACAddress?
  public var sourceAddress: IPAddress?
  public var destinationAddress: IPAddress?
  public var sourcePort: UInt16?
  public var destinationPort: UInt16?
  /// The guest's own tags, outermost first.
  public var vlans: [UInt16] = []
  /// Frames, by turns there and back.
  public var count = 1
  /// Both ends have talked before: hosts know where they are.
  public var isLearned = false
  /// Start from the state that was taken when the captures ended.
  public var after = false
  /// Hosts without dumps are taken to be set up with l2population and ARP responder; else they flood and learn.
  public var populatesTables = false
  /// A frame of a capture of the bundle instead of one that is made up; its number counts from 1.
  public var capture: String?
  public var frame: UInt64 = 1

  public init(paths: [String]) { self.paths = paths }

  var mode: NeutronMode { populatesTables ? .l2population : .plain }
}

/// Sends frames through all hosts of a bundle and tells what each does with them.
public func trace(_ options: TraceOptions) throws(JobError) -> TraceReport {
  var tracer = try Tracer(options)
  if let capture = options.capture { return try tracer.trace(capture: capture, number: options.frame) }
  return try tracer.traceExchange()
}

private struct Tracer {
  let options: TraceOptions
  let survey: SurveyResult
  private var deployment: Deployment { survey.deployment }
  private var fabric: Fabric
  private let portOfEntry: [FabricPort: Int]

  init(_ options: TraceOptions) throws(JobError) {
    self.options = options
    var wanted = VerifyOptions(paths: options.paths)
    wanted.manifest = options.manifest
    let deployment = try load(wanted)
    if deployment.captures.isEmpty {
      var survey = SurveyResult()
      survey.deployment = deployment
      self.survey = survey
    } else {
      // Captures tell addresses of guests that no state names.
      survey = try prepare(wanted).0
    }
    fabric = Fabric(survey.deployment, after: options.after, mode: options.mode, caching: false)
    var entries: [FabricPort: Int] = [:]
    for (index, port) in survey.deployment.ports.enumerated() {
      if let entry = Tracer.entry(port, fabric) { entries[entry] = index }
    }
    portOfEntry = entries
  }

  private static func entry(_ port: Port, _ fabric: Fabric) -> FabricPort? {
    for name in [port.bridgePort, port.qvo, port.tap, port.name].compactMap({ $0 }) {
      if let found = fabric.port(named: name, on: port.host) { return found }
    }
    return nil
  }

  // MARK: Made-up frames

  /// Where a frame is put in, and whose it is.
  private struct Place {
    var entry: FabricPort
    /// Of the deployment.
    var port: Int?
    var name: String
  }

  private func place(_ name: String) throws(JobError) -> Place {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    if parts.count == 2, let host = deployment.hostIndex(named: parts[0]) {
      guard let entry = fabric.port(named: parts[1], on: host) else {
        throw JobError("no bridge of \(parts[0]) has a port \(parts[1])")
      }
      return Place(entry: entry, port: portOfEntry[entry], name: name)
    }
    let port = try findPort(name, in: deployment)
    guard let entry = Tracer.entry(deployment.ports[port], fabric) else {
      let host = deployment.ports[port].host
      throw JobError(
        fabric.isKnown(host)
          ? "\(deployment.ports[port].name) is on no bridge of \(deployment.hosts[host].name) that the dumps show"
          : "the flows of \(deployment.hosts[host].name) are not known, and no network of its ports is either")
    }
    return Place(entry: entry, port: port, name: deployment.ports[port].name)
  }

  private func network(of place: Place) -> Int? { place.port.flatMap { deployment.ports[$0].network } }

  private func party(_ place: Place) -> TraceParty? {
    guard let index = place.port else { return nil }
    let port = deployment.ports[index]
    guard let mac = port.macs.first else { return nil }
    return TraceParty(
      name: place.name, mac: mac, ipv4: port.addresses.first { $0.family == .v4 },
      ipv6: port.addresses.first { $0.family == .v6 && $0.high >> 54 == 0x3fa } ?? port.addresses.first { $0.family == .v6 })
  }

  mutating func traceExchange() throws(JobError) -> TraceReport {
    guard let from = options.from else { throw JobError("name the guest or port that sends, or --capture and --frame") }
    let origin = try place(from)
    var sender = party(origin) ?? TraceParty(name: origin.name, mac: .zero)
    if let mac = options.sourceMAC { sender.mac = mac }
    guard sender.mac != .zero else { throw JobError("the MAC of \(origin.name) is not known: give it with --src-mac") }
    sender.set(options.sourceAddress)
    var target: Place?
    var receiver = TraceParty(name: "", mac: .broadcast)
    if let to = options.to {
      if let address = MACAddress(to), deployment.port(withMAC: address) == nil {
        receiver = TraceParty(name: to, mac: address)
      } else {
        let found = try place(to)
        target = found
        guard let known = party(found) else { throw JobError("the MAC of \(found.name) is not known: give it as --dst-mac") }
        receiver = known
      }
    } else if let address = options.destinationAddress,
      let port = deployment.ports.firstIndex(where: {
        $0.addresses.contains(address) && $0.network == origin.port.flatMap { deployment.ports[$0].network }
      }), let entry = Tracer.entry(deployment.ports[port], fabric)
    {
      let found = Place(entry: entry, port: port, name: deployment.ports[port].name)
      target = found
      receiver = party(found) ?? receiver
    }
    if receiver.name.isEmpty { receiver.name = options.destinationMAC.map { "\($0)" } ?? "everybody" }
    receiver.set(options.destinationAddress)
    let kind = try kind(sender, &receiver, isNamed: options.to != nil)
    var exchange = TraceExchange(
      kind: kind, sender: sender, receiver: receiver, destinationPort: options.destinationPort ?? (kind == .tcp ? 80 : 5001))
    if let port = options.sourcePort { exchange.sourcePort = port }
    exchange.vlans = options.vlans
    exchange.destination = options.destinationMAC
    if options.count > 1 || options.isLearned, target == nil {
      throw JobError("frames can go back only from a guest that is named: say who receives")
    }
    var report = TraceReport()
    report.notes = notes()
    if let own = network(of: origin), let other = target.flatMap(network), own != other {
      let names = [own, other].map { deployment.networks[$0].name }
      report.notes.append(
        "\(origin.name) is on network \(names[0]) and \(receiver.name) on \(names[1]): no overlay joins them, only a router")
    }
    // So far apart that Open vSwitch has learned from one before the next.
    let step: Int64 = 3_000_000_000
    var time = self.time
    if options.isLearned, let target {
      for number in 0..<2 {
        _ = fabric.send(exchange.frame(number), at: number == 0 ? origin.entry : target.entry, time: time)
        time = time &+ step
      }
      report.notes.append("\(sender.name) and \(receiver.name) have exchanged frames before")
    }
    for number in 0..<options.count {
      let entry = number % 2 == 0 ? origin.entry : target?.entry ?? origin.entry
      report.frames.append(
        traced(
          exchange.frame(number), title: exchange.title(number), at: entry,
          for: target.map { number % 2 == 0 ? $0 : origin }, time: time))
      time = time &+ step
    }
    return report
  }

  /// The protocol that was asked for, else one for which both have addresses.
  private func kind(
    _ sender: TraceParty, _ receiver: inout TraceParty, isNamed: Bool
  ) throws(JobError) -> TraceProtocol {
    guard let kind = options.kind else {
      if receiver.mac.isGroup, sender.ipv4 != nil {
        receiver.ipv4 = receiver.ipv4 ?? sender.ipv4
        return .arp
      }
      if sender.ipv4 != nil, receiver.ipv4 != nil { return .icmp }
      if sender.ipv6 != nil, receiver.ipv6 != nil { return .icmp6 }
      return .ethernet
    }
    // An announcement of one's own address, where nobody is named.
    if !isNamed, kind == .arp, receiver.ipv4 == nil { receiver.ipv4 = sender.ipv4 }
    if !isNamed, kind == .nd, receiver.ipv6 == nil { receiver.ipv6 = sender.ipv6 }
    guard kind != .ethernet else { return kind }
    guard let a = sender.address(kind) else {
      throw JobError("no address of \(sender.name) for \(kind.rawValue) is known: give it with --src-ip")
    }
    guard let b = receiver.address(kind) else {
      throw JobError("no address of \(receiver.name) for \(kind.rawValue) is known: give it with --dst-ip")
    }
    guard a.family == b.family else { throw JobError("\(a) and \(b) are of different families") }
    return kind
  }

  // MARK: Frames of captures

  mutating func trace(capture name: String, number: UInt64) throws(JobError) -> TraceReport {
    guard let index = deployment.captures.firstIndex(where: { $0.name == name || $0.path == name }) else {
      let known = deployment.captures.prefix(20).map(\.name).joined(separator: ", ")
      throw JobError("the bundle has no capture \(name); it has: \(known.isEmpty ? "none" : known)")
    }
    let source = deployment.captures[index]
    let (record, bytes, linkType) = try find(number, in: source)
    guard linkType == 1 else { throw JobError("\(name) frame \(number): only Ethernet frames can be traced") }
    let clock = source.host < survey.plan.clocks.count ? survey.plan.clocks[source.host] : ClockCorrection()
    let time = clock.toReference(record.time)
    let point: Int? =
      switch survey.plan.routes[index] {
      case .point(let point): point
      case .interfaces(let list): record.interface < list.count ? list[record.interface] : nil
      case .indices, .none: nil
      }
    guard let point else { throw JobError("\(name) frame \(number) is of no known capture point") }
    var report = TraceReport()
    report.notes = notes()
    if options.isLearned { report.notes.append(try learn(until: time)) }
    let title = "\(name) frame \(number)"
    if survey.plan.points[point].kind == .tunnel {
      report.frames.append(try traced(tunnelled: bytes, record, title: title, time: time))
      return report
    }
    guard let port = survey.plan.points[point].port, let entry = Tracer.entry(deployment.ports[port], fabric) else {
      throw JobError("\(survey.plan.points[point].interface) belongs to no port of a known bridge")
    }
    let frame = FabricFrame(bytes, wireLength: record.wireLength)
    let owner = deployment.ports[port]
    if !(owner.macs + owner.allowedMACs).contains(frame.source), let other = deployment.port(withMAC: frame.source) {
      throw JobError(
        "\(title) went to \(owner.name): it was sent by \(deployment.ports[other].name) on "
          + "\(deployment.hosts[deployment.ports[other].host].name), trace it there")
    }
    report.frames.append(traced(frame, title: title, at: entry, time: time))
    return report
  }

  private func find(
    _ number: UInt64, in source: CaptureSource
  ) throws(JobError) -> (FrameRecord, [UInt8], UInt16) {
    do throws(CaptureFileError) {
      var reader = try CaptureReader(path: source.path)
      var batch = FrameBatch()
      var last: UInt64 = 0
      while try reader.next(into: &batch) {
        if let record = batch.frames.first(where: { $0.number == number }) {
          let linkType = record.interface < reader.interfaces.count ? reader.interfaces[record.interface].linkType : 1
          return (record, Array(batch.bytes[record.start..<(record.start + record.capturedLength)]), linkType)
        }
        last = batch.frames.last?.number ?? last
      }
      throw CaptureFileError(kind: .truncated, path: source.name, offset: 0, reason: "it has \(last) frames, not \(number)")
    } catch {
      throw JobError(error.kind == .truncated ? "\(source.name): \(error.reason)" : error.description)
    }
  }

  /// Lets the guests' captured frames teach the hosts, up to a time.
  private mutating func learn(until time: Int64) throws(JobError) -> String {
    var frames = GuestFrames(survey)
    var count = 0
    while let next = frames.next(), next.time < time {
      guard let entry = Tracer.entry(deployment.ports[next.port], fabric) else { continue }
      _ = fabric.send(next.frame, at: entry, time: next.time)
      count += 1
    }
    return "the hosts have learned from \(count) frames that guests sent before"
  }

  private mutating func traced(
    tunnelled bytes: [UInt8], _ record: FrameRecord, title: String, time: Int64
  ) throws(JobError) -> TracedFrame {
    var frame = DecodedFrame()
    decode(
      bytes.span, wireLength: record.wireLength, linkType: 1, tunnels: survey.plan.tunnelPorts, into: &frame)
    let kind: TunnelSettings.Kind
    switch frame.tunnel.kind {
    case .none: throw JobError("\(title): it is in no tunnel")
    case .vxlan: kind = .vxlan
    case .gre: kind = .gre
    case .geneve: kind = .geneve
    }
    guard frame.hasInner else { throw JobError("\(title): the frame inside is cut off") }
    let start = Int(frame.inner.start)
    let inner = FabricFrame(Array(bytes[start...]), wireLength: record.wireLength - start)
    let outer = OuterHeader(
      kind: kind, tunnelID: frame.tunnel.hasID ? UInt64(frame.tunnel.id) : nil, source: frame.outer.sourceAddress,
      destination: frame.outer.destinationAddress, destinationPort: kind == .gre ? 0 : frame.outer.destinationPort)
    guard let journey = fabric.receive(inner, in: outer, time: time, telling: true) else {
      throw JobError("\(title): no host of the bundle has the address \(outer.destination)")
    }
    return TraceAssembly(fabric: fabric, deployment: deployment, portOfEntry: portOfEntry).traced(
      journey, title: title, flow: flowText(inner, port: "", outer: outer), time: time)
  }

  // MARK: Common

  private mutating func traced(
    _ frame: FabricFrame, title: String, at entry: FabricPort, for target: Place? = nil, time: Int64
  ) -> TracedFrame {
    let journey = fabric.send(frame, at: entry, time: time, telling: true)
    var result = TraceAssembly(fabric: fabric, deployment: deployment, portOfEntry: portOfEntry).traced(
      journey, title: title, flow: flowText(frame, port: fabric.name(of: entry).port, outer: nil), time: time)
    guard let target, fabric.settings(of: target.entry)?.kind == .device, target.entry != entry else { return result }
    // An answer on the spot, or what is left open, is no miss.
    let isAnswered = journey.visits.contains { $0.exits.contains { $0.port == entry } }
    if !isAnswered, !journey.isUncertain, !journey.visits.contains(where: { $0.exits.contains { $0.port == target.entry } }) {
      let port = "\(fabric.hostNames[target.entry.host])/\(fabric.name(of: target.entry).port)"
      result.missed = port + (fabric.name(of: target.entry).port == target.name || port == target.name ? "" : " (\(target.name))")
    }
    return result
  }

  /// When the last of the dumps was taken: what they show is then as they show it. 0: not known.
  private var time: Int64 {
    let states = deployment.hosts.compactMap { options.after ? $0.after ?? $0.before : $0.state }
    let taken = states.flatMap { state in state.bridges.compactMap(\.flowsTaken) + state.taken.values }.max() ?? 0
    return Int64(exactly: (taken * 1e9).rounded()) ?? 0
  }

  private func notes() -> [String] {
    var notes: [String] = []
    let unknown = deployment.hosts.indices.filter { !fabric.isKnown($0) }.map { deployment.hosts[$0].name }
    let moment = options.after ? "after the captures" : "before the captures"
    let when = time == 0 ? "" : ", \(timestamp(time))"
    if deployment.hosts.indices.contains(where: { fabric.isKnown($0) && !fabric.isIntended($0) }) {
      notes.append("State: the hosts' dumps from \(moment)\(when); what they do not show was not learned")
    }
    let intended = deployment.hosts.indices.filter(fabric.isIntended).map { deployment.hosts[$0].name }
    if !intended.isEmpty {
      let mode = options.mode.populatesTables ? "with l2population" : "plain, without l2population"
      notes.append("No dumps of \(intended.joined(separator: ", ")): flows as Neutron would install them (\(mode))")
    }
    if !unknown.isEmpty {
      notes.append("Nothing is known of the switches of \(unknown.joined(separator: ", "))")
    }
    return notes
  }
}

extension TraceParty {
  mutating func set(_ address: IPAddress?) {
    guard let address else { return }
    if address.family == .v6 {
      ipv6 = address
      ipv4 = nil
    } else {
      ipv4 = address
      ipv6 = nil
    }
  }
}

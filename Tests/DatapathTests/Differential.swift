import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

/// The same bridges twice: in Open vSwitch and in the reference datapath. Frames go into both, and what comes
/// out is compared.
final class Differential {
  let ovs: OpenVSwitch
  private(set) var datapath: HostDatapath
  private let bridges: [BridgeState]
  private let vlanLimit: Int
  private let toleratesRefusal: Bool
  /// Flows that Open vSwitch did not take.
  private(set) var refused = 0
  /// Whether every frame is also asked about by `ofproto/trace`, before it is put in.
  var isTracing = false
  private(set) var traced = 0
  private var portNames: [String: PortList] = [:]
  private var traceDifferences: [String] = []
  /// Names of this run's files in the switch's directory begin with it.
  private let prefix: String
  private lazy var datapathPorts = (try? DatapathPorts(ovs)) ?? DatapathPorts()
  /// Underlay address of the host.
  let local = IPAddress(v4: 0xc612_0001)
  private let underlayMAC = MACAddress(rawValue: 0x0200_0000_0001)
  private var now: Int64 = 1_700_000_000_000_000_000
  private var number: UInt32 = 0
  private var expected: [UInt32: Outcome] = [:]
  private var sent: [UInt32: (port: String, frame: [UInt8])] = [:]

  /// One frame that came out: where, and its bytes.
  struct Seen: Hashable, CustomStringConvertible {
    var port: String
    var tunnelID: UInt64?
    var remote: IPAddress?
    var frame: [UInt8]
    var description: String {
      let tunnel = tunnelID.map { " vni=\($0) to=\(remote.map { "\($0)" } ?? "-")" } ?? ""
      return port + tunnel + " " + hex(frame)
    }
  }

  /// - Parameter states: bridges with their flows; tunnel ports get their local address here.
  init(_ states: [BridgeState], vlanLimit: Int = 1, toleratesRefusal: Bool = false) throws {
    ovs = try OpenVSwitch.share()
    self.vlanLimit = vlanLimit
    self.toleratesRefusal = toleratesRefusal
    prefix = "\(UInt32.random(in: .min ... .max))-"
    bridges = states
    datapath = HostDatapath(bridges: [])
    try build()
    var read: [BridgeState] = []
    for state in states {
      portNames[state.name] = PortList(text: try ovs.ofctl(["-O", "OpenFlow13"], "show", state.name))
      var copy = state
      copy.flows = FlowDump(text: try ovs.ofctl(["-O", "OpenFlow13", "--names"], "dump-flows", state.name))
      copy.flowsTaken = now
      copy.fdb = []
      copy.fdbIsComplete = true
      read.append(copy)
    }
    datapath = HostDatapath(bridges: read)
  }

  private static let underlay = "test-underlay"
  private static let underlayPort = "test-under0"

  private func build() throws {
    var commands: [String] = []
    func add(_ arguments: String...) { commands += ["--"] + arguments }
    add("set", "open_vswitch", ".", "other_config:vlan-limit=\(vlanLimit)")
    add("add-br", Self.underlay)
    add("set", "bridge", Self.underlay, "datapath_type=dummy", "other_config:hwaddr=02:00:00:00:00:01")
    add("add-port", Self.underlay, Self.underlayPort)
    add("set", "interface", Self.underlayPort, "type=dummy", "options:tx_pcap=\(file(Self.underlayPort))")
    for bridge in bridges { addBridge(bridge, &commands) }
    try ovs.vsctl(Array(commands.dropFirst()))
    try ovs.appctl("time/stop")
    try ovs.appctl("netdev-dummy/ip4addr", [Self.underlay, "\(local)/16"])
    // Frames that flows have marked are routed by rules of their own.
    for mark in 0...1 { try ovs.appctl("ovs/route/add", ["198.18.0.0/16", Self.underlay, "pkt_mark=\(mark)"]) }
    _ = try ovs.ofctl([], "add-flow", Self.underlay, ["actions=NORMAL"])
    for bridge in bridges {
      for case .tunnel(let tunnel) in bridge.ports.map(\.kind) {
        guard case .fixed(let remote) = tunnel.remote else { continue }
        let low = remote.low & 0xff
        try ovs.appctl(
          "tnl/neigh/set", [Self.underlay, "\(remote)", "02:00:00:00:01:\(String(low, radix: 16))"])
      }
      refused += try load(bridge)
    }
  }

  private func file(_ port: String) -> String { "\(ovs.directory)/\(prefix)\(port).pcap" }

  private func addBridge(_ bridge: BridgeState, _ commands: inout [String]) {
    func add(_ arguments: String...) { commands += ["--"] + arguments }
    add("add-br", bridge.name)
    add("set", "bridge", bridge.name, "datapath_type=dummy", "protocols=OpenFlow10,OpenFlow13")
    add("set", "bridge", bridge.name, "fail-mode=\(bridge.isStandalone ? "standalone" : "secure")")
    add("set", "bridge", bridge.name, "mcast_snooping_enable=\(bridge.mcastSnooping)")
    add("set", "bridge", bridge.name, "other_config:mac-aging-time=\(bridge.macAging)")
    if bridge.forwardsBPDU { add("set", "bridge", bridge.name, "other_config:forward-bpdu=true") }
    add("set", "interface", bridge.name, "options:tx_pcap=\(file(bridge.name))")
    for port in bridge.ports where port.kind != .local {
      add("add-port", bridge.name, port.name)
      var settings = ["set", "interface", port.name]
      switch port.kind {
      case .patch(let peer): settings += ["type=patch", "options:peer=\"\(peer)\""]
      case .tunnel(let tunnel):
        settings += ["type=\(tunnel.kind.rawValue)", "options:in_key=flow", "options:out_key=flow"]
        if case .fixed(let remote) = tunnel.remote { settings.append("options:remote_ip=\(remote)") }
      default: settings += ["type=dummy", "options:tx_pcap=\(file(port.name))"]
      }
      if let number = port.number { settings.append("ofport_request=\(number)") }
      commands += ["--"] + settings
      addVLANs(port.vlans, of: port.name, &commands)
      if port.isMirrorOutput {
        commands += ["--", "--id=@port", "get", "port", port.name]
        commands += ["--", "--id=@mirror", "create", "mirror", "name=\(port.name)", "output-port=@port"]
        add("set", "bridge", bridge.name, "mirrors=@mirror")
      }
    }
  }

  private func addVLANs(_ vlans: VLANPolicy, of port: String, _ commands: inout [String]) {
    func add(_ settings: String...) { commands += ["--", "set", "port", port] + settings }
    if vlans.tag != 0 { add("tag=\(vlans.tag)") }
    if !vlans.trunks.isEmpty { add("trunks=" + vlans.trunks.sorted().map { "\($0)" }.joined(separator: ",")) }
    if vlans != VLANPolicy(tag: vlans.tag == 0 ? nil : vlans.tag) { add("vlan_mode=\(vlans.mode.rawValue)") }
    guard vlans.mode == .dot1qTunnel else { return }
    add("other_config:qinq-ethtype=802.1\(vlans.tunnelTPID == 0x8100 ? "q" : "ad")")
    if !vlans.customerVLANs.isEmpty {
      add("cvlans=" + vlans.customerVLANs.sorted().map { "\($0)" }.joined(separator: ","))
    }
  }

  /// Takes the bridges away.
  func end() {
    let names = [Self.underlay] + bridges.map(\.name)
    try? ovs.vsctl(Array(names.flatMap { ["--", "--if-exists", "del-br", $0] }.dropFirst()))
    for port in bridges.flatMap(\.ports).map(\.name) + names + [Self.underlayPort] {
      try? FileManager.default.removeItem(atPath: file(port))
    }
  }

  /// Loads a bridge's flows. Those that Open vSwitch refuses are left out, if they may.
  /// - Returns: how many it refused.
  private func load(_ bridge: BridgeState) throws -> Int {
    let lines = (bridge.flows?.flows ?? []).map { flow in
      var line = "table=\(flow.table),cookie=\(flow.cookie),"
      if flow.idleTimeout > 0 { line += "idle_timeout=\(flow.idleTimeout)," }
      if flow.hardTimeout > 0 { line += "hard_timeout=\(flow.hardTimeout)," }
      let parts = flow.text.split(separator: " ", maxSplits: 1)
      return parts.count == 2 ? line + parts[0] + "," + parts[1] : line + flow.text
    }
    let file = "\(ovs.directory)/\(prefix)flows"
    defer { try? FileManager.default.removeItem(atPath: file) }
    try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
    if !toleratesRefusal {
      _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-flows", bridge.name, [file])
      return 0
    }
    // Each by itself, in the version of OpenFlow that can say it.
    let script = """
      while read -r line || [ -n "$line" ]; do
        ovs-ofctl -O OpenFlow13 add-flow "$1" "$line" 2>/dev/null || ovs-ofctl -O OpenFlow10 add-flow "$1" "$line" \
          2>/dev/null || echo refused
      done < "$2"
      """
    let answer = try ovs.run("sh", ["-c", script, "sh", "\(ovs.directory)/\(bridge.name).mgmt", file])
    return answer.split(separator: "\n").count
  }

  /// A frame into a device port.
  func send(_ frame: TestFrame, bridge: String, port: String) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count), vlanLimit: vlanLimit)
    guard let place = datapath.place(bridge, port), let preview = preview(packet, place) else { return }
    sent[number] = (port, bytes)
    let question = isTracing ? question(bytes, packet, port, preview) : nil
    expected[number] = datapath.send(packet, bridge: bridge, port: port, at: now, trace: true)
    try put(bytes, into: port, asking: question)
  }

  /// A frame out of a tunnel.
  func receive(_ frame: TestFrame, kind: TunnelSettings.Kind, tunnelID: UInt64, remote: IPAddress) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count), vlanLimit: vlanLimit)
    var question: Question?
    if let receiver = datapath.receiver(kind: kind, remote: remote, local: local, tunnelID: tunnelID),
      let place = datapath.place(receiver.bridge, receiver.port)
    {
      var tunnelled = packet
      tunnelled.tunnelID = tunnelID
      tunnelled.tunnelSource = remote
      tunnelled.tunnelDestination = local
      guard let preview = preview(tunnelled, place) else { return }
      if isTracing { question = self.question(bytes, tunnelled, receiver.port, preview) }
    }
    sent[number] = ("\(kind) \(remote) \(tunnelID)", bytes)
    expected[number] =
      datapath.receive(
        packet, kind: kind, remote: remote, local: local, tunnelID: tunnelID, at: now, trace: true) ?? Outcome()
    let outer = TestFrame.wrap(
      bytes, kind: kind, tunnelID: tunnelID, from: UInt32(truncatingIfNeeded: remote.low),
      to: UInt32(truncatingIfNeeded: local.low), outerMAC: underlayMAC)
    try put(outer, into: Self.underlayPort, asking: question)
  }

  /// Puts a frame in at a port, and waits until the switch has dealt with it. No decision stays cached.
  private func put(_ frame: [UInt8], into port: String, asking question: Question?) throws {
    var commands: [OpenVSwitch.Command] = []
    if let question { commands.append(.init(method: "ofproto/trace", parameters: ["ovs-dummy", question.key])) }
    commands.append(.init(method: "netdev-dummy/receive", parameters: [port, hex(frame)]))
    let answers = try ovs.appctl(commands + OpenVSwitch.round + [.init(method: "revalidator/purge")])
    if let question { compare(answers[0], question) }
  }

  private typealias Preview = (runs: [Run], isIncomplete: Bool)

  /// What would become of a frame; nil where it runs in circles until a limit ends it, or comes back by patch ports
  /// to a bridge that learned a flow from it: that is not compared here.
  private func preview(_ packet: Packet, _ place: BridgeRuntime.Place) -> Preview? {
    var copy = packet
    copy.inPort = datapath.bridges[place.bridge].ports[place.port].number ?? 0
    let (runs, isIncomplete) = datapath.passages(copy, place.bridge, at: now, trace: false)
    let isLeftOut = runs.contains { run in
      let learning = run.effects.compactMap { if case .learn(let bridge, _) = $0 { bridge } else { nil } }
      return run.metLimit || run.isCut || run.passages.contains { learning.contains($0.to.bridge) }
    }
    return isLeftOut ? nil : (runs, isIncomplete)
  }

  /// What `ofproto/trace` is asked about a frame, and what it should say. Neither side learns from it.
  private struct Question {
    var key: String
    var packet: Packet
    var bytes: [UInt8]
    var expected: Set<Seen>
  }

  private func question(_ bytes: [UInt8], _ packet: Packet, _ port: String, _ preview: Preview) -> Question? {
    // Without learning the frame's source, a frame to itself goes elsewhere.
    guard packet.source != packet.destination, packet.deeperTags.count == 0,
      let key = datapathPorts.key(packet, port: port)
    else { return nil }
    // What a bridge learns from a frame counts when the frame, or an answer to it, comes back to that bridge.
    let effects = preview.runs.first?.effects ?? []
    let learning = effects.compactMap { if case .see(let bridge, _, _) = $0 { bridge } else { nil } }
    if Set(learning).count < learning.count { return nil }
    let outcome = datapath.outcome(of: preview.runs, isIncomplete: preview.isIncomplete)
    return Question(key: key, packet: packet, bytes: bytes, expected: Set(outcome.deliveries.map { seen($0, bytes) }))
  }

  private func compare(_ text: String, _ question: Question) {
    traced += 1
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Datapath actions: ") }),
      let exits = datapathPorts.exits(String(line.dropFirst("Datapath actions: ".count)), question.packet)
    else {
      traceDifferences.append("trace not understood: \(question.key)\n\(text)")
      return
    }
    let got = Set(
      exits.map { exit in
        let bytes = TestFrame.rewritten(question.bytes, as: exit.packet, parsedTags: vlanLimit)
        return Seen(
          port: exit.port, tunnelID: exit.tunnelID, remote: exit.remote, frame: TestFrame.withoutChecksums(bytes))
      })
    if got != question.expected {
      traceDifferences.append("trace of \(question.key)\n  expected \(question.expected)\n  \(text)")
    }
  }

  /// Lets time pass in both.
  func wait(seconds: Int64) throws {
    try ovs.appctl("time/warp", ["\(seconds * 1000)", "100000"])
    now += .seconds(seconds)
    try ovs.revalidate()
    datapath.expire(at: now)
  }

  /// What differs: nothing, where all is well.
  func differences(allowingUncertainty: Bool = false) throws -> [String] {
    let real = try observed()
    var result = traceDifferences
    for number in expected.keys.sorted() {
      guard let outcome = expected[number], let sent = sent[number] else { continue }
      var sure: [Seen: Int] = [:]
      var most: [Seen: Int] = [:]
      for delivery in outcome.deliveries {
        let seen = seen(delivery, sent.frame)
        most[seen, default: 0] += 1
        if delivery.certainty == .certain { sure[seen, default: 0] += 1 }
      }
      var got: [Seen: Int] = [:]
      for seen in real[number] ?? [] { got[seen, default: 0] += 1 }
      let isRight =
        sure.allSatisfy { got[$0.key] ?? 0 >= $0.value } && got.allSatisfy { most[$0.key] ?? 0 >= $0.value }
      if isRight, allowingUncertainty || sure == most { continue }
      let steps = outcome.steps.map { step in
        "\(step.bridge)/\(step.table) \(step.flow?.text ?? "no flow") \(step.notes)"
      }
      let wanted = outcome.deliveries.map { "\($0.certainty) \(seen($0, sent.frame))" }
      result.append(
        "frame \(number) into \(sent.port): \(hex(sent.frame))\n  expected \(wanted)\n  got \(got)\n  "
          + steps.joined(separator: "\n  "))
    }
    return result
  }

  /// Flows, learned ones too, and forwarding databases that one side has and the other lacks.
  func stateDifferences() throws -> [String] {
    var result: [String] = []
    for bridge in bridges {
      var state = bridge
      state.flows = FlowDump(text: try ovs.ofctl(["-O", "OpenFlow13", "--names"], "dump-flows", bridge.name))
      let real = Set(BridgeRuntime(state).flows.map(\.plain))
      guard let index = datapath.index(of: bridge.name) else { continue }
      let own = Set(
        datapath.bridges[index].liveFlows.filter { $0.presence(at: now) != .no }.map(\.plain))
      let runtime = datapath.bridges[index]
      result += real.subtracting(own).map { "\(bridge.name) lacks \($0.told(runtime))" }
      result += own.subtracting(real).map { "\(bridge.name) should not have \($0.told(runtime))" }
      let entries = FDBDump(text: try ovs.appctl("fdb/show", [bridge.name])).entries
        .map { entry in
          let port = portNames[bridge.name]?.ports.first { $0.port == entry.port }?.name ?? "\(entry.port)"
          return HostDatapath.Location(vlan: entry.vlan, mac: entry.mac, port: port, certainty: .certain)
        }
      let places = datapath.locations(bridge.name, at: now)
      result += Set(entries).subtracting(places).map { "\(bridge.name) lacks location \($0)" }
      result += Set(places).subtracting(entries).map { "\(bridge.name) should not have location \($0)" }
    }
    return result.sorted()
  }

  /// Frames made; and those that were put in.
  var framesSent: Int { Int(number) }
  var framesCompared: Int { sent.count }

  private func observed() throws -> [UInt32: [Seen]] {
    var result: [UInt32: [Seen]] = [:]
    for bridge in bridges {
      for port in Set(bridge.ports.map(\.name) + [bridge.name]) {
        for bytes in try ovs.frames(file(port)) {
          result[TestFrame.number(of: bytes), default: []]
            .append(Seen(port: port, frame: TestFrame.withoutChecksums(bytes)))
        }
      }
    }
    for bytes in try ovs.frames(file(Self.underlayPort)) {
      let frame = headers(bytes, tunnels: TunnelPorts())
      guard frame.hasInner else { continue }
      // Ethernet, IPv4, UDP and 8 octets; or GRE with a key.
      let inner = Array(bytes.dropFirst(frame.tunnel.kind == .gre ? 42 : 50))
      result[TestFrame.number(of: bytes), default: []].append(
        Seen(
          port: "\(frame.tunnel.kind)", tunnelID: UInt64(frame.tunnel.id), remote: frame.outer.destinationAddress,
          frame: TestFrame.withoutChecksums(inner)))
    }
    return result
  }

  private func seen(_ delivery: Delivery, _ sent: [UInt8]) -> Seen {
    var port = delivery.port
    if case .tunnel(let kind) = delivery.kind { port = "\(kind)" }
    let bytes = TestFrame.rewritten(sent, as: delivery.frame, parsedTags: vlanLimit)
    return Seen(
      port: port, tunnelID: delivery.tunnelID, remote: delivery.remote, frame: TestFrame.withoutChecksums(bytes))
  }
}

func hex(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
  return String(decoding: text, as: UTF8.self)
}

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
  private var traceDifferences: [String] = []
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
    ovs = try OpenVSwitch()
    self.vlanLimit = vlanLimit
    self.toleratesRefusal = toleratesRefusal
    bridges = states
    datapath = HostDatapath(bridges: [])
    try build()
    var read: [BridgeState] = []
    for state in states {
      var copy = state
      copy.flows = FlowDump(text: try ovs.ofctl(["-O", "OpenFlow13", "--names"], "dump-flows", state.name))
      copy.flowsTaken = now
      copy.fdb = []
      copy.fdbIsComplete = true
      read.append(copy)
    }
    datapath = HostDatapath(bridges: read)
  }

  private func build() throws {
    var commands: [String] = []
    func add(_ arguments: String...) { commands += ["--"] + arguments }
    add("set", "open_vswitch", ".", "other_config:vlan-limit=\(vlanLimit)")
    add("add-br", "br-under")
    add("set", "bridge", "br-under", "datapath_type=dummy", "other_config:hwaddr=02:00:00:00:00:01")
    add("add-port", "br-under", "under0")
    add("set", "interface", "under0", "type=dummy", "options:tx_pcap=\(ovs.directory)/under0.pcap")
    for bridge in bridges {
      add("add-br", bridge.name)
      add("set", "bridge", bridge.name, "datapath_type=dummy", "protocols=OpenFlow10,OpenFlow13")
      add("set", "bridge", bridge.name, "fail-mode=\(bridge.isStandalone ? "standalone" : "secure")")
      add("set", "interface", bridge.name, "options:tx_pcap=\(ovs.directory)/\(bridge.name).pcap")
      for port in bridge.ports where port.kind != .local {
        add("add-port", bridge.name, port.name)
        var settings = ["set", "interface", port.name]
        switch port.kind {
        case .patch(let peer): settings += ["type=patch", "options:peer=\(peer)"]
        case .tunnel(let tunnel):
          settings += ["type=\(tunnel.kind.rawValue)", "options:in_key=flow", "options:out_key=flow"]
          if case .fixed(let remote) = tunnel.remote { settings.append("options:remote_ip=\(remote)") }
        default: settings += ["type=dummy", "options:tx_pcap=\(ovs.directory)/\(port.name).pcap"]
        }
        if let number = port.number { settings.append("ofport_request=\(number)") }
        commands += ["--"] + settings
        let vlans = port.vlans
        if vlans.tag != 0 { add("set", "port", port.name, "tag=\(vlans.tag)") }
        if !vlans.trunks.isEmpty {
          add("set", "port", port.name, "trunks=" + vlans.trunks.sorted().map { "\($0)" }.joined(separator: ","))
        }
        if vlans != VLANPolicy(tag: vlans.tag == 0 ? nil : vlans.tag) {
          add("set", "port", port.name, "vlan_mode=\(vlans.mode.rawValue)")
        }
        if vlans.mode == .dot1qTunnel {
          add("set", "port", port.name, "other_config:qinq-ethtype=802.1\(vlans.tunnelTPID == 0x8100 ? "q" : "ad")")
          if !vlans.customerVLANs.isEmpty {
            let list = vlans.customerVLANs.sorted().map { "\($0)" }.joined(separator: ",")
            add("set", "port", port.name, "cvlans=" + list)
          }
        }
      }
    }
    try ovs.vsctl(Array(commands.dropFirst()))
    try ovs.appctl("time/stop")
    try ovs.appctl("netdev-dummy/ip4addr", ["br-under", "\(local)/16"])
    try ovs.appctl("ovs/route/add", ["198.18.0.0/16", "br-under"])
    _ = try ovs.ofctl([], "add-flow", "br-under", ["actions=NORMAL"])
    for bridge in bridges {
      for case .tunnel(let tunnel) in bridge.ports.map(\.kind) {
        guard case .fixed(let remote) = tunnel.remote else { continue }
        let low = remote.low & 0xff
        try ovs.appctl(
          "tnl/neigh/set", ["br-under", "\(remote)", "02:00:00:00:01:\(String(low, radix: 16))"])
      }
      refused += try load(bridge)
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
    let file = "\(ovs.directory)/\(bridge.name).flows"
    if !toleratesRefusal {
      try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
      _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-flows", bridge.name, [file])
      return 0
    }
    // Each by itself, in the version of OpenFlow that can say it.
    return lines.count { line in
      !["OpenFlow13", "OpenFlow10"].contains { version in
        (try? ovs.ofctl(["-O", version], "add-flow", bridge.name, [line])) != nil
      }
    }
  }

  /// A frame into a device port.
  func send(_ frame: TestFrame, bridge: String, port: String) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count), vlanLimit: vlanLimit)
    if let place = datapath.place(bridge, port), meetsLimit(packet, place) { return }
    sent[number] = (port, bytes)
    if isTracing { try trace(bytes, packet, bridge, port) }
    expected[number] = datapath.send(packet, bridge: bridge, port: port, at: now, trace: true)
    try ovs.receive(port, [bytes])
  }

  /// A frame out of a tunnel.
  func receive(_ frame: TestFrame, kind: TunnelSettings.Kind, tunnelID: UInt64, remote: IPAddress) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count), vlanLimit: vlanLimit)
    if let receiver = datapath.receiver(kind: kind, remote: remote, local: local, tunnelID: tunnelID),
      let place = datapath.place(receiver.bridge, receiver.port)
    {
      var tunnelled = packet
      tunnelled.tunnelID = tunnelID
      tunnelled.tunnelSource = remote
      tunnelled.tunnelDestination = local
      if meetsLimit(tunnelled, place) { return }
      if isTracing { try trace(bytes, tunnelled, receiver.bridge, receiver.port) }
    }
    sent[number] = ("\(kind) \(remote) \(tunnelID)", bytes)
    expected[number] =
      datapath.receive(
        packet, kind: kind, remote: remote, local: local, tunnelID: tunnelID, at: now, trace: true) ?? Outcome()
    let outer = TestFrame.wrap(
      bytes, kind: kind, tunnelID: tunnelID, from: UInt32(truncatingIfNeeded: remote.low),
      to: UInt32(truncatingIfNeeded: local.low), outerMAC: underlayMAC)
    try ovs.receive("under0", [outer])
  }

  /// Whether a frame runs in circles until a limit ends it: how far it comes before is not compared here.
  private func meetsLimit(_ packet: Packet, _ place: BridgeRuntime.Place) -> Bool {
    var copy = packet
    copy.inPort = datapath.bridges[place.bridge].ports[place.port].number ?? 0
    return datapath.passages(copy, place.bridge, at: now, trace: false).runs.contains { $0.metLimit || $0.isCut }
  }

  /// What `ofproto/trace` says of a frame, held against the reference datapath. Neither learns from it.
  private func trace(_ bytes: [UInt8], _ packet: Packet, _ bridge: String, _ port: String) throws {
    // Without learning the frame's source, a frame to itself goes elsewhere.
    guard packet.source != packet.destination, packet.deeperTags.count == 0,
      let place = datapath.place(bridge, port), let key = datapathPorts.key(packet, port: port)
    else { return }
    let text = try ovs.appctl("ofproto/trace", ["ovs-dummy", key])
    var copy = packet
    copy.inPort = datapath.bridges[place.bridge].ports[place.port].number ?? 0
    let (runs, isIncomplete) = datapath.passages(copy, place.bridge, at: now, trace: false)
    // What a bridge learns from a frame counts when the frame, or an answer to it, comes back to that bridge.
    let learning = (runs.first?.effects ?? []).compactMap { if case .see(let bridge, _, _) = $0 { bridge } else { nil } }
    if Set(learning).count < learning.count { return }
    traced += 1
    let outcome = datapath.outcome(of: runs, isIncomplete: isIncomplete)
    let expected = Set(outcome.deliveries.map { seen($0, bytes) })
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Datapath actions: ") }),
      let exits = datapathPorts.exits(String(line.dropFirst("Datapath actions: ".count)), packet)
    else {
      traceDifferences.append("trace not understood: \(key)\n\(text)")
      return
    }
    let got = Set(
      exits.map { exit in
        let bytes = TestFrame.rewritten(bytes, as: exit.packet, parsedTags: vlanLimit)
        return Seen(
          port: exit.port, tunnelID: exit.tunnelID, remote: exit.remote, frame: TestFrame.withoutChecksums(bytes))
      })
    if got != expected { traceDifferences.append("trace of \(key)\n  expected \(expected)\n  \(text)") }
  }

  /// Lets time pass in both.
  func wait(seconds: Int64) throws {
    try ovs.appctl("time/warp", ["\(seconds * 1000)", "20000"])
    now += .seconds(seconds)
    try ovs.appctl("version")
    try ovs.appctl("revalidator/wait")
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
      let list = PortList(text: try ovs.ofctl(["-O", "OpenFlow13"], "show", bridge.name))
      let entries = FDBDump(text: try ovs.appctl("fdb/show", [bridge.name])).entries
        .map { entry in
          let port = list.ports.first { $0.port == entry.port }?.name ?? "\(entry.port)"
          return HostDatapath.Location(vlan: entry.vlan, mac: entry.mac, port: port, certainty: .certain)
        }
      let places = datapath.locations(bridge.name, at: now)
      result += Set(entries).subtracting(places).map { "\(bridge.name) lacks location \($0)" }
      result += Set(places).subtracting(entries).map { "\(bridge.name) should not have location \($0)" }
    }
    return result.sorted()
  }

  var framesSent: Int { Int(number) }

  private func observed() throws -> [UInt32: [Seen]] {
    var result: [UInt32: [Seen]] = [:]
    for bridge in bridges {
      for port in Set(bridge.ports.map(\.name) + [bridge.name]) {
        for bytes in try ovs.frames(port + ".pcap") {
          result[TestFrame.number(of: bytes), default: []]
            .append(Seen(port: port, frame: TestFrame.withoutChecksums(bytes)))
        }
      }
    }
    for bytes in try ovs.frames("under0.pcap") {
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

func hex(_ bytes: [UInt8]) -> String { bytes.map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined() }

extension InstalledFlow {
  /// Without time, and without what only this side's text has.
  fileprivate var plain: InstalledFlow {
    var copy = self
    (copy.refreshedAfter, copy.refreshedBefore, copy.usedAfter, copy.usedBefore) = (nil, nil, nil, nil)
    copy.text = ""
    copy.line = 0
    // OpenFlow 1.3 cannot say what the priority bits of a tag are that is not there.
    for index in copy.terms.indices {
      let term = copy.terms[index]
      if term.field == .vlanTCI, term.mask & 0x1000 != 0, term.value & 0x1000 == 0 {
        copy.terms[index] = MatchTerm(field: .vlanTCI, value: term.value & 0x1fff, mask: term.mask & 0x1fff)
      }
    }
    return copy
  }

  fileprivate func told(_ bridge: BridgeRuntime) -> String {
    "table=\(table) cookie=\(cookie) idle=\(idleTimeout / 1_000_000_000) hard=\(hardTimeout / 1_000_000_000) "
      + described(bridge)
  }
}

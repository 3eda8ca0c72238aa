import Foundation
import OpenFlow
import Wire

@testable import Datapath

/// The same bridges twice: in Open vSwitch and in the reference datapath. Frames go into both, and what comes
/// out is compared.
final class Differential {
  let ovs: OpenVSwitch
  private(set) var datapath: HostDatapath
  private let bridges: [BridgeState]
  /// Underlay address of the host.
  let local = IPAddress(v4: 0xc612_0001)
  private let underlayMAC = MACAddress(rawValue: 0x0200_0000_0001)
  private var now: Int64 = 1_700_000_000_000_000_000
  private var number: UInt32 = 0
  private var expected: [UInt32: Outcome] = [:]
  private var sent: [UInt32: (port: String, frame: [UInt8])] = [:]

  /// One frame that came out: where, and all of it that the datapath models.
  struct Seen: Hashable, CustomStringConvertible {
    var port: String
    var tunnelID: UInt64?
    var remote: IPAddress?
    var frame: [UInt64]
    var text: String
    var description: String { text }
    static func == (a: Seen, b: Seen) -> Bool {
      a.port == b.port && a.tunnelID == b.tunnelID && a.remote == b.remote && a.frame == b.frame
    }
    func hash(into hasher: inout Hasher) {
      hasher.combine(port)
      hasher.combine(tunnelID)
      hasher.combine(remote)
      hasher.combine(frame)
    }
  }

  /// - Parameter states: bridges with their flows; tunnel ports get their local address here.
  init(_ states: [BridgeState]) throws {
    ovs = try OpenVSwitch()
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
    add("add-br", "br-under")
    add("set", "bridge", "br-under", "datapath_type=dummy", "other_config:hwaddr=02:00:00:00:00:01")
    add("add-port", "br-under", "under0")
    add("set", "interface", "under0", "type=dummy", "options:tx_pcap=\(ovs.directory)/under0.pcap")
    for bridge in bridges {
      add("add-br", bridge.name)
      add("set", "bridge", bridge.name, "datapath_type=dummy")
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
        if vlans.mode == .dot1qTunnel, vlans.tunnelTPID == 0x8100 {
          add("set", "port", port.name, "other_config:qinq-ethtype=802.1q")
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
      let lines = (bridge.flows?.flows ?? []).map { flow in
        var line = "table=\(flow.table),cookie=\(flow.cookie),"
        if flow.idleTimeout > 0 { line += "idle_timeout=\(flow.idleTimeout)," }
        if flow.hardTimeout > 0 { line += "hard_timeout=\(flow.hardTimeout)," }
        let parts = flow.text.split(separator: " ", maxSplits: 1)
        return parts.count == 2 ? line + parts[0] + "," + parts[1] : line + flow.text
      }
      let file = "\(ovs.directory)/\(bridge.name).flows"
      try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
      _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-flows", bridge.name, [file])
    }
  }

  /// A frame into a device port.
  func send(_ frame: TestFrame, bridge: String, port: String) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    sent[number] = (port, bytes)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count))
    expected[number] = datapath.send(packet, bridge: bridge, port: port, at: now, trace: true)
    try ovs.receive(port, [bytes])
  }

  /// A frame out of a tunnel.
  func receive(_ frame: TestFrame, kind: TunnelSettings.Kind, tunnelID: UInt64, remote: IPAddress) throws {
    number += 1
    let bytes = frame.bytes(number: number)
    sent[number] = ("\(kind) \(remote) \(tunnelID)", bytes)
    let packet = Packet(headers(bytes).outer, length: UInt32(bytes.count))
    expected[number] =
      datapath.receive(
        packet, kind: kind, remote: remote, local: local, tunnelID: tunnelID, at: now, trace: true) ?? Outcome()
    let outer = TestFrame.wrap(
      bytes, kind: kind, tunnelID: tunnelID, from: UInt32(truncatingIfNeeded: remote.low),
      to: UInt32(truncatingIfNeeded: local.low), outerMAC: underlayMAC)
    try ovs.receive("under0", [outer])
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
    var result: [String] = []
    for number in expected.keys.sorted() {
      guard let outcome = expected[number], let sent = sent[number] else { continue }
      var sure: [Seen: Int] = [:]
      var most: [Seen: Int] = [:]
      for delivery in outcome.deliveries {
        let seen = Differential.seen(delivery)
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
      let hex = sent.frame.map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
      let wanted = outcome.deliveries.map { "\($0.certainty) \(Differential.seen($0))" }
      result.append(
        "frame \(number) into \(sent.port): \(hex)\n  expected \(wanted)\n  got \(got)\n  "
          + steps.joined(separator: "\n  "))
    }
    return result
  }

  /// Learned flows and forwarding databases that one side has and the other lacks.
  func learnedDifferences() throws -> [String] {
    var result: [String] = []
    for bridge in bridges {
      let dump = FlowDump(text: try ovs.ofctl(["-O", "OpenFlow13", "--names"], "dump-flows", bridge.name))
      let real = dump.flows.filter { $0.hardTimeout > 0 || $0.idleTimeout > 0 }
        .map { Learned(table: $0.table, priority: $0.priority, match: $0.match, actions: $0.actions) }
      let own = datapath.learnedFlows(bridge.name, at: now).compactMap { entry -> Learned? in
        FlowDump(text: entry.flow.text).flows.first
          .map { Learned(table: entry.flow.table, priority: $0.priority, match: $0.match, actions: $0.actions) }
      }
      result += Set(real).symmetricDifference(own).map { "\(bridge.name) flow \($0)" }
      let list = PortList(text: try ovs.ofctl(["-O", "OpenFlow13"], "show", bridge.name))
      let entries = FDBDump(text: try ovs.appctl("fdb/show", [bridge.name])).entries
        .map { entry in
          let port = list.ports.first { $0.port == entry.port }?.name ?? "\(entry.port)"
          return HostDatapath.Location(vlan: entry.vlan, mac: entry.mac, port: port, certainty: .certain)
        }
      let places = datapath.locations(bridge.name, at: now)
      result += Set(entries).symmetricDifference(places).map { "\(bridge.name) location \($0)" }
    }
    return result.sorted()
  }

  private struct Learned: Hashable {
    var table: UInt8
    var priority: UInt16
    var match: Match
    var actions: [Action]
  }

  var framesSent: Int { Int(number) }

  private func observed() throws -> [UInt32: [Seen]] {
    var result: [UInt32: [Seen]] = [:]
    for bridge in bridges {
      for port in Set(bridge.ports.map(\.name) + [bridge.name]) {
        for bytes in try ovs.frames(port + ".pcap") {
          let packet = Packet(headers(bytes).outer, vlanLimit: 2)
          let seen = Differential.seen(packet, port: port, tunnelID: nil, remote: nil)
          result[TestFrame.number(of: bytes), default: []].append(seen)
        }
      }
    }
    for bytes in try ovs.frames("under0.pcap") {
      let frame = headers(bytes, tunnels: TunnelPorts())
      guard frame.hasInner else { continue }
      let packet = Packet(frame.inner, vlanLimit: 2)
      let remote = frame.outer.destinationAddress
      let seen = Differential.seen(
        packet, port: "\(frame.tunnel.kind)", tunnelID: UInt64(frame.tunnel.id), remote: remote)
      result[TestFrame.number(of: bytes), default: []].append(seen)
    }
    return result
  }

  private static func seen(_ delivery: Delivery) -> Seen {
    var port = delivery.port
    if case .tunnel(let kind) = delivery.kind { port = "\(kind)" }
    return seen(delivery.frame, port: port, tunnelID: delivery.tunnelID, remote: delivery.remote)
  }

  private static func seen(_ packet: Packet, port: String, tunnelID: UInt64?, remote: IPAddress?) -> Seen {
    let tags = packet.tags
    var words: [UInt64] = [packet.destination.rawValue, packet.source.rawValue, UInt64(tags.count)]
    for index in 0..<tags.held { words.append(UInt64(tags[index].tpid) << 16 | UInt64(tags[index].tci)) }
    if packet.isIP || packet.isARP {
      let (source, destination) = (packet.networkSource, packet.networkDestination)
      words += [UInt64(packet.etherType), UInt64(packet.ipProtocol), UInt64(packet.ttl), UInt64(packet.tos)]
      words += [UInt64(truncatingIfNeeded: source >> 64), UInt64(truncatingIfNeeded: source)]
      words += [UInt64(truncatingIfNeeded: destination >> 64), UInt64(truncatingIfNeeded: destination)]
      words += [UInt64(packet.transportSource), UInt64(packet.transportDestination)]
      words += [packet.senderMAC, packet.targetMAC]
    }
    let vlans = (0..<tags.held).map { "\(tags[$0].vid)" }.joined(separator: ".")
    let tunnel = "vni=\(tunnelID.map { "\($0)" } ?? "-") to=\(remote.map { "\($0)" } ?? "-")"
    return Seen(
      port: port, tunnelID: tunnelID, remote: remote, frame: words,
      text: "\(port) \(tunnel) vlans=\(vlans) \(packet.source)>\(packet.destination)")
  }
}

import Foundation
import Verification
import Wire

@testable import Jobs

/// An overlay of a test's own: hosts, networks and guests by choice. Frames are carried as Neutron's flows carry
/// them, save where the test says otherwise, and every capture shows what passes it, save what it loses.
struct MadeOverlay {
  struct Network {
    var name: String
    var vni: UInt32
    /// Local VLAN, by host.
    var vlans: [UInt16]
    /// vxlan or gre.
    var kind = "vxlan"
  }
  struct Guest {
    var name: String
    var host: Int
    var network: Int
    var mac: MACAddress
    var address: IPAddress
    /// Further items of its entry in the manifest.
    var manifest = ""
    /// What `ovs-vsctl show` says of its port; nil: the VLAN of its network.
    var tag: String?
    /// Whether manifest and state know it.
    var isListed = true
    var plug: String
    var tap: String { "tap" + plug }
    var qvo: String { "qvo" + plug }

    init(
      _ name: String, host: Int, network: Int, mac: UInt64, address: UInt32, manifest: String = "",
      tag: String? = nil
    ) {
      self.name = name
      self.host = host
      self.network = network
      self.mac = MACAddress(rawValue: mac)
      self.address = IPAddress(v4: address)
      self.manifest = manifest
      self.tag = tag
      plug = "00000000-\(host)\(network)" + String(name.utf8.reduce(7) { ($0 * 31 + Int($1)) % 4096 }, radix: 16)
    }
  }
  enum Place: Hashable {
    case tap(Int), qvo(Int)
    /// Sent to, and received from, a host.
    case out(Int), `in`(Int)
  }
  struct Sighting {
    var host: Int
    var place: Place
    /// Number of the sending, from 0.
    var serial: Int
    var sender: Int
    var vni: UInt32
    var frame: [UInt8]
  }

  var hosts = ["ash", "birch", "cedar"]
  var networks: [Network] = []
  var guests: [Guest] = []
  var hasFlows = true
  var isComplete = false
  /// Interfaces that are not captured, as `host/interface`.
  var uncaptured: Set<String> = []
  /// Octets that captures keep of a frame.
  var snapLength = 262_144
  /// Each host has one capture of all its interfaces.
  var isOneFile = false
  /// Changes a dump before it is written: host, `br-tun` or `br-int`, and its lines.
  var editFlows: (Int, String, [String]) -> [String] = { $2 }
  /// Changes the text of `ovs-vsctl show` of a host.
  var editShow: (Int, String) -> String = { $1 }
  /// Further state files, by path.
  var state: [String: String] = [:]
  /// Changes a tunnel packet as a whole, where it shows.
  var distorts: (Sighting, [UInt8]) -> [UInt8] = { $1 }

  /// VNI on which a guest's host sends a frame; nil: not at all.
  var lane: (Sighting) -> UInt32? = { $0.vni }
  /// Network to which a host hands what arrives on a VNI; nil: none.
  var inbound: ((Sighting) -> Int?)?
  /// Hosts that get a copy; nil: those that have such guests.
  var receivers: ((Sighting) -> [Int])?
  /// The frame ends before it gets there.
  var drops: (Sighting) -> Bool = { _ in false }
  /// What shows at a place and goes on from there.
  var alters: (Sighting) -> [[UInt8]] = { [$0.frame] }
  /// The capture misses it.
  var loses: (Sighting) -> Bool = { _ in false }

  /// How far clocks of hosts are ahead, in nanoseconds.
  var ahead: [Int: Int64] = [:]

  /// IPv4 identification of all datagrams; nil: their number.
  var identification: UInt16?
  /// The capture writes it twice.
  var doubles: (Sighting) -> Bool = { _ in false }
  /// Further guests that get what a host hands to a network.
  var strays: (Sighting, Int) -> [Int] = { _, _ in [] }

  private var records: [String: [(time: Int64, bytes: [UInt8])]] = [:]
  private var serial = 0

  static let start: Int64 = 1_700_000_000_000_000_000

  func vtep(_ host: Int) -> IPAddress { IPAddress(v4: 0xc633_6415 + UInt32(host)) }
  func nic(_ host: Int) -> MACAddress { MACAddress(rawValue: 0x5254_00aa_0001 + UInt64(host)) }

  // MARK: Frames

  /// A broadcast that guests' systems repeat with the same bytes.
  func question(_ guest: Int, about address: UInt32) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: .broadcast, from: guests[guest].mac)
    frame.arp(
      operation: 1, senderMAC: guests[guest].mac, sender: guests[guest].address, targetMAC: .zero,
      target: IPAddress(v4: address))
    return frame.bytes
  }

  func answer(_ guest: Int, to other: Int) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: guests[other].mac, from: guests[guest].mac)
    frame.arp(
      operation: 2, senderMAC: guests[guest].mac, sender: guests[guest].address, targetMAC: guests[other].mac,
      target: guests[other].address)
    return frame.bytes
  }

  func datagram(
    _ guest: Int, to other: Int, _ number: Int, source: MACAddress? = nil, length: Int = 40, port: UInt16 = 40_000
  ) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: guests[other].mac, from: source ?? guests[guest].mac)
    var fields = FrameBuilder.IPFields()
    fields.identification = identification ?? UInt16(truncatingIfNeeded: number)
    frame.ipv4(from: guests[guest].address, to: guests[other].address, fields: fields) {
      $0.udp(from: port, to: 5_000) {
        $0.append(UInt32(truncatingIfNeeded: number))
        $0.append(repeatElement(UInt8(7), count: length))
      }
    }
    return frame.bytes
  }

  func encapsulated(
    _ inner: [UInt8], vni: UInt32, from: IPAddress, to: IPAddress, station: MACAddress, nextHop: MACAddress,
    kind: String = "vxlan"
  ) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: nextHop, from: station)
    frame.ipv4(from: from, to: to) {
      if kind == "gre" {
        $0.gre(key: vni) { $0.append(inner) }
        return
      }
      $0.udp(from: 50_000, to: 4789, hasChecksum: false) {
        $0.vxlan(vni: vni)
        $0.append(inner)
      }
    }
    return frame.bytes
  }

  // MARK: Traffic

  /// Puts a frame on a capture as it is.
  mutating func show(_ bytes: [UInt8], at file: String, _ time: Int64) {
    guard !uncaptured.contains(String(file.dropLast(5))) else { return }
    records[file, default: []].append((MadeOverlay.start + time, bytes))
  }

  /// Shows a frame at a place, unless it is dropped before. Returns what goes on.
  private mutating func pass(_ sighting: Sighting, _ time: Int64) -> [[UInt8]] {
    guard !drops(sighting) else { return [] }
    let shown = alters(sighting)
    for (index, bytes) in shown.enumerated() {
      var own = sighting
      own.frame = bytes
      guard !loses(own) else { continue }
      for _ in 0..<(doubles(own) ? 2 : 1) { write(own, time, index) }
    }
    return shown
  }

  private mutating func write(_ sighting: Sighting, _ time: Int64, _ index: Int) {
    let bytes = sighting.frame
    let host = sighting.host
    let moment = time + Int64(index) * 2_000 + (ahead[host] ?? 0)
    let kind = networks[guests[sighting.sender].network].kind
    switch sighting.place {
    case .tap(let guest): show(bytes, at: "\(hosts[host])/\(guests[guest].tap).pcap", moment)
    case .qvo(let guest): show(bytes, at: "\(hosts[host])/\(guests[guest].qvo).pcap", moment)
    case .out(let peer):
      show(
        distorts(
          sighting,
          encapsulated(
            bytes, vni: sighting.vni, from: vtep(host), to: vtep(peer), station: nic(host), nextHop: nic(peer), kind: kind)),
        at: "\(hosts[host])/eth1.pcap", moment)
    case .in(let peer):
      show(
        distorts(
          sighting,
          encapsulated(
            bytes, vni: sighting.vni, from: vtep(peer), to: vtep(host), station: nic(peer), nextHop: nic(host), kind: kind)),
        at: "\(hosts[host])/eth1.pcap", moment)
    }
  }

  /// A guest sends a frame, `time` nanoseconds after the start.
  mutating func send(_ frame: [UInt8], from sender: Int, at time: Int64) {
    let guest = guests[sender]
    var sighting = Sighting(
      host: guest.host, place: .tap(sender), serial: serial, sender: sender, vni: networks[guest.network].vni,
      frame: frame)
    serial += 1
    for first in pass(sighting, time) {
      sighting.frame = first
      sighting.place = .qvo(sender)
      for second in pass(sighting, time + 20_000) {
        sighting.frame = second
        forward(sighting, time + 40_000)
      }
    }
  }

  private mutating func forward(_ entry: Sighting, _ time: Int64) {
    let guest = guests[entry.sender]
    deliver(entry, network: guest.network, time)
    guard let vni = lane(entry) else { return }
    var copy = entry
    copy.vni = vni
    let destination = MACAddress(rawValue: entry.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) })
    let home = guests.indices.filter { guests[$0].network == guest.network && guests[$0].mac == destination }
    guard destination.isGroup || !home.contains(where: { guests[$0].host == guest.host }) else { return }
    let peers =
      receivers?(entry)
      ?? hosts.indices.filter { host in
        host != guest.host
          && (destination.isGroup || home.isEmpty || home.contains { guests[$0].host == host })
      }
    for (number, peer) in peers.enumerated() {
      copy.place = .out(peer)
      copy.host = guest.host
      for (index, sent) in pass(copy, time + Int64(number) * 10_000).enumerated() {
        var arrival = copy
        arrival.frame = sent
        arrival.host = peer
        arrival.place = .in(guest.host)
        let moment = time + 200_000 + Int64(number) * 10_000 + Int64(index) * 3_000
        for received in pass(arrival, moment) {
          arrival.frame = received
          let kind = networks[guest.network].kind
          let network = inbound.map { $0(arrival) } ?? networks.firstIndex { $0.vni == vni && $0.kind == kind }
          guard let network else { continue }
          deliver(arrival, network: network, moment + 30_000)
        }
      }
    }
  }

  private mutating func deliver(_ arrival: Sighting, network: Int, _ time: Int64) {
    let destination = MACAddress(rawValue: arrival.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) })
    for (index, guest) in guests.enumerated()
    where guest.host == arrival.host && index != arrival.sender
      && (guest.network == network && (destination.isGroup || guest.mac == destination)
        || strays(arrival, network).contains(index))
    {
      var delivery = arrival
      delivery.place = .qvo(index)
      for shown in pass(delivery, time) {
        delivery.frame = shown
        delivery.place = .tap(index)
        _ = pass(delivery, time + 20_000)
      }
    }
  }

  // MARK: Files

  func files() -> [String: Data] {
    var files: [String: Data] = ["lanecheck.yaml": Data(manifest.utf8)]
    if isOneFile {
      for host in hosts {
        let own = records.filter { $0.key.hasPrefix(host + "/") }
        files["\(host)/all.pcapng"] = try? MadeOverlay.joined(own, snapLength)
      }
    } else {
      for (file, list) in records { files[file] = MadeOverlay.pcap(list.sorted { $0.time < $1.time }, snapLength) }
    }
    for (path, text) in state { files[path] = Data(text.utf8) }
    for host in hosts.indices where hasFlows {
      files["\(hosts[host])/ovs-vsctl-show.txt"] = Data(editShow(host, show(host)).utf8)
      for (bridge, lines) in [("br-tun", tunnelFlows(host)), ("br-int", integrationFlows)] {
        let text = editFlows(host, bridge, lines).map { " cookie=0x1, duration=90.5s, table=\($0)\n" }.joined()
        files["\(hosts[host])/\(bridge).flows"] = Data(("OFPST_FLOW reply (OF1.3) (xid=0x2):\n" + text).utf8)
      }
    }
    return files
  }

  func verify(_ options: (inout VerifyOptions) -> Void = { _ in }) throws -> Report {
    try Bundles.verify(files: files(), options)
  }

  private var manifest: String {
    var text = "networks:\n"
    for network in networks { text += "  \(network.name): { vni: \(network.vni), type: \(network.kind) }\n" }
    text += "hosts:\n"
    for (host, name) in hosts.enumerated() {
      let vlans = networks.map { "\($0.name): \($0.vlans[host])" }.joined(separator: ", ")
      text += "  \(name):\n    vtep: \(vtep(host))\n    vlans: { \(vlans) }\n    ports:\n"
      for guest in guests where guest.host == host && guest.isListed {
        text += "      \(guest.name): { network: \(networks[guest.network].name), mac: \"\(guest.mac)\", "
        text += "ip: [\(guest.address)], tap: \(guest.tap), qvo: \(guest.qvo)\(guest.manifest) }\n"
      }
    }
    return text + "complete: \(isComplete)\n"
  }

  private var kinds: [String] { Set(networks.map(\.kind)).sorted() }

  func tunnelName(_ peer: Int, kind: String = "vxlan") -> String { "\(kind)-" + String(UInt32(truncatingIfNeeded: vtep(peer).low), radix: 16) }

  private func show(_ host: Int) -> String {
    func patch(_ name: String, _ peer: String) -> String {
      "        Port \(name)\n            Interface \(name)\n                type: patch\n"
        + "                options: {peer=\(peer)}\n"
    }
    var text = "00000000-0000-4000-8000-00000000000\(host)\n    Bridge br-int\n        fail_mode: secure\n"
    for guest in guests where guest.host == host && guest.isListed {
      text += "        Port \(guest.qvo)\n"
      let tag = guest.tag ?? "\(networks[guest.network].vlans[host])"
      if !tag.isEmpty { text += "            tag: \(tag)\n" }
      text += "            Interface \(guest.qvo)\n"
    }
    text += patch("patch-tun", "patch-int") + "    Bridge br-tun\n        fail_mode: secure\n"
    text += patch("patch-int", "patch-tun")
    for (peer, kind) in hosts.indices.flatMap({ peer in kinds.map { (peer, $0) } }) where peer != host {
      let name = tunnelName(peer, kind: kind)
      text += "        Port \(name)\n            Interface \(name)\n                type: \(kind)\n"
      text += "                options: {in_key=flow, local_ip=\"\(vtep(host))\", out_key=flow, "
      text += "remote_ip=\"\(vtep(peer))\"}\n"
    }
    return text
  }

  private var integrationFlows: [String] {
    [
      "0, n_packets=0, n_bytes=0, priority=65535,dl_vlan=4095 actions=drop",
      "0, n_packets=0, n_bytes=0, priority=0 actions=NORMAL",
    ]
  }

  private func tunnelFlows(_ host: Int) -> [String] {
    func peers(_ kind: String) -> [String] { hosts.indices.filter { $0 != host }.map { tunnelName($0, kind: kind) } }
    var lines = ["0, n_packets=0, n_bytes=0, priority=1,in_port=\"patch-int\" actions=goto_table:2"]
    for (kind, table) in [("gre", 3), ("vxlan", 4)] where kinds.contains(kind) {
      for peer in peers(kind) {
        lines.append("0, n_packets=0, n_bytes=0, priority=1,in_port=\"\(peer)\" actions=goto_table:\(table)")
      }
      lines.append("\(table), n_packets=0, n_bytes=0, priority=0 actions=drop")
    }
    lines += [
      "0, n_packets=0, n_bytes=0, priority=0 actions=drop",
      "2, n_packets=0, n_bytes=0, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20",
      "2, n_packets=0, n_bytes=0, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22",
    ]
    for network in networks {
      lines.append(
        "\(network.kind == "gre" ? 3 : 4), n_packets=0, n_bytes=0, priority=1,tun_id=0x\(String(network.vni, radix: 16)) "
          + "actions=push_vlan:0x8100,set_field:\(4096 + Int(network.vlans[host]))->vlan_vid,goto_table:10")
    }
    lines += [
      "10, n_packets=0, n_bytes=0, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x1,"
        + "NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],"
        + "load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:\"patch-int\"",
      "20, n_packets=0, n_bytes=0, priority=0 actions=goto_table:22",
    ]
    for network in networks {
      lines.append(
        "22, n_packets=0, n_bytes=0, priority=1,dl_vlan=\(network.vlans[host]) actions=pop_vlan,"
          + "set_field:0x\(String(network.vni, radix: 16))->tun_id"
          + peers(network.kind).map { ",output:\"\($0)\"" }.joined())
    }
    lines.append("22, n_packets=0, n_bytes=0, priority=0 actions=drop")
    return lines
  }
}

/// The same numbers in every run.
struct Dice {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func chance(_ percent: Int) -> Bool { next() >> 11 % 100 < UInt64(percent) }
}

extension Bundles {
  /// Verifies a bundle that consists of these files.
  static func verify(
    files: [String: Data], _ options: (inout VerifyOptions) -> Void = { _ in }
  ) throws -> Report {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    for (file, data) in files {
      let target = directory.appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: target)
    }
    var chosen = VerifyOptions(paths: [directory.path])
    options(&chosen)
    return try Jobs.verify(chosen)
  }
}

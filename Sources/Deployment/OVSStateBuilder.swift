import OpenFlow
import Wire

/// Puts the state files of one host and time together. Where OVSDB and `ovs-vsctl show` say the
/// same thing, OVSDB wins.
struct OVSStateBuilder {
  private let files: StateFiles
  private let interfaces: [String: OVSDBRow]
  private let interfaceNames: [String: OVSDBRow]
  private let ports: [String: OVSDBRow]
  private let portNames: [String: OVSDBRow]
  private(set) var notes: [StateNote] = []

  init(_ files: StateFiles) {
    self.files = files
    let interfaceRows = files.tables[.interface]?.rows ?? []
    let portRows = files.tables[.port]?.rows ?? []
    interfaces = OVSStateBuilder.index(interfaceRows) { $0.uuid("_uuid") }
    interfaceNames = OVSStateBuilder.index(interfaceRows) { $0.string("name") }
    ports = OVSStateBuilder.index(portRows) { $0.uuid("_uuid") }
    portNames = OVSStateBuilder.index(portRows) { $0.string("name") }
    for (rows, names, table) in [
      (portRows.count, portNames.count, OVSDBTable.Name.port),
      (interfaceRows.count, interfaceNames.count, .interface),
    ] where rows > names {
      note(.contradiction, table, "\(rows - names) rows have no name, or one that another row has; the first counts")
    }
  }

  /// nil where no state file says anything of Open vSwitch.
  mutating func build() -> HostState? {
    guard !files.isEmpty else { return nil }
    var state = HostState()
    state.ovsVersion = files.ovsVersion
    state.taken = files.taken
    let settings = files.tables[.openVSwitch]?.rows.first?.map("other_config") ?? [:]
    state.vlanLimit = settings["vlan-limit"].flatMap { Int($0) }
    state.hardwareOffload = settings["hw-offload"] == "true"
    var bridges = files.tables[.bridge].map { bridgesFromOVSDB($0.rows) } ?? []
    bridges += bridgesFromShow(except: Set(bridges.map(\.name)))
    for name in files.bridgeNames where !bridges.contains(where: { $0.name == name }) {
      bridges.append(Bridge(name: name))
    }
    if files.tables[.bridge] == nil, files.show == nil { placePorts(in: &bridges) }
    for index in bridges.indices { addDumps(to: &bridges[index]) }
    addMirrors(to: &bridges)
    for index in bridges.indices { bridges[index].ports.sort { naturallyPrecedes($0.name, $1.name) } }
    state.bridges = bridges.sorted { naturallyPrecedes($0.name, $1.name) }
    return state
  }

  private static func index(_ rows: [OVSDBRow], _ key: (OVSDBRow) -> String?) -> [String: OVSDBRow] {
    var result: [String: OVSDBRow] = [:]
    for row in rows { if let key = key(row), result[key] == nil { result[key] = row } }
    return result
  }

  private mutating func note(_ kind: StateNote.Kind, _ table: OVSDBTable.Name, _ text: String) {
    notes.append(StateNote(kind: kind, file: files.tableFiles[table] ?? "", text: text))
  }

  // MARK: Bridges

  private mutating func bridgesFromOVSDB(_ rows: [OVSDBRow]) -> [Bridge] {
    let shown = Dictionary(files.show?.bridges.map { ($0.name, $0) } ?? []) { first, _ in first }
    var result: [Bridge] = []
    for row in rows {
      guard let name = row.string("name"), !result.contains(where: { $0.name == name }) else { continue }
      var bridge = Bridge(name: name)
      bridge.datapathType = row.string("datapath_type").flatMap { $0.isEmpty ? nil : $0 } ?? shown[name]?.datapathType
      bridge.failMode = row.string("fail_mode") ?? shown[name]?.failMode
      bridge.otherConfig = row.map("other_config")
      bridge.mcastSnooping = row.bool("mcast_snooping_enable")
      let members = row.uuids("ports")
      for uuid in members { if let port = ports[uuid] { bridge.ports.append(self.port(port)) } }
      let shownPorts = shown[name]?.ports ?? []
      if files.tables[.port] == nil {
        bridge.ports = shownPorts.map { self.port($0) }
      } else {
        compare(bridge, with: shownPorts)
        for shown in shownPorts where portNames[shown.name] == nil { bridge.ports.append(self.port(shown)) }
        let missing = members.count { ports[$0] == nil }
        if missing > 0 {
          note(.contradiction, .bridge, "\(missing) ports of \(name) are not in table Port")
        }
      }
      result.append(bridge)
    }
    return result
  }

  private mutating func bridgesFromShow(except known: Set<String>) -> [Bridge] {
    var result: [Bridge] = []
    var seen = known
    for entry in files.show?.bridges ?? [] where seen.insert(entry.name).inserted {
      if files.tables[.bridge] != nil {
        notes.append(
          StateNote(kind: .contradiction, file: files.showFile, text: "bridge \(entry.name) is not in OVSDB's list"))
      }
      var bridge = Bridge(name: entry.name)
      bridge.datapathType = entry.datapathType
      bridge.failMode = entry.failMode
      for shown in entry.ports {
        guard let row = portNames[shown.name] else {
          bridge.ports.append(port(shown))
          continue
        }
        var port = port(row)
        if files.tables[.interface] == nil { OVSStateBuilder.fill(&port, from: shown) }
        bridge.ports.append(port)
      }
      compare(bridge, with: entry.ports)
      result.append(bridge)
    }
    return result
  }

  /// Without `ovs-vsctl show` and without table Bridge: places ports by `ovs-ofctl show`, else by
  /// what Neutron's agent puts where.
  private mutating func placePorts(in bridges: inout [Bridge]) {
    guard let rows = files.tables[.port]?.rows else { return }
    var places: [String: String] = [:]
    for list in files.portLists { for entry in list.content.ports { places[entry.name] = list.bridge } }
    for bridge in bridges { places[bridge.name] = bridge.name }
    var unplaced = 0
    for row in rows {
      guard let name = row.string("name") else { continue }
      let port = port(row)
      var place = places[name]
      if place == nil, ["vxlan", "gre", "geneve"].contains(port.type) { place = "br-tun" }
      if place == nil, !port.otherConfig.isEmpty || port.externalIDs["iface-id"] != nil { place = "br-int" }
      guard let place else {
        unplaced += 1
        continue
      }
      if !bridges.contains(where: { $0.name == place }) { bridges.append(Bridge(name: place)) }
      if let index = bridges.firstIndex(where: { $0.name == place }) { bridges[index].ports.append(port) }
    }
    if unplaced > 0 {
      note(
        .unreadable, .port,
        "\(unplaced) ports are on no known bridge: ovsdb-bridge.json or ovs-vsctl-show.txt is missing")
    }
  }

  // MARK: Ports

  private func port(_ row: OVSDBRow) -> BridgePort {
    var port = BridgePort(name: row.string("name") ?? "")
    port.tag = row.unsigned("tag").flatMap { UInt16(exactly: $0) }.flatMap { $0 < 4096 ? $0 : nil }
    port.trunks = row.vlans("trunks")
    port.customerVLANs = row.vlans("cvlans")
    port.vlanMode = row.string("vlan_mode").flatMap { $0.isEmpty ? nil : $0 }
    port.otherConfig = row.map("other_config")
    let rows = row.uuids("interfaces").compactMap { interfaces[$0] }
    let names = rows.compactMap { $0.string("name") }
    if names.count > 1 || names.first.map({ $0 != port.name }) ?? false { port.members = names }
    if let interface = rows.first ?? interfaceNames[port.name] {
      port.type = interface.string("type") ?? ""
      port.ofport = interface.unsigned("ofport").flatMap { Int(exactly: $0) }
      port.options = interface.map("options")
      port.externalIDs = interface.map("external_ids")
      port.statistics = interface.map("statistics").compactMapValues { UInt64($0) }
      port.error = interface.string("error").flatMap { $0.isEmpty ? nil : $0 }
      port.isDown = interface.string("admin_state") == "down"
    }
    return port
  }

  private func port(_ shown: VsctlShow.PortEntry) -> BridgePort {
    var port = BridgePort(name: shown.name)
    port.tag = shown.tag
    port.trunks = shown.trunks
    OVSStateBuilder.fill(&port, from: shown)
    if shown.interfaces.count <= 1, let row = interfaceNames[shown.name] {
      port.ofport = row.unsigned("ofport").flatMap { Int(exactly: $0) }
      port.externalIDs = row.map("external_ids")
      port.isDown = row.string("admin_state") == "down"
      port.statistics = row.map("statistics").compactMapValues { UInt64($0) }
    }
    return port
  }

  private static func fill(_ port: inout BridgePort, from shown: VsctlShow.PortEntry) {
    let names = shown.interfaces.map(\.name)
    if names.count > 1 || names.first.map({ $0 != shown.name }) ?? false { port.members = names }
    guard let first = shown.interfaces.first else { return }
    port.type = first.type
    port.options = first.options
    port.error = first.error
  }

  /// Notes where OVSDB and `ovs-vsctl show` differ: they may have been taken at different times.
  private mutating func compare(_ bridge: Bridge, with shown: [VsctlShow.PortEntry]) {
    guard files.tables[.port] != nil, !shown.isEmpty else { return }
    let file = files.showFile
    let known = Dictionary(bridge.ports.map { ($0.name, $0) }) { first, _ in first }
    for entry in shown {
      guard let port = known[entry.name], portNames[entry.name] != nil else {
        notes.append(
          StateNote(
            kind: .contradiction, file: file, text: "port \(entry.name) of \(bridge.name) is not in OVSDB's list"))
        continue
      }
      if port.tag != entry.tag {
        notes.append(
          StateNote(
            kind: .contradiction, file: file,
            text: "port \(entry.name) has \(tagWords(entry.tag)) here and \(tagWords(port.tag)) in OVSDB, which counts")
        )
      }
      let here = entry.interfaces.first?.options["remote_ip"]
      if let here, let there = port.options["remote_ip"], here != there {
        notes.append(
          StateNote(
            kind: .contradiction, file: file,
            text: "port \(entry.name) has remote_ip \(here) here and \(there) in OVSDB, which counts"))
      }
    }
  }

  // MARK: Dumps

  private func addDumps(to bridge: inout Bridge) {
    // Of several dialects the highest that holds flows wins: OpenFlow 1.0 text is lossy.
    let dumps = files.flows.filter { $0.bridge == bridge.name }
    let best = dumps.max { a, b in
      if a.content.dump.flows.isEmpty != b.content.dump.flows.isEmpty { return a.content.dump.flows.isEmpty }
      let (x, y) = (version(a.content), version(b.content))
      return x != y ? x < y : naturallyPrecedes(b.file, a.file)
    }
    if let best {
      bridge.flows = best.content.dump
      bridge.flowsFile = best.file
      bridge.flowsTaken = files.taken[String(best.file.split(separator: "/").last ?? "")]
    }
    bridge.fdb = files.forwarding.first { $0.bridge == bridge.name }?.content.entries ?? []
    for list in files.portLists where list.bridge == bridge.name {
      for entry in list.content.ports { add(entry, to: &bridge) }
    }
  }

  /// The version that the file's name says, else that of the dump's heading.
  private func version(_ content: (version: Int, dump: FlowDump)) -> Int {
    content.version != 0 ? content.version : content.dump.dialect.version
  }

  private func add(_ entry: PortDescription, to bridge: inout Bridge) {
    let number = entry.port.ofport
    if let index = bridge.ports.firstIndex(where: { $0.name == entry.name }) {
      bridge.ports[index].ofport = bridge.ports[index].ofport ?? number
    } else if files.show == nil, files.tables[.bridge] == nil {
      var port = BridgePort(name: entry.name)
      port.ofport = number
      bridge.ports.append(port)
    }
  }

  // MARK: Mirrors

  private func addMirrors(to bridges: inout [Bridge]) {
    let rows = files.tables[.mirror]?.rows ?? []
    let bridgeRows = files.tables[.bridge]?.rows ?? []
    let owners = bridgeRows.flatMap { row in row.uuids("mirrors").map { ($0, row.string("name") ?? "") } }
    let owner = Dictionary(owners) { first, _ in first }
    for row in rows {
      var mirror = Mirror(name: row.string("name") ?? "")
      mirror.outputPort = row.uuid("output_port").flatMap { ports[$0]?.string("name") }
      mirror.outputVLAN = row.unsigned("output_vlan").flatMap { UInt16(exactly: $0) }
      mirror.selectAll = row.bool("select_all") ?? false
      mirror.selectedVLANs = row.vlans("select_vlan")
      mirror.sourcePorts = row.uuids("select_src_port").compactMap { ports[$0]?.string("name") }
      mirror.destinationPorts = row.uuids("select_dst_port").compactMap { ports[$0]?.string("name") }
      let name = row.uuid("_uuid").flatMap { owner[$0] }
      let index = bridges.firstIndex { bridge in
        name.map { $0 == bridge.name } ?? bridge.ports.contains { $0.name == mirror.outputPort }
      }
      if let index { bridges[index].mirrors.append(mirror) }
    }
    if files.tables[.mirror] == nil { inferMirrorOutputs(bridgeRows, &bridges) }
  }

  /// A bridge whose record names one mirror while table Mirror is missing: an internal port that
  /// can be nothing else is its output.
  private func inferMirrorOutputs(_ rows: [OVSDBRow], _ bridges: inout [Bridge]) {
    for row in rows {
      let mirrors = row.uuids("mirrors")
      guard mirrors.count == 1, let index = bridges.firstIndex(where: { $0.name == row.string("name") }) else {
        continue
      }
      let candidates = bridges[index].ports.filter { port in
        port.type == "internal" && port.name != bridges[index].name && port.tag == nil && port.otherConfig.isEmpty
          && port.externalIDs.isEmpty
          && (files.devices.first { $0.name == port.name }?.addresses.filter { !$0.isLinkLocal }.isEmpty ?? true)
      }
      guard candidates.count == 1 else { continue }
      var mirror = Mirror(name: mirrors[0])
      mirror.outputPort = candidates[0].name
      bridges[index].mirrors.append(mirror)
    }
  }
}

/// `tag 3`, `no tag`.
func tagWords(_ tag: UInt16?) -> String { tag.map { $0 == 4095 ? "the dead VLAN 4095" : "tag \($0)" } ?? "no tag" }

extension FlowDump.Dialect {
  /// 10 for OpenFlow 1.0, 13 for 1.3; 0 where nothing tells.
  fileprivate var version: Int {
    switch self {
    case .openFlow10: 10
    case .later(let minor): 10 + Int(minor ?? 1)
    case .unknown: 0
    }
  }
}

extension PortReference {
  /// OpenFlow's number of the port, with OVSDB's 65534 for LOCAL.
  fileprivate var ofport: Int? {
    switch self {
    case .number(let number): Int(number)
    case .local: 65534
    default: nil
    }
  }
}

extension IPAddress {
  /// fe80::/10, which every device gives itself.
  fileprivate var isLinkLocal: Bool { family == .v6 && high >> 54 == 0x3fa }
}

import Wire

/// Ports: bound ones from OVSDB and `ovs-vsctl show`, then what Neutron and the manifest say of
/// them, then those that only the names of captures show.
extension Assembly {
  mutating func mergePorts() {
    for index in deployment.hosts.indices { addBoundPorts(host: index) }
    addNeutronPorts()
    for index in deployment.hosts.indices { addManifestPorts(host: index) }
    for index in deployment.hosts.indices { addCapturedPorts(host: index) }
    deployment.ports.sort { $0.host != $1.host ? $0.host < $1.host : naturallyPrecedes($0.name, $1.name) }
    fillLocalVLANs()
  }

  // MARK: Bound

  private mutating func addBoundPorts(host index: Int) {
    let host = deployment.hosts[index]
    var subports: [(record: AgentRecord, trunks: TrunkBridges)] = []
    for (state, isAfter) in [(host.before, false), (host.after, true)] {
      guard let state else { continue }
      let trunks = TrunkBridges(state)
      for record in AgentRecord.all(of: state, host: index) {
        if trunks.subports[record.port.name] != nil {
          subports.append((record, trunks))
        } else {
          merge(record, trunks, isAfter: isAfter, serves: !isAfter || host.before == nil)
        }
      }
    }
    for (record, trunks) in subports { attach(subport: record, trunks) }
    for port in hostPorts[index] { Assembly.namePath(of: &deployment.ports[port], known: interfaceNames[index]) }
  }

  /// `serves` where the state is what counts: that of before, or the only one there is.
  private mutating func merge(_ record: AgentRecord, _ trunks: TrunkBridges, isAfter: Bool, serves: Bool) {
    let name = record.port.name
    // A trunk's parent shows twice: its tap on the trunk's bridge and tpi- on br-int.
    let patch = trunks.parents[record.bridge]
    let found = hostPorts[record.host].first { index in
      let port = deployment.ports[index]
      return record.uuid.map { $0 == port.uuid } ?? false || port.bridgePort == name || port.tap == name
        || patch.map { $0.name == port.bridgePort } ?? false
    }
    var port =
      found.map { deployment.ports[$0] } ?? Port(host: record.host, network: nil, name: name, source: .installed)
    if found == nil { port.bridgePort = name }
    port.uuid = port.uuid ?? record.uuid
    if port.macs.isEmpty, let mac = record.mac ?? macOfTap(record) { port.macs = [mac] }
    if trunks.bridges.contains(record.bridge) {
      if name.hasPrefix("qvo") { port.qvo = name } else { port.tap = name }
      // Its own name, not that of the patch port.
      port.name = name
      if let patch {
        port.bridgePort = patch.name
        if serves, port.installedTag == nil { port.installedTag = patch.tag }
        if isAfter { port.installedTagAfter = patch.tag }
      }
    } else {
      if let other = port.bridgePort, other != name, record.port.type == "patch" { port.tap = port.tap ?? other }
      port.bridgePort = name
      if serves, !isAfter || port.installedTag == nil { port.installedTag = record.port.tag }
      if isAfter {
        port.installedTagAfter = record.port.tag
        port.recordedTagAfter = record.tag
      }
      port.vlanMode = port.vlanMode ?? record.port.vlanMode
      port.recordedTag = port.recordedTag ?? record.tag
      if serves { port.active = record.isActive }
    }
    port.deviceOwner = port.deviceOwner ?? Assembly.deviceOwner(ofPortNamed: name)
    if port.network == nil, let network = network(of: record) {
      port.network = network
      port.source = .agentRecord
    }
    if let found { deployment.ports[found] = port } else { _ = add(port) }
  }

  /// libvirt gives a guest's tap the guest's own MAC with fe in the first octet. Only Neutron's
  /// default prefix (fa:16:3e) tells what was there before.
  private func macOfTap(_ record: AgentRecord) -> MACAddress? {
    let suffix = record.port.name.dropFirst(3)
    guard record.port.name.hasPrefix("qvo") || record.port.name.hasPrefix("tap") else { return nil }
    let tap = deployment.hosts[record.host].interfaces.first { $0.name == "tap" + suffix }
    guard let mac = tap?.mac, mac.rawValue >> 24 == 0xfe163e else { return nil }
    return MACAddress(rawValue: mac.rawValue & 0xff_ffff | 0xfa163e << 24)
  }

  /// What the prefixes of Neutron's L3 agent stand for (neutron agent/l3, `*_DEV_PREFIX`).
  private static func deviceOwner(ofPortNamed name: String) -> String? {
    switch name.prefix(3) {
    case "qr-": "network:router_interface"
    case "qg-": "network:router_gateway"
    case "ha-": "network:router_ha_interface"
    case "sg-": "network:router_centralized_snat"
    case "fg-": "network:floatingip_agent_gateway"
    default: nil
    }
  }

  /// A subport's spi- on br-int belongs to the guest of the trunk's bridge that it is patched to.
  private mutating func attach(subport record: AgentRecord, _ trunks: TrunkBridges) {
    guard let network = network(of: record), let (vlan, bridge) = trunks.subports[record.port.name] else { return }
    let parent = hostPorts[record.host].first { index in
      let port = deployment.ports[index]
      if let tap = port.tap ?? port.qvo, trunks.members[bridge]?.contains(tap) ?? false { return true }
      return port.bridgePort != nil && port.bridgePort == trunks.parents[bridge]?.name
    }
    guard let parent else { return }
    let subport = Subport(vlan: vlan, network: network)
    if !deployment.ports[parent].subports.contains(subport) { deployment.ports[parent].subports.append(subport) }
    let patch = SubportPatch(
      name: record.port.name, network: network, tag: record.port.tag, recordedTag: record.tag)
    if !deployment.ports[parent].subportPatches.contains(patch) { deployment.ports[parent].subportPatches.append(patch) }
    if let mac = record.mac, !deployment.ports[parent].macs.contains(mac),
      !deployment.ports[parent].allowedMACs.contains(mac)
    {
      deployment.ports[parent].allowedMACs.append(mac)
    }
  }

  /// `qvoX` brings tapX, qbrX and qvbX where such interfaces are known.
  static func namePath(of port: inout Port, known: Set<String>) {
    guard let name = port.bridgePort else { return }
    if let name = port.qvo ?? (name.hasPrefix("qvo") ? name : nil) {
      let suffix = name.dropFirst(3)
      let existing: (String) -> String? = { known.contains($0 + suffix) ? $0 + suffix : nil }
      port.qvo = port.qvo ?? name
      port.tap = port.tap ?? existing("tap")
      port.qbr = port.qbr ?? existing("qbr")
      port.qvb = port.qvb ?? existing("qvb")
    } else if deviceOwner(ofPortNamed: name) == nil, !name.hasPrefix("tpi-") {
      port.tap = port.tap ?? name
    }
  }

  // MARK: Neutron

  private mutating func addNeutronPorts() {
    let byUUID = Dictionary(neutron.ports.map { ($0.uuid, $0) }) { first, _ in first }
    let bound = Dictionary(grouping: deployment.ports.indices) { deployment.ports[$0].uuid }
    let children = Set(neutron.ports.flatMap { $0.subports.map(\.port) })
    for entry in neutron.ports {
      var indices = bound[entry.uuid] ?? []
      if indices.isEmpty, !children.contains(entry.uuid), let host = entry.hostID.flatMap(host(bound:)) {
        let suffix = entry.uuid.prefix(11)
        let name = entry.name.isEmpty ? "tap\(suffix)" : entry.name
        if let index = portIndex(on: host, withSuffix: suffix) {
          indices = [index]
        } else {
          var port = Port(host: host, network: nil, name: name, source: .neutron)
          nameCaptured(&port, suffix: String(suffix))
          indices = [add(port)]
        }
      }
      for index in indices { apply(entry, byUUID, to: index) }
    }
  }

  /// A bound port without iface-id (`ovs-vsctl show`), by the letters of the UUID that its name ends with.
  private func portIndex(on host: Int, withSuffix suffix: Substring) -> Int? {
    hostPorts[host].first {
      deployment.ports[$0].uuid == nil && deployment.ports[$0].bridgePort?.dropFirst(3) == suffix
    }
  }

  private func nameCaptured(_ port: inout Port, suffix: String) {
    let known = interfaceNames[port.host]
    if known.contains("qvo" + suffix) {
      port.bridgePort = "qvo" + suffix
      Assembly.namePath(of: &port, known: known)
    } else if known.contains("tap" + suffix) {
      port.tap = "tap" + suffix
    }
  }

  private mutating func apply(
    _ entry: NeutronExport.PortEntry, _ byUUID: [String: NeutronExport.PortEntry], to index: Int
  ) {
    var port = deployment.ports[index]
    port.uuid = entry.uuid
    if !entry.name.isEmpty { port.name = entry.name }
    if let mac = entry.mac {
      if let bound = port.macs.first, bound != mac {
        contradiction(
          "port \(port.name): the guest's MAC is \(mac) in Neutron and \(bound) on the host", host: port.host)
      }
      port.macs = [mac]
    }
    port.addresses = entry.addresses
    for mac in entry.allowedMACs where !port.allowedMACs.contains(mac) { port.allowedMACs.append(mac) }
    port.allowedAddresses = entry.allowedAddresses
    port.portSecurity = entry.portSecurity
    port.deviceOwner = entry.deviceOwner ?? port.deviceOwner
    if port.source != .agentRecord { port.active = entry.active }
    if let network = entry.network.flatMap({ networksByUUID[$0] }) {
      if let recorded = port.network, recorded != network { noteNetwork(port, recorded, network, "in Neutron") }
      port.network = network
      port.source = .neutron
    }
    let subports = entry.subports.compactMap { item in
      byUUID[item.port]?.network.flatMap { networksByUUID[$0] }.map { Subport(vlan: item.vlan, network: $0) }
    }
    for subport in subports where !port.subports.contains(subport) { port.subports.append(subport) }
    for mac in entry.subports.compactMap({ byUUID[$0.port]?.mac })
    where !port.macs.contains(mac) && !port.allowedMACs.contains(mac) { port.allowedMACs.append(mac) }
    deployment.ports[index] = port
  }

  private mutating func noteNetwork(_ port: Port, _ recorded: Int, _ intended: Int, _ place: String) {
    contradiction(
      "port \(port.name) is on network \(deployment.networks[intended].name) \(place), and on "
        + "\(deployment.networks[recorded].name) by the record on \(deployment.hosts[port.host].name)", host: port.host)
  }

  // MARK: Manifest

  private mutating func addManifestPorts(host index: Int) {
    for entry in manifestHosts[index]?.ports ?? [] {
      let suffix = entry.uuid.map { $0.prefix(11) }
      let found =
        hostPorts[index].first { Assembly.isSame(entry, deployment.ports[$0]) }
        ?? suffix.flatMap { portIndex(on: index, withSuffix: $0) }
      var fresh = Port(host: index, network: nil, name: entry.name, source: .manifest)
      if let suffix, entry.tap == nil, entry.qvo == nil { nameCaptured(&fresh, suffix: String(suffix)) }
      apply(entry, to: found ?? add(fresh))
    }
  }

  private static func isSame(_ entry: Manifest.PortEntry, _ port: Port) -> Bool {
    if let uuid = entry.uuid, let other = port.uuid { return uuid == other }
    if let qvo = entry.qvo, let other = port.qvo ?? port.bridgePort { return qvo == other }
    if let tap = entry.tap {
      if let other = port.tap ?? port.bridgePort, tap == other { return true }
      if tap.hasPrefix("tap"), let qvo = port.qvo, qvo.dropFirst(3) == tap.dropFirst(3) { return true }
    }
    if entry.macs.contains(where: port.macs.contains) { return true }
    return entry.uuid == nil && entry.qvo == nil && entry.tap == nil && entry.macs.isEmpty && entry.name == port.name
  }

  private mutating func apply(_ entry: Manifest.PortEntry, to index: Int) {
    var port = deployment.ports[index]
    let file = manifest?.file ?? ""
    port.name = entry.name
    port.uuid = entry.uuid ?? port.uuid
    if !entry.macs.isEmpty {
      if let bound = port.macs.first, !entry.macs.contains(bound) {
        contradiction(
          "port \(entry.name): its MAC is \(entry.macs[0]) in the manifest and \(bound) on the host", file: file,
          host: port.host)
      }
      port.macs = entry.macs
    }
    if !entry.addresses.isEmpty { port.addresses = entry.addresses }
    for mac in entry.allowedMACs where !port.allowedMACs.contains(mac) { port.allowedMACs.append(mac) }
    for text in entry.allowedAddresses where !port.allowedAddresses.contains(text) {
      port.allowedAddresses.append(text)
    }
    port.deviceOwner = entry.owner ?? port.deviceOwner
    port.portSecurity = entry.security ?? port.portSecurity
    port.tap = entry.tap ?? port.tap
    port.qvo = entry.qvo ?? port.qvo
    if port.bridgePort == nil { port.bridgePort = bridgePort(of: port) }
    Assembly.namePath(of: &port, known: interfaceNames[port.host])
    let names = deployment.networks
    if let network = entry.network.flatMap({ name in names.firstIndex { $0.name == name } }) {
      if let recorded = port.network, recorded != network { noteNetwork(port, recorded, network, "in the manifest") }
      port.network = network
      port.source = .manifest
    }
    for item in entry.subports {
      guard let network = names.firstIndex(where: { $0.name == item.network }) else { continue }
      port.subports.removeAll { $0.vlan == item.vlan }
      port.subports.append(Subport(vlan: item.vlan, network: network))
    }
    deployment.ports[index] = port
  }

  /// The manifest's qvo, or the tap where a bridge has it or nothing else can be plugged.
  private func bridgePort(of port: Port) -> String? {
    if let qvo = port.qvo { return qvo }
    guard let tap = port.tap else { return nil }
    let hybrid = "qvo" + tap.dropFirst(3)
    if tap.hasPrefix("tap"), interfaceNames[port.host].contains(hybrid) { return hybrid }
    let bridges = deployment.hosts[port.host].state?.bridges ?? []
    return bridges.contains { $0.ports.contains { $0.name == tap } } ? tap : nil
  }

  // MARK: Captures

  /// A guest that only the names of captures show: tapX and qvoX of one suffix are one port.
  private mutating func addCapturedPorts(host index: Int) {
    let captured = deployment.captures.filter { $0.host == index }.compactMap(\.interface)
    let known = interfaceNames[index]
    for name in Set(captured).sorted(by: naturallyPrecedes) {
      let suffix = String(name.dropFirst(3))
      guard ["tap", "qvo", "qvb", "vhu"].contains(name.prefix(3)), !suffix.isEmpty else { continue }
      let isKnown = hostPorts[index].contains { position in
        let port = deployment.ports[position]
        let names = [port.tap, port.qvo, port.qvb, port.bridgePort].compactMap { $0 }
        return names.contains(name) || names.contains { $0.dropFirst(3) == suffix && $0.hasPrefix("q") }
      }
      guard !isKnown else { continue }
      var port = Port(host: index, network: nil, name: name, source: .inferred)
      let isHybrid = known.contains("qvo" + suffix) || known.contains("qvb" + suffix)
      port.bridgePort = isHybrid ? "qvo" + suffix : name
      port.name = isHybrid ? "qvo" + suffix : name
      Assembly.namePath(of: &port, known: known)
      _ = add(port)
    }
  }

  // MARK: Local VLANs

  private mutating func fillLocalVLANs() {
    for (index, entry) in manifestHosts {
      for item in entry.vlans {
        guard let network = deployment.networks.firstIndex(where: { $0.name == item.network }) else { continue }
        deployment.hosts[index].localVLANs[network] = item.vlan
      }
    }
    for index in deployment.hosts.indices {
      for state in [deployment.hosts[index].before, deployment.hosts[index].after] {
        guard let state else { continue }
        for record in AgentRecord.all(of: state, host: index) {
          guard let network = network(of: record), let tag = record.tag, tag != 0, tag != 4095 else { continue }
          if deployment.hosts[index].localVLANs[network] == nil { deployment.hosts[index].localVLANs[network] = tag }
        }
      }
      fillRenumbered(host: index)
    }
  }

  /// Where the agent's records of before and of after differ, those of after count for what was dumped with them.
  private mutating func fillRenumbered(host index: Int) {
    let host = deployment.hosts[index]
    func tags(_ state: HostState?) -> [Int: UInt16] {
      var tags: [Int: UInt16] = [:]
      for record in state.map({ AgentRecord.all(of: $0, host: index) }) ?? [] {
        guard let network = network(of: record), let tag = record.tag, tag != 0, tag != 4095, tags[network] == nil else { continue }
        tags[network] = tag
      }
      return tags
    }
    guard host.before != nil, host.after != nil else { return }
    let before = tags(host.before)
    for (network, tag) in tags(host.after) where before[network] != tag && host.localVLANs[network] == before[network] {
      deployment.hosts[index].renumberedVLANs[network] = tag
    }
  }
}

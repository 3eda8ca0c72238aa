/// Networks: of the manifest in its order, then Neutron's, then those that only agents recorded.
extension Assembly {
  mutating func mergeNetworks() {
    for entry in manifest?.networks ?? [] {
      add(
        Network(
          name: entry.name, uuid: entry.uuid, kind: entry.kind, segmentationID: entry.segmentationID, source: .manifest)
      )
    }
    for entry in neutron.networks where networksByUUID[entry.uuid] == nil { merge(neutron: entry) }
    for entry in neutron.networks { compare(neutron: entry) }
    mergeRecords()
  }

  private mutating func merge(neutron entry: NeutronExport.NetworkEntry) {
    let index =
      unclaimed(kind: entry.kind, segmentationID: entry.segmentationID)
      ?? deployment.networks.firstIndex { $0.source == .manifest && $0.uuid == nil && $0.name == entry.name }
    if let index {
      adoptKind(entry.kind, index)
      deployment.networks[index].uuid = entry.uuid
      networksByUUID[entry.uuid] = index
    } else {
      add(
        Network(
          name: freeName(entry.name, uuid: entry.uuid), uuid: entry.uuid, kind: entry.kind,
          segmentationID: entry.segmentationID, source: .neutron))
    }
  }

  private mutating func compare(neutron entry: NeutronExport.NetworkEntry) {
    guard let index = networksByUUID[entry.uuid], deployment.networks[index].source == .manifest else { return }
    let network = deployment.networks[index]
    // Ordinary users see no provider attributes.
    guard entry.kind != .unknown else { return }
    if network.kind != entry.kind || network.segmentationID != entry.segmentationID {
      contradiction(
        "network \(network.name): \(words(network.kind, network.segmentationID)) in the manifest, "
          + "\(words(entry.kind, entry.segmentationID)) in Neutron", file: manifest?.file ?? "")
    }
  }

  /// A network with this segment that no UUID belongs to yet.
  private func unclaimed(kind: Network.Kind, segmentationID: UInt32?) -> Int? {
    guard let segmentationID, kind != .unknown else { return nil }
    return deployment.networks.firstIndex {
      $0.uuid == nil && $0.kind == kind && $0.segmentationID == segmentationID
    }
  }

  private mutating func add(_ network: Network) {
    if let uuid = network.uuid { networksByUUID[uuid] = deployment.networks.count }
    networkNames.insert(network.name)
    deployment.networks.append(network)
  }

  /// The name, made unique with the UUID where another network has it; `net-` and the first
  /// eight letters of the UUID where there is none.
  private func freeName(_ name: String, uuid: String) -> String {
    let candidates = name.isEmpty ? ["net-\(uuid.prefix(8))"] : [name, "\(name)-\(uuid.prefix(8))"]
    return candidates.first { !networkNames.contains($0) } ?? "net-\(uuid)"
  }

  // MARK: Agents' records

  private mutating func mergeRecords() {
    var records: [AgentRecord] = []
    for (index, host) in deployment.hosts.enumerated() {
      for state in [host.before, host.after] {
        if let state { records += AgentRecord.all(of: state, host: index).filter(\.namesNetwork) }
      }
    }
    // First those that belong to a network of the intent, so that names do not depend on the order of hosts.
    for record in records { claim(record) }
    let fresh = records.filter { network(of: $0) == nil }
    let order = fresh.sorted {
      ($0.segmentationID ?? .max, $0.kind.rawValue, $0.networkUUID ?? "")
        < ($1.segmentationID ?? .max, $1.kind.rawValue, $1.networkUUID ?? "")
    }
    for record in order where network(of: record) == nil {
      let uuid = record.networkUUID
      let segment = record.segmentationID.map { "\(record.kind.rawValue)-\($0)" } ?? record.kind.rawValue
      let name = uuid.map { freeName("", uuid: $0) } ?? "net-\(segment)"
      add(
        Network(name: name, uuid: uuid, kind: record.kind, segmentationID: record.segmentationID, source: .agentRecord))
      if deployment.complete {
        contradiction(
          "\(deployment.hosts[record.host].name) has ports on a network that the intent does not know: "
            + words(record.kind, record.segmentationID), host: record.host)
      }
    }
    var differences: Set<String> = []
    for record in records { compare(record, &differences) }
  }

  /// The network that a record speaks of.
  func network(of record: AgentRecord) -> Int? {
    if let uuid = record.networkUUID { return networksByUUID[uuid] }
    guard let segment = record.segmentationID else { return nil }
    return deployment.networks.firstIndex { $0.kind == record.kind && $0.segmentationID == segment }
  }

  /// Finds the network of the intent that a record's UUID stands for: by segment, else by the
  /// intent's own entry of that port.
  private mutating func claim(_ record: AgentRecord) {
    guard let uuid = record.networkUUID, networksByUUID[uuid] == nil else { return }
    let found =
      unclaimed(kind: record.kind, segmentationID: record.segmentationID) ?? intended(record) ?? otherOverlay(record)
    if let index = found {
      adoptKind(record.kind, index)
      deployment.networks[index].uuid = uuid
      networksByUUID[uuid] = index
    }
  }

  private func intended(_ record: AgentRecord) -> Int? {
    guard let mac = record.mac, let entry = manifestHosts[record.host]?.ports.first(where: { $0.macs.contains(mac) }),
      let name = entry.network
    else { return nil }
    return deployment.networks.firstIndex { $0.name == name && $0.uuid == nil }
  }

  /// An overlay network of the manifest with this ID and another type: more likely a slip than a second network.
  private func otherOverlay(_ record: AgentRecord) -> Int? {
    guard record.kind.isOverlay, let segment = record.segmentationID else { return nil }
    return deployment.networks.firstIndex {
      $0.source == .manifest && $0.uuid == nil && $0.isOverlay && $0.segmentationID == segment
    }
  }

  /// A manifest that leaves the type out means the one that the deployment uses.
  private mutating func adoptKind(_ kind: Network.Kind, _ index: Int) {
    let network = deployment.networks[index]
    guard kind.isOverlay, network.source == .manifest, network.kind.isOverlay,
      manifest?.networks.first(where: { $0.name == network.name })?.hasType == false
    else { return }
    deployment.networks[index].kind = kind
  }

  private mutating func compare(_ record: AgentRecord, _ differences: inout Set<String>) {
    guard let index = network(of: record) else { return }
    let network = deployment.networks[index]
    guard record.kind != network.kind || record.segmentationID != network.segmentationID else { return }
    guard record.kind != .unknown, network.kind != .unknown else { return }
    let source =
      switch network.source {
      case .manifest: "in the manifest"
      case .neutron: "in Neutron"
      default: "in another port's record"
      }
    // Once for each host: all its ports on the network have the same record.
    let recorded = words(record.kind, record.segmentationID)
    guard differences.insert("\(record.host) \(index) \(recorded)").inserted else { return }
    deployment.segmentConflicts.append(
      SegmentConflict(
        host: record.host, network: index, kind: record.kind, segmentationID: record.segmentationID,
        port: record.port.name))
    contradiction(
      "\(deployment.hosts[record.host].name): the record of \(record.port.name) has network \(network.name) as "
        + "\(recorded); it is \(words(network.kind, network.segmentationID)) \(source)",
      host: record.host)
  }

  private func words(_ kind: Network.Kind, _ segmentationID: UInt32?) -> String {
    segmentationID.map { "\(kind.rawValue) \($0)" } ?? kind.rawValue
  }
}

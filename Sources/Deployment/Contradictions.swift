/// What sources that should agree do not agree on. Nothing here says which side is right.
extension Assembly {
  mutating func noteContradictions() {
    noteSharedSegments()
    for index in deployment.hosts.indices { noteLocalVLANs(host: index) }
    noteTags()
    if deployment.complete { noteUnknownRemotes() }
  }

  private mutating func noteSharedSegments() {
    for (index, network) in deployment.networks.enumerated() {
      guard network.isOverlay, let segment = network.segmentationID else { continue }
      for other in deployment.networks[..<index] where other.isOverlay && other.segmentationID == segment {
        // A GRE key and a VNI live in tunnels of their own.
        guard other.kind == network.kind else { continue }
        contradiction("networks \(other.name) and \(network.name) have the same \(network.kind.rawValue) ID \(segment)")
      }
    }
  }

  private mutating func noteLocalVLANs(host index: Int) {
    let host = deployment.hosts[index]
    let pairs = host.localVLANs.sorted { $0.key < $1.key }
    for (position, pair) in pairs.enumerated() {
      for other in pairs[..<position] where other.value == pair.value {
        contradiction(
          "\(host.name) has VLAN \(pair.value) for both \(deployment.networks[other.key].name) and "
            + deployment.networks[pair.key].name, host: index)
      }
    }
    var noted: Set<[Int]> = []
    for state in [host.before, host.after] {
      for record in state.map({ AgentRecord.all(of: $0, host: index) }) ?? [] {
        guard let network = network(of: record), let tag = record.tag, tag != 4095,
          let vlan = host.localVLANs[network], vlan != tag, noted.insert([network, Int(tag)]).inserted
        else { continue }
        contradiction(
          "\(host.name): the record of \(record.port.name) has VLAN \(tag) for network "
            + "\(deployment.networks[network].name), whose local VLAN there is \(vlan)", host: index)
      }
    }
  }

  private mutating func noteTags() {
    for port in deployment.ports {
      guard let recorded = port.recordedTag else { continue }
      let host = deployment.hosts[port.host]
      if port.installedTag != recorded, host.before != nil || port.installedTag != nil {
        contradiction(
          "\(host.name): port \(port.bridgePort ?? port.name) has \(tagWords(port.installedTag)), the agent's record "
            + "says \(tagWords(recorded))", host: port.host)
      }
      if host.before != nil, let after = port.installedTagAfter, after != port.installedTag {
        contradiction(
          "\(host.name): port \(port.bridgePort ?? port.name) has \(tagWords(port.installedTag)) before and "
            + "\(tagWords(after)) after the captures", host: port.host)
      }
    }
  }

  private mutating func noteUnknownRemotes() {
    let known = Set(deployment.hosts.flatMap(\.vteps))
    guard deployment.hosts.allSatisfy({ !$0.vteps.isEmpty }) else { return }
    for index in deployment.hosts.indices {
      for tunnel in deployment.tunnels(of: index) {
        guard let remote = tunnel.remote, !known.contains(remote) else { continue }
        contradiction(
          "\(deployment.hosts[index].name): tunnel port \(tunnel.name) leads to \(remote), which no host has", host: index)
      }
    }
  }
}

/// What sources that should agree do not agree on. Nothing here says which side is right.
extension Assembly {
  mutating func noteContradictions() {
    noteSharedSegments()
    for index in deployment.hosts.indices {
      noteLocalVLANs(host: index)
      if isUnintended(host: index) {
        contradiction(
          "\(deployment.hosts[index].name) is not among the hosts of the manifest, which says it is complete",
          file: manifest?.file ?? "", host: index)
      }
    }
    noteTags()
    if deployment.complete { noteUnknownRemotes() }
  }

  private mutating func noteSharedSegments() {
    // A GRE key and a VNI live in tunnels of their own.
    for kind in [Network.Kind.vxlan, .gre, .geneve] {
      var first: [UInt32: String] = [:]
      for network in deployment.networks where network.kind == kind {
        guard let segment = network.segmentationID else { continue }
        if let other = first[segment] {
          contradiction("networks \(other) and \(network.name) have the same \(kind.rawValue) ID \(segment)")
        } else {
          first[segment] = network.name
        }
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
      // A port that only the later state has was not there before, and has no tag of then.
      let wasThere = host.before?.bridges.contains { $0.ports.contains { $0.name == port.bridgePort } } ?? true
      if wasThere, port.installedTag != recorded {
        contradiction(
          "\(host.name): port \(port.bridgePort ?? port.name) has \(tagWords(port.installedTag)), the agent's record "
            + "says \(tagWords(recorded))", host: port.host)
      }
      if host.before != nil, wasThere, let after = port.installedTagAfter, after != port.installedTag {
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
          "\(deployment.hosts[index].name): tunnel port \(tunnel.name) leads to \(remote), which no host has",
          host: index)
      }
    }
  }
}

import Wire

/// Tunnel endpoint addresses of the hosts.
extension Assembly {
  /// The manifest's; else `local_ip` of the tunnel ports; else the host's own address that others
  /// tunnel to; else, by elimination, the one address that all the others tunnel to and the host itself does not.
  mutating func addEndpoints() {
    let remotes = deployment.hosts.indices.map { Set(deployment.tunnels(of: $0).compactMap(\.remote)) }
    for index in deployment.hosts.indices {
      if let vteps = manifestHosts[index]?.vteps, !vteps.isEmpty {
        deployment.hosts[index].vteps = vteps
        continue
      }
      let local = Set(deployment.tunnels(of: index).compactMap(\.local))
      if !local.isEmpty {
        deployment.hosts[index].vteps = local.sorted()
        continue
      }
      let others = remotes.indices.filter { $0 != index }.reduce(into: Set<IPAddress>()) { $0.formUnion(remotes[$1]) }
      let owned = deployment.hosts[index].addresses.filter(others.contains)
      if !owned.isEmpty { deployment.hosts[index].vteps = owned.sorted() }
    }
    eliminate(remotes)
  }

  private mutating func eliminate(_ remotes: [Set<IPAddress>]) {
    let all = remotes.reduce(into: Set<IPAddress>()) { $0.formUnion($1) }
    var taken = Set(deployment.hosts.flatMap(\.vteps))
    var found = true
    while found {
      found = false
      for index in deployment.hosts.indices where deployment.hosts[index].vteps.isEmpty && !remotes[index].isEmpty {
        let left = all.subtracting(remotes[index]).subtracting(taken)
        guard left.count == 1, let address = left.first else { continue }
        deployment.hosts[index].vteps = [address]
        taken.insert(address)
        found = true
      }
    }
  }
}

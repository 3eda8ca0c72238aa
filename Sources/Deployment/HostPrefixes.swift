/// Which host a file belongs to that lies in no host's directory.
extension HostFiles {
  /// Shares the files of one directory out to hosts: by what the manifest says, else by prefix where
  /// at least two prefixes suggest hosts and there is no state beside the captures.
  func spread(manifest: Manifest?) -> [HostFiles] {
    var result: [HostFiles] = []
    var rest = HostFiles(name: name, before: before, after: after)
    let names = manifest?.hosts.map(\.name) ?? []
    if names.contains(name) { return [self] }
    for file in captures {
      if let host = manifest.flatMap({ HostFiles.host(of: file.base, $0) }) {
        HostFiles.add([HostFiles(name: host, captures: [file])], to: &result)
      } else {
        rest.captures.append(file)
      }
    }
    let prefixes = rest.captures.map { hostPrefix(of: $0.base) }
    let hasState = !after.isEmpty || before.contains { !$0.base.hasPrefix("neutron") }
    if !hasState, prefixes.allSatisfy({ $0 != nil }), Set(prefixes).count > 1 {
      for (file, prefix) in zip(rest.captures, prefixes) {
        HostFiles.add([HostFiles(name: prefix ?? name, captures: [file])], to: &result)
      }
      rest.captures = []
    }
    if !rest.isEmpty { HostFiles.add([rest], to: &result) }
    return result
  }

  /// The manifest's host whose name begins the file's name, or the only one that has its interface.
  private static func host(of base: String, _ manifest: Manifest) -> String? {
    let named = manifest.hosts.filter { host in
      base.hasPrefix(host.name) && base.dropFirst(host.name.count).first.map { "-_.".contains($0) } ?? false
    }
    if let host = named.max(by: { $0.name.count < $1.name.count }) { return host.name }
    let owners = manifest.hosts.filter { host in
      let names = host.ports.flatMap { [$0.tap, $0.qvo] }.compactMap { $0 }
      return readCaptureName(base, known: Set(names)).interface.map(names.contains) ?? false
    }
    return owners.count == 1 ? owners[0].name : nil
  }

  /// Adds hosts to a list in which each name is there once.
  static func add(_ more: [HostFiles], to hosts: inout [HostFiles]) {
    for host in more {
      guard let index = hosts.firstIndex(where: { $0.name == host.name }) else {
        hosts.append(host)
        continue
      }
      hosts[index].captures += host.captures
      hosts[index].before += host.before
      hosts[index].after += host.after
    }
  }
}

extension BundleDiscovery {
  /// Gives the files that lie in the bundle's own directory to hosts.
  mutating func spreadOwnFiles(manifest: Manifest?) {
    guard !own.isEmpty else { return }
    let known = hosts.map(\.name)
    var rest = own
    rest.captures = []
    for file in own.captures {
      let owner = known.filter { file.base.hasPrefix($0 + "-") || file.base.hasPrefix($0 + "_") }.max {
        $0.count < $1.count
      }
      if let owner {
        HostFiles.add([HostFiles(name: owner, captures: [file])], to: &hosts)
      } else {
        rest.captures.append(file)
      }
    }
    HostFiles.add(rest.spread(manifest: manifest), to: &hosts)
  }
}

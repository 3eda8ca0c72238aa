import Wire

/// What one host's files said, before it is merged with intent.
struct HostEvidence {
  var name: String
  /// The host's own name by `collected.json`; Neutron binds ports to it.
  var aliases: Set<String> = []
  var before: HostState?
  var after: HostState?
  var devices: [HostInterface] = []
  var captures: [FoundFile] = []
}

/// Merges intent, the agents' records and installed state into one deployment. Its parts, in
/// order: hosts, networks, ports, tunnel endpoints, contradictions.
struct Assembly {
  var deployment = Deployment()
  let manifest: Manifest?
  let neutron: NeutronExport
  /// Manifest entry of a host, by host index.
  var manifestHosts: [Int: Manifest.HostEntry] = [:]
  var aliases: [Int: Set<String>] = [:]
  /// Network UUID → index.
  var networksByUUID: [String: Int] = [:]
  var networkNames: Set<String> = []
  /// By host: the indices of its ports, and the interfaces that state, manifest or captures name.
  var hostPorts: [[Int]] = []
  var interfaceNames: [Set<String>] = []
  private var hostsByID: [String: Int] = [:]
  private var noted: Set<StateNote> = []

  init(root: String, evidence: [HostEvidence], manifest: Manifest?, neutron: NeutronExport, notes: [StateNote]) {
    self.manifest = manifest
    self.neutron = neutron
    deployment.root = root
    deployment.notes = notes
    deployment.complete = manifest?.complete ?? false || neutron.hasNetworks && neutron.hasPorts
    mergeHosts(evidence)
    mergeNetworks()
    mergePorts()
    addEndpoints()
    noteContradictions()
  }

  mutating func contradiction(_ text: String, file: String = "", host: Int? = nil) {
    let note = StateNote(kind: .contradiction, file: file, text: text, host: host)
    if noted.insert(note).inserted { deployment.notes.append(note) }
  }

  // MARK: Hosts

  private mutating func mergeHosts(_ evidence: [HostEvidence]) {
    var names = Set(evidence.map(\.name))
    var all = evidence
    for entry in manifest?.hosts ?? []
    where !all.contains(where: { Assembly.sameHost(entry.name, $0.name, $0.aliases) }) {
      if names.insert(entry.name).inserted { all.append(HostEvidence(name: entry.name)) }
    }
    let boundTo = Set(neutron.ports.compactMap(\.hostID))
    for id in boundTo.sorted() where !all.contains(where: { Assembly.sameHost(id, $0.name, $0.aliases) }) {
      if names.insert(id).inserted { all.append(HostEvidence(name: id)) }
    }
    all.sort { naturallyPrecedes($0.name, $1.name) }
    for item in all {
      let index = deployment.hosts.count
      var host = Host(name: item.name)
      host.before = item.before
      host.after = item.after
      host.interfaces = item.devices
      var addresses: [IPAddress] = []
      for address in item.devices.flatMap(\.addresses) where !addresses.contains(address) { addresses.append(address) }
      host.addresses = addresses
      aliases[index] = item.aliases
      manifestHosts[index] = manifest?.hosts.first { Assembly.sameHost($0.name, item.name, item.aliases) }
      host.interfaceKinds = manifestHosts[index]?.interfaces ?? [:]
      deployment.hosts.append(host)
      hostPorts.append([])
      let known = knownInterfaces(of: index)
      let captures = Assembly.captures(of: item, host: index, known: known)
      deployment.captures += captures
      interfaceNames.append(known.union(captures.compactMap(\.interface)))
    }
    for id in boundTo {
      hostsByID[id] =
        deployment.hostIndex(named: id)
        ?? deployment.hosts.indices.first { Assembly.sameHost(id, deployment.hosts[$0].name, aliases[$0] ?? []) }
    }
  }

  /// The host of Neutron's `binding:host_id`.
  func host(bound id: String) -> Int? { hostsByID[id] }

  /// Whether the intent names all hosts and leaves this one out.
  func isUnintended(host index: Int) -> Bool {
    manifest?.complete ?? false && manifestHosts[index] == nil
  }

  mutating func add(_ port: Port) -> Int {
    hostPorts[port.host].append(deployment.ports.count)
    deployment.ports.append(port)
    return deployment.ports.count - 1
  }

  /// Names as they are, or one the other's first label (`compute1` of `compute1.example.org`).
  private static func sameHost(_ name: String, _ other: String, _ aliases: Set<String>) -> Bool {
    if name == other || aliases.contains(name) { return true }
    return aliases.union([other]).contains { candidate in
      candidate.hasPrefix(name + ".") || name.hasPrefix(candidate + ".")
    }
  }

  // MARK: Captures

  private static func captures(of item: HostEvidence, host index: Int, known: Set<String>) -> [CaptureSource] {
    let hostNames = [item.name] + item.aliases.sorted()
    var sources: [CaptureSource] = []
    for file in item.captures {
      let name = readCaptureName(file.base, known: known, hostNames: hostNames)
      var source = CaptureSource(
        path: file.path, name: file.name, host: index, interface: name.interface, direction: name.direction)
      source.sequence = rotationNumber(of: file.base)
      sources.append(source)
    }
    // Files of one interface lie together, rotated ones in their order.
    sources.sort { a, b in
      let (x, y) = (a.interface ?? "", b.interface ?? "")
      return x != y ? naturallyPrecedes(x, y) : naturallyPrecedes(a.name, b.name)
    }
    return sources
  }

  /// Interfaces that state or the manifest names on a host.
  private func knownInterfaces(of index: Int) -> Set<String> {
    let host = deployment.hosts[index]
    var known = Set(host.interfaces.map(\.name))
    for state in [host.before, host.after] {
      for bridge in state?.bridges ?? [] {
        known.insert(bridge.name)
        for port in bridge.ports { known.formUnion([port.name] + port.members) }
      }
    }
    if let entry = manifestHosts[index] {
      known.formUnion(entry.interfaces.keys)
      for port in entry.ports { known.formUnion([port.tap, port.qvo].compactMap { $0 }) }
    }
    known.remove("any")
    return known
  }
}

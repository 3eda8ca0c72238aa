import Wire
import Yams

extension Manifest {
  /// Reads the text of a manifest; the error holds everything that is wrong with it.
  static func read(_ text: String, file: String) throws(BundleError) -> Manifest {
    guard let root = try composeYAML(text, file: file) else { return Manifest(file: file) }
    var reader = ManifestReader(file: file)
    let manifest = reader.manifest(root)
    guard reader.problems.isEmpty else { throw BundleError(reader.problemsInOrder) }
    return manifest
  }
}

/// Walks the YAML nodes of a manifest and gathers what is wrong.
private struct ManifestReader: YAMLReader {
  let file: String
  var problems: [BundleError.Problem] = []
  private var manifest: Manifest

  init(file: String) {
    self.file = file
    manifest = Manifest(file: file)
  }

  mutating func manifest(_ root: Node) -> Manifest {
    for (key, value) in fields(root, of: "the manifest", known: ["networks", "hosts", "complete"]) {
      switch key.text {
      case "networks": for (name, node) in named(value, "networks") { network(name.text, node) }
      case "hosts": for (name, node) in named(value, "hosts") { host(name.text, node) }
      default: manifest.complete = boolean(value, "complete") ?? false
      }
    }
    checkReferences()
    return manifest
  }

  // MARK: Networks

  private mutating func network(_ name: String, _ node: Node) {
    var entry = Manifest.NetworkEntry(name: name)
    var number: (value: UInt64, node: Node, key: String)?
    var hasNumber = false
    for (key, value) in fields(node, of: "network \(name)", known: ["vni", "vlan", "type", "uuid"]) {
      switch key.text {
      case "vni", "vlan":
        if hasNumber { fail(key.node, "network \(name) has both vni and vlan") }
        hasNumber = true
        if let parsed = unsigned(value, key.text) { number = (parsed, value, key.text) }
      case "type":
        entry.kind = kind(value)
        entry.hasType = true
      default: entry.uuid = string(value, key.text)?.lowercased()
      }
    }
    if let number { entry.segmentationID = segmentation(number.value, number.node, number.key, entry) }
    if !hasNumber, ![.flat, .local].contains(entry.kind) {
      fail(node, "network \(name) has no \(entry.kind == .vlan ? "vlan" : "vni")")
    }
    manifest.networks.append(entry)
  }

  private mutating func kind(_ node: Node) -> Network.Kind {
    let kinds = ["vxlan", "gre", "geneve", "vlan", "flat", "local"]
    guard let text = string(node, "type") else { return .vxlan }
    guard kinds.contains(text), let kind = Network.Kind(rawValue: text) else {
      fail(node, "no network type: \(text)\(hint(text, kinds)); it is one of \(kinds.joined(separator: ", "))")
      return .vxlan
    }
    return kind
  }

  private mutating func segmentation(
    _ value: UInt64, _ node: Node, _ key: String, _ entry: Manifest.NetworkEntry
  ) -> UInt32? {
    let limit: ClosedRange<UInt64> =
      switch entry.kind {
      case .vlan: 1...4094
      case .gre: 0...0xffff_ffff
      default: 0...0xff_ffff
      }
    if key == "vlan", entry.kind != .vlan {
      fail(node, "network \(entry.name) is of type \(entry.kind.rawValue) and has a vni, not a vlan")
      return nil
    }
    guard limit.contains(value) else {
      fail(
        node, "\(key) \(value) is out of range: \(limit.lowerBound) to \(limit.upperBound) for \(entry.kind.rawValue)")
      return nil
    }
    return UInt32(value)
  }

  // MARK: Hosts

  private mutating func host(_ name: String, _ node: Node) {
    var entry = Manifest.HostEntry(name: name)
    for (key, value) in fields(node, of: "host \(name)", known: ["vtep", "vlans", "ports", "interfaces"]) {
      switch key.text {
      case "vtep": entry.vteps = list(value) { reader, item in reader.address(item, "vtep") }
      case "vlans":
        for (network, item) in named(value, "vlans") {
          reference(network.text, network.node)
          if let vlan = vlan(item, "vlan") { entry.vlans.append((network.text, vlan)) }
        }
      case "ports": for (port, item) in named(value, "ports") { entry.ports.append(self.port(port.text, item)) }
      default:
        for (interface, item) in named(value, "interfaces") {
          if let kind = pointKind(item) { entry.interfaces[interface.text] = kind }
        }
      }
    }
    manifest.hosts.append(entry)
  }

  private mutating func port(_ name: String, _ node: Node) -> Manifest.PortEntry {
    var entry = Manifest.PortEntry(name: name)
    entry.line = node.mark?.line ?? 0
    let known = ["network", "mac", "ip", "allowed", "tap", "qvo", "subports", "uuid", "owner", "security"]
    for (key, value) in fields(node, of: "port \(name)", known: known) {
      switch key.text {
      case "network":
        entry.network = string(value, key.text)
        if let network = entry.network { reference(network, value) }
      case "mac": entry.macs = list(value) { reader, item in reader.mac(item) }
      case "ip": entry.addresses = list(value) { reader, item in reader.address(item, "ip") }
      case "allowed": for item in items(value) { allowed(item, &entry) }
      case "tap": entry.tap = string(value, key.text)
      case "qvo": entry.qvo = string(value, key.text)
      case "uuid": entry.uuid = string(value, key.text)?.lowercased()
      case "owner": entry.owner = string(value, key.text)
      case "security": entry.security = boolean(value, key.text)
      default: for item in items(value) { subport(item, &entry) }
      }
    }
    return entry
  }

  /// A MAC, an address with or without prefix length, or a mapping of both.
  private mutating func allowed(_ node: Node, _ entry: inout Manifest.PortEntry) {
    if node.mapping != nil {
      for (key, value) in fields(node, of: "allowed", known: ["mac", "ip"]) {
        if key.text == "mac" {
          if let mac = mac(value) { entry.allowedMACs.append(mac) }
        } else if let text = string(value, "ip") {
          allowedAddress(text, value, &entry)
        }
      }
      return
    }
    guard let text = string(node, "allowed") else { return }
    if let mac = MACAddress(text) { entry.allowedMACs.append(mac) } else { allowedAddress(text, node, &entry) }
  }

  private mutating func allowedAddress(_ text: String, _ node: Node, _ entry: inout Manifest.PortEntry) {
    let parts = text.split(separator: "/", maxSplits: 1)
    guard let first = parts.first, let address = IPAddress(first),
      parts.count == 1 || (UInt8(parts[1]).map { $0 <= (address.family == .v4 ? 32 : 128) } ?? false)
    else { return fail(node, "neither a MAC nor an IP address: \(text)") }
    entry.allowedAddresses.append(text)
  }

  private mutating func subport(_ node: Node, _ entry: inout Manifest.PortEntry) {
    var number: UInt16?
    var network: String?
    for (key, value) in fields(node, of: "subport", known: ["vlan", "network"]) {
      if key.text == "vlan" {
        number = vlan(value, "vlan")
      } else if let name = string(value, "network") {
        reference(name, value)
        network = name
      }
    }
    guard let number, let network else {
      if node.mapping != nil, problems.isEmpty { fail(node, "a subport needs vlan and network") }
      return
    }
    entry.subports.append((number, network))
  }

  // MARK: References

  private var references: [(name: String, node: Node)] = []

  private mutating func reference(_ network: String, _ node: Node) { references.append((network, node)) }

  /// Networks may be defined behind the hosts that use them.
  private mutating func checkReferences() {
    let names = manifest.networks.map(\.name)
    let known = Set(names)
    for (name, node) in references where !known.contains(name) {
      fail(node, "no network of this name: \(name)\(hint(name, names))")
    }
  }

  // MARK: Values

  private mutating func vlan(_ node: Node, _ what: String) -> UInt16? {
    guard let value = unsigned(node, what) else { return nil }
    guard let vlan = UInt16(exactly: value), (1...4094).contains(vlan) else {
      fail(node, "\(what) \(value) is out of range: 1 to 4094")
      return nil
    }
    return vlan
  }

  private mutating func address(_ node: Node, _ what: String) -> IPAddress? {
    guard let text = string(node, what) else { return nil }
    guard let address = IPAddress(text) else {
      fail(node, "no IP address: \(text)")
      return nil
    }
    return address
  }

  private mutating func mac(_ node: Node) -> MACAddress? {
    guard let text = string(node, "mac") else { return nil }
    guard let mac = MACAddress(text), !mac.isGroup else {
      fail(node, "no MAC address of a port: \(text)")
      return nil
    }
    return mac
  }

  private mutating func pointKind(_ node: Node) -> PointKind? {
    let kinds = PointKind.allNames
    guard let text = string(node, "kind") else { return nil }
    guard let kind = PointKind(rawValue: text) else {
      fail(node, "no kind of interface: \(text)\(hint(text, kinds)); it is one of \(kinds.joined(separator: ", "))")
      return nil
    }
    return kind
  }
}

extension PointKind {
  /// Every kind as a manifest writes it.
  static var allNames: [String] {
    let kinds: [PointKind] = [
      .tap, .qvb, .qvo, .qbr, .bridge, .mirror, .tunnel, .tunnelDevice, .any, .patch, .provider, .trunk, .router,
      .unknown,
    ]
    return kinds.map(\.rawValue)
  }
}

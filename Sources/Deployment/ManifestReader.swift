import Wire
import Yams

extension Manifest {
  /// A manifest is written by people: a megabyte of it is a mistake.
  private static let sizeLimit = 1 << 20

  /// Reads the text of a manifest; the error holds everything that is wrong with it.
  static func read(_ text: String, file: String) throws(BundleError) -> Manifest {
    guard text.utf8.count <= sizeLimit else {
      throw BundleError(file: file, reason: "larger than 1 MiB, which no manifest is")
    }
    if let line = lineWithAlias(text) {
      throw BundleError(file: file, line: line, reason: "YAML aliases (*name) are not supported here")
    }
    var reader = ManifestReader(file: file)
    do {
      guard let root = try Yams.compose(yaml: text) else { return Manifest(file: file) }
      let manifest = reader.manifest(root)
      guard reader.problems.isEmpty else { throw BundleError(reader.problemsInOrder) }
      return manifest
    } catch let error as BundleError {
      throw error
    } catch let error as YamlError {
      throw BundleError([syntaxProblem(error, file: file)])
    } catch {
      throw BundleError(file: file, reason: "no valid YAML: \(error)")
    }
  }

  /// Aliases can make a small text stand for an endless one; a manifest has no need of them.
  private static func lineWithAlias(_ text: String) -> Int? {
    var number = 0
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      var before: Character = " "
      for (index, character) in zip(line.indices, line) {
        if character == "#", before.isWhitespace { break }
        if character == "*", " \t[{,:-?".contains(before), let next = line[line.index(after: index)...].first,
          next.isLetter || next.isNumber || next == "_"
        {
          return number
        }
        before = character
      }
    }
    return nil
  }

  private static func syntaxProblem(_ error: YamlError, file: String) -> BundleError.Problem {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      BundleError.Problem(file: file, line: mark.line, column: mark.column, reason: "no valid YAML: \(problem)")
    case .reader(let problem, _, _, _):
      BundleError.Problem(file: file, reason: "no valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      BundleError.Problem(
        file: file, line: context.mark.line, column: context.mark.column,
        reason: "the same key twice: \(duplicates.sorted().joined(separator: ", "))")
    default: BundleError.Problem(file: file, reason: "no valid YAML: \(error)")
    }
  }
}

/// Walks the YAML nodes of a manifest and gathers what is wrong.
private struct ManifestReader {
  let file: String
  var problems: [BundleError.Problem] = []
  private var manifest: Manifest

  var problemsInOrder: [BundleError.Problem] {
    problems.sorted { ($0.line, $0.column, $0.reason) < ($1.line, $1.column, $1.reason) }
  }

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
    let known = ["network", "mac", "ip", "allowed", "tap", "qvo", "subports", "uuid"]
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

  private typealias Key = (text: String, node: Node)

  private mutating func fail(_ node: Node, _ reason: String) {
    let problem = BundleError.Problem(
      file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, reason: reason)
    if problems.count < 50 { problems.append(problem) }
  }

  private func hint(_ word: String, _ known: [String]) -> String {
    likelyMeant(word, among: known).map { " (did you mean \($0)?)" } ?? ""
  }

  /// Key and value pairs of a mapping with any keys; an empty value counts as an empty mapping.
  private mutating func named(_ node: Node, _ what: String) -> [(Key, Node)] {
    guard let mapping = node.mapping else {
      if !isNull(node) { fail(node, "\(what) must be a mapping") }
      return []
    }
    var result: [(Key, Node)] = []
    for (key, value) in mapping {
      if let text = key.scalar?.string {
        result.append(((text, key), value))
      } else {
        fail(key, "a key of \(what) must be a word")
      }
    }
    return result
  }

  private mutating func fields(_ node: Node, of what: String, known: [String]) -> [(Key, Node)] {
    named(node, what).filter { key, _ in
      if known.contains(key.text) { return true }
      fail(
        key.node, "unknown key of \(what): \(key.text)\(hint(key.text, known)); it has \(known.joined(separator: ", "))"
      )
      return false
    }
  }

  private func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style == .plain else { return false }
    return ["", "~", "null"].contains(scalar.string)
  }

  /// A sequence, or a single value in its place.
  private func items(_ node: Node) -> [Node] {
    if let sequence = node.sequence { return Array(sequence) }
    return isNull(node) ? [] : [node]
  }

  private mutating func list<T>(_ node: Node, _ read: (inout ManifestReader, Node) -> T?) -> [T] {
    var result: [T] = []
    for item in items(node) { if let value = read(&self, item) { result.append(value) } }
    return result
  }

  private mutating func string(_ node: Node, _ what: String) -> String? {
    guard let scalar = node.scalar, !isNull(node), !scalar.string.isEmpty else {
      fail(node, "\(what) must be a word")
      return nil
    }
    return scalar.string
  }

  private mutating func unsigned(_ node: Node, _ what: String) -> UInt64? {
    guard let text = string(node, what) else { return nil }
    guard let value = unsignedNumber(text) else {
      fail(node, "\(what) must be a number in decimal or 0x hexadecimal: \(text)")
      return nil
    }
    return value
  }

  private mutating func vlan(_ node: Node, _ what: String) -> UInt16? {
    guard let value = unsigned(node, what) else { return nil }
    guard let vlan = UInt16(exactly: value), (1...4094).contains(vlan) else {
      fail(node, "\(what) \(value) is out of range: 1 to 4094")
      return nil
    }
    return vlan
  }

  private mutating func boolean(_ node: Node, _ what: String) -> Bool? {
    switch node.scalar?.string.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default:
      fail(node, "\(what) must be true or false")
      return nil
    }
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

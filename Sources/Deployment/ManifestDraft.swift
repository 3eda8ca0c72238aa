import Wire

/// Writes a deployment as a manifest (`lanecheck.yaml`) for people to correct: what sources say, with comments where
/// they disagree or where nothing is known.
public struct ManifestDraft {
  private let deployment: Deployment
  private var lines: [String] = []
  /// Name by network; nil for a network that a manifest cannot hold.
  private var networkNames: [String?] = []

  private init(_ deployment: Deployment) { self.deployment = deployment }

  /// The text of the manifest. Reading it again gives the same networks, hosts, ports and local VLANs.
  public static func text(of deployment: Deployment) -> String {
    var draft = ManifestDraft(deployment)
    draft.write()
    return draft.lines.joined(separator: "\n") + "\n"
  }

  private mutating func write() {
    comment("Drafted by lanecheck init from what the hosts and Neutron say. It says what is there, which need not be")
    comment("what should be: read it through, correct it, and save it as lanecheck.yaml in the bundle.")
    for note in deployment.notes where isDispute(note) && note.host == nil { comment("Check: " + note.text) }
    writeNetworks()
    writeHosts()
    lines.append("")
    if deployment.complete {
      lines.append("complete: true")
    } else {
      comment("Say so when these are all networks and hosts: others are then errors.")
      comment("complete: true")
    }
  }

  private func isDispute(_ note: StateNote) -> Bool { note.kind == .contradiction || note.kind == .disputed }

  private mutating func comment(_ text: String, indent: Int = 0) {
    let words = text.map { $0.isNewline ? " " : String($0) }.joined()
    let printable = words.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }.joined()
    lines.append(String(repeating: " ", count: indent) + "# " + printable)
  }

  // MARK: Networks

  private mutating func writeNetworks() {
    lines += ["", "networks:"]
    if deployment.networks.isEmpty { comment("No source names a network.", indent: 2) }
    var used: Set<String> = []
    for network in deployment.networks {
      let name = ManifestDraft.unique(network.name, &used)
      guard let (fields, remark) = ManifestDraft.fields(network) else {
        networkNames.append(nil)
        comment("\(name): its type and segment are not known", indent: 2)
        continue
      }
      networkNames.append(name)
      let origin = network.source == .installed ? "\(remark.isEmpty ? "  #" : ",") by flows and port tags alone" : ""
      lines.append("  \(ManifestDraft.quoted(name)): { \(fields.joined(separator: ", ")) }\(remark)\(origin)")
    }
  }

  private static func fields(_ network: Network) -> ([String], String)? {
    var fields: [String] = []
    var remark = ""
    switch network.kind {
    case .vxlan, .gre, .geneve:
      guard let id = network.segmentationID else { return nil }
      fields = ["vni: \(id)"]
      remark = "  # 0x" + String(id, radix: 16)
      // The type is written so that no one need guess it: a manifest without means VXLAN.
      fields.append("type: \(network.kind.rawValue)")
    case .vlan:
      guard let id = network.segmentationID else { return nil }
      fields = ["vlan: \(id)", "type: vlan"]
    case .flat, .local: fields = ["type: \(network.kind.rawValue)"]
    case .unknown: return nil
    }
    if let uuid = network.uuid { fields.append("uuid: \(quoted(uuid))") }
    return (fields, remark)
  }

  // MARK: Hosts

  private mutating func writeHosts() {
    lines += ["", "hosts:"]
    var used: Set<String> = []
    for (index, host) in deployment.hosts.enumerated() {
      lines.append("  \(ManifestDraft.quoted(ManifestDraft.unique(host.name, &used))):")
      for note in deployment.notes where isDispute(note) && note.host == index {
        comment("Check: " + note.text, indent: 4)
      }
      switch host.vteps.count {
      case 0: comment("vtep: not known (no tunnel port has local_ip, and no other host's tunnels lead here)", indent: 4)
      case 1: lines.append("    vtep: \(ManifestDraft.quoted("\(host.vteps[0])"))")
      default: lines.append("    vtep: \(ManifestDraft.list(host.vteps.map { "\($0)" }))")
      }
      let known = Set(deployment.hosts.flatMap(\.vteps))
      let others = Set(deployment.tunnels(of: index).compactMap(\.remote)).subtracting(known).sorted()
      if !others.isEmpty {
        let shown = others.prefix(8).map { "\($0)" }.joined(separator: ", ")
        comment(
          "Its tunnels also lead to \(shown)\(others.count > 8 ? " and \(others.count - 8) more" : ""), which no host "
            + "here has.", indent: 4)
      }
      writeVLANs(host)
      writePorts(index)
      if !host.interfaceKinds.isEmpty {
        let kinds = host.interfaceKinds.sorted { naturallyPrecedes($0.key, $1.key) }
          .map { "\(ManifestDraft.quoted($0.key)): \(ManifestDraft.quoted($0.value.rawValue))" }
        lines.append("    interfaces: { \(kinds.joined(separator: ", ")) }")
      }
    }
  }

  private mutating func writeVLANs(_ host: Host) {
    let pairs = host.localVLANs.sorted { $0.key < $1.key }.compactMap { network, vlan in
      networkNames[network].map { "\(ManifestDraft.quoted($0)): \(vlan)" }
    }
    if !pairs.isEmpty { lines.append("    vlans: { \(pairs.joined(separator: ", ")) }") }
  }

  private mutating func writePorts(_ host: Int) {
    let ports = deployment.ports.filter { $0.host == host }
    guard !ports.isEmpty else { return }
    lines.append("    ports:")
    var used: Set<String> = []
    for port in ports {
      let name = ManifestDraft.unique(port.name, &used)
      var fields: [String] = []
      var unknown: [String] = []
      if let network = port.network.flatMap({ networkNames[$0] }) {
        fields.append("network: \(ManifestDraft.quoted(network))")
      } else {
        unknown.append("network")
      }
      let macs = port.macs.filter { !$0.isGroup }
      if macs.isEmpty { unknown.append("mac") } else { fields.append("mac: \(ManifestDraft.one(macs.map { "\($0)" }))") }
      if port.addresses.isEmpty {
        unknown.append("ip")
      } else {
        fields.append("ip: \(ManifestDraft.list(port.addresses.map { "\($0)" }))")
      }
      let allowed = port.allowedMACs.filter { !$0.isGroup }.map { "\($0)" } + port.allowedAddresses
      if !allowed.isEmpty { fields.append("allowed: \(ManifestDraft.list(allowed))") }
      if let tap = port.tap { fields.append("tap: \(ManifestDraft.quoted(tap))") }
      if let qvo = port.qvo { fields.append("qvo: \(ManifestDraft.quoted(qvo))") }
      let subports = port.subports.compactMap { subport in
        networkNames[subport.network].map { "{ vlan: \(subport.vlan), network: \(ManifestDraft.quoted($0)) }" }
      }
      if !subports.isEmpty { fields.append("subports: [\(subports.joined(separator: ", "))]") }
      if let uuid = port.uuid { fields.append("uuid: \(ManifestDraft.quoted(uuid))") }
      if let owner = port.deviceOwner { fields.append("owner: \(ManifestDraft.quoted(owner))") }
      if port.portSecurity == false { fields.append("security: false") }
      let remark = unknown.isEmpty ? "" : "  # not known: \(unknown.joined(separator: ", "))"
      lines.append("      \(ManifestDraft.quoted(name)): { \(fields.joined(separator: ", ")) }\(remark)")
    }
  }

  // MARK: YAML

  /// A name that no other entry of the mapping has.
  private static func unique(_ name: String, _ used: inout Set<String>) -> String {
    var candidate = name
    var number = 2
    while !used.insert(candidate).inserted {
      candidate = "\(name)-\(number)"
      number += 1
    }
    return candidate
  }

  private static func one(_ items: [String]) -> String { items.count == 1 ? quoted(items[0]) : list(items) }

  private static func list(_ items: [String]) -> String { "[" + items.map(quoted).joined(separator: ", ") + "]" }

  /// A scalar that YAML reads as this very text: plain where it can be mistaken for nothing else.
  static func quoted(_ text: String) -> String {
    let bytes = text.utf8
    let isWord = bytes.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || [0x2d, 0x2e, 0x5f, 0x2f].contains(byte)
    }
    let starts = bytes.first.map { (0x61...0x7a).contains($0 | 0x20) } ?? false
    let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
    if isWord, starts, !words.contains(text.lowercased()) { return text }
    // Addresses: digits, dots and colons, which mean no number in YAML 1.2, and to which 1.1's sexagesimal ones are
    // no match with a letter or a dot in them.
    if IPAddress(text)?.family == .v4 { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
        result += "\\x" + String(scalar.value | 0x100, radix: 16).dropFirst()
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

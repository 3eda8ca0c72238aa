/// What a file of a bundle is, as far as its name or first octets tell.
enum FileKind: Equatable {
  case capture
  case vsctlShow
  /// Told apart by structure: OVSDB lists, `ip -j`, collected.json, Neutron's answers.
  case json
  /// `ovs-vsctl list TABLE` as it prints for people, and `--format=csv`.
  case ovsdbText
  case ovsdbCSV
  /// `ip addr`, `ip -d link`.
  case ipText
  case flows(bridge: String?, version: Int)
  case portList(bridge: String?)
  case forwarding(bridge: String?)
  case manifest
  /// Known, and of no use to the model: documentation, expectations, evidence for people.
  case quiet
  case unknown
}

/// Recognises files by name, and by content where names say nothing.
enum FileRecognition {
  private static let captureExtensions = ["pcap", "pcapng", "cap", "dmp", "ntar", "trc"]
  private static let compressions = ["gz", "zst", "xz", "bz2", "lz4"]
  private static let evidence = [
    "ethtool", "iptables", "ip6tables", "nft", "dpctl", "tc-", "bridge-", "sysctl", "uname", "readme", "license",
    "truth.json", "expect.",
  ]

  /// nil where the name says nothing.
  static func kind(named name: String) -> FileKind? {
    let lower = name.lowercased()
    if lower == "lanecheck.yaml" || lower == "lanecheck.yml" { return .manifest }
    if captureStem(name) != nil { return .capture }
    if let bridge = stem(name, ".flows") {
      let (base, version) = splitDialect(bridge)
      return .flows(bridge: base, version: version)
    }
    if let bridge = stem(name, ".ports") { return .portList(bridge: bridge) }
    if let bridge = stem(name, ".fdb") { return .forwarding(bridge: bridge) }
    if evidence.contains(where: lower.hasPrefix) { return .quiet }
    if lower.hasSuffix(".json") { return .json }
    if [".md", ".yaml", ".yml", ".rst", ".html", ".sarif"].contains(where: lower.hasSuffix) { return .quiet }
    if lower.hasPrefix("ovs-vsctl-show") || lower.hasPrefix("ovs-vsctl_show") { return .vsctlShow }
    return nil
  }

  /// Judges by the first octets of a file that is no capture.
  static func kind(content head: [UInt8]) -> FileKind {
    let text = String(decoding: head, as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).prefix(40)
    guard let first = lines.first(where: { !$0.allSatisfy(\.isWhitespace) }) else { return .unknown }
    let start = first.drop(while: \.isWhitespace)
    if start.hasPrefix("{") || start.hasPrefix("[") { return .json }
    if start.hasPrefix("OFPT_FEATURES_REPLY") { return .portList(bridge: nil) }
    if start.hasPrefix("port "), start.contains("VLAN"), start.contains("MAC") { return .forwarding(bridge: nil) }
    if start.contains("_FLOW reply") || lines.contains(where: { $0.contains(" actions=") }) {
      return .flows(bridge: nil, version: 0)
    }
    if OVSDBText.isCSV(first) { return .ovsdbCSV }
    if OVSDBText.isList(lines.map { $0 }) { return .ovsdbText }
    if lines.contains(where: { $0.trimmingPrefix(while: \.isWhitespace).hasPrefix("Bridge ") }) { return .vsctlShow }
    if IPText.isDevice(first) { return .ipText }
    return .unknown
  }

  /// The name without its capture extension (`eth1` of `eth1.pcap`, `eth1.pcap3`, `eth1.pcapng.gz`);
  /// nil where it has none.
  static func captureStem(_ name: String) -> String? {
    var rest = name[...]
    for compression in compressions where rest.lowercased().hasSuffix(".\(compression)") {
      rest = rest.dropLast(compression.count + 1)
    }
    guard let dot = rest.lastIndex(of: ".") else { return nil }
    let suffix = rest[rest.index(after: dot)...].lowercased()
    let isCapture = captureExtensions.contains { extent in
      suffix.hasPrefix(extent) && suffix.dropFirst(extent.count).utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
    return isCapture ? String(rest[..<dot]) : nil
  }

  /// The longest known bridge name in a file name (`dump-flows-br-tun.txt`), whole words only.
  static func bridgeName(in name: String, known: [String]) -> String? {
    let candidates = known + ["br-tun", "br-int", "br-ex"]
    let words = name.lowercased()
    return candidates.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }.first { candidate in
      words.ranges(of: candidate.lowercased()).contains { range in
        let before = range.lowerBound == words.startIndex ? nil : words[words.index(before: range.lowerBound)]
        let after = range.upperBound == words.endIndex ? nil : words[range.upperBound]
        return !(before.map(isNameCharacter) ?? false) && !(after.map(isNameCharacter) ?? false)
      }
    }
  }

  private static func isNameCharacter(_ character: Character) -> Bool { character.isLetter || character.isNumber }

  private static func stem(_ name: String, _ suffix: String) -> String? {
    name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count ? String(name.dropLast(suffix.count)) : nil
  }

  /// `br-tun.of13` → (`br-tun`, 13); `br-tun` → (`br-tun`, 0).
  private static func splitDialect(_ stem: String) -> (String, Int) {
    guard let dot = stem.lastIndex(of: "."), dot != stem.startIndex else { return (stem, 0) }
    let word = stem[stem.index(after: dot)...].lowercased()
    for prefix in ["openflow", "of"] where word.hasPrefix(prefix) {
      let digits = word.dropFirst(prefix.count)
      if digits.utf8.count == 2, let version = Int(digits), (10...15).contains(version) {
        return (String(stem[..<dot]), version)
      }
    }
    return (stem, 0)
  }
}

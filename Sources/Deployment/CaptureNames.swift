/// What the name of a capture file says.
struct CaptureName: Equatable {
  /// nil where the name says none (`any`, `capture`, `dump1`).
  var interface: String?
  var direction: CaptureSource.Direction?
}

/// Reads interface and direction out of a capture file's name.
///
/// The longest known interface name that begins the file name (and ends at a character that is
/// no letter or digit) wins. Where none does, the name up to the first `.`, `_NNNNN_` or time
/// stamp of a rotated file stands for the interface, unless it is a generic word or longer than
/// an interface name can be (15 octets). `eth1.100.pcap` is the VLAN sub-interface `eth1.100`. The host's
/// own name, or another word, may stand in front (`compute1-eth1.pcap`, `tcpdump_eth1.pcap`).
func readCaptureName(_ file: String, known: Set<String>, hostNames: [String] = []) -> CaptureName {
  let stem = FileRecognition.captureStem(file) ?? file
  var rest = stem[...]
  var direction = directionMark(at: rest)
  if direction == nil {
    // eth1.in_00001_20260101120000
    let bare = withoutRotation(rest)
    direction = directionMark(at: bare)
    if direction != nil { rest = bare }
  }
  if let direction { rest = rest.dropLast(direction == .inbound ? 3 : 4) }
  if let name = knownInterface(beginning: rest, known) { return CaptureName(interface: name, direction: direction) }
  for prefix in hostNames + generic {
    guard rest.utf8.count > prefix.utf8.count, rest.lowercased().hasPrefix(prefix.lowercased()) else { continue }
    let behind = rest.dropFirst(prefix.count)
    guard let separator = behind.first, "-_.".contains(separator) else { continue }
    let tail = behind.dropFirst()
    if let name = knownInterface(beginning: tail, known) { return CaptureName(interface: name, direction: direction) }
    if let name = plausible(withoutRotation(tail)), looksLikeInterface(name) {
      return CaptureName(interface: name, direction: direction)
    }
  }
  if let prefix = hostPrefix(of: String(rest) + ".pcap") {
    rest = rest.dropFirst(prefix.count + 1)
    if let name = knownInterface(beginning: rest, known) { return CaptureName(interface: name, direction: direction) }
  }
  return CaptureName(interface: plausible(withoutRotation(rest)), direction: direction)
}

/// The number that tcpdump (`-C`, `-W`: `eth1.pcap3`) or dumpcap (`eth1_00003_20260101120000.pcapng`) gave a
/// rotated file.
func rotationNumber(of file: String) -> Int? {
  var name = file[...]
  if let stem = FileRecognition.captureStem(file) {
    let rest = file.dropFirst(stem.count + 1).prefix { $0 != "." }
    let digits = rest.reversed().prefix { ("0"..."9").contains($0) }
    if !digits.isEmpty { return Int(String(digits.reversed())) }
    name = stem[...]
  }
  for part in name.split(separator: "_").dropFirst().reversed() {
    if part.utf8.count == 5, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return Int(part) }
  }
  return nil
}

/// The host that stands in front of the interface in `host1-eth1.pcap`, `host1_tap3f.pcap`; nil
/// where what follows does not look like an interface, or what stands in front does.
func hostPrefix(of file: String) -> String? {
  let stem = FileRecognition.captureStem(file) ?? file
  for (index, character) in zip(stem.indices, stem) where "-_.".contains(character) {
    let prefix = String(stem[..<index])
    let tail = withoutRotation(stem[stem.index(after: index)...])
    if !prefix.isEmpty, !isGeneric(prefix) || isNumberedHost(prefix), !looksLikeInterface(prefix), looksLikeInterface(String(tail)) {
      return prefix
    }
  }
  return nil
}

/// Whether a name is of a kind that hosts of an overlay have.
func looksLikeInterface(_ name: String) -> Bool {
  if name == "any" || name == "lo" { return true }
  let prefixes = [
    "tap", "qvo", "qvb", "qbr", "vhu", "qr-", "qg-", "ha-", "sg-", "fg-", "tbr-", "tpi-", "tpt-", "spi-", "spt-",
    "int-br-", "phy-br-", "br-", "vxlan", "gre", "genev", "patch-", "ovs-", "veth", "vnet", "virbr",
  ]
  if prefixes.contains(where: { name.hasPrefix($0) && name.utf8.count > $0.utf8.count }) { return true }
  return isPhysicalName(name)
}

/// Whether a name is one that the kernel or systemd gives to network cards, bonds and teams.
func isPhysicalName(_ name: String) -> Bool {
  let prefixes = ["eth", "ens", "eno", "enp", "enP", "enx", "em", "bond", "team", "ib", "wlan", "wlp"]
  for prefix in prefixes where name.hasPrefix(prefix) {
    if let next = name.dropFirst(prefix.count).first, next.isHexDigit { return true }
  }
  // Bios device names: p4p1.
  let parts = name.split(separator: "p", omittingEmptySubsequences: false)
  return parts.count == 3 && parts[0].isEmpty && Int(parts[1]) != nil && Int(parts[2].prefix { $0 != "." }) != nil
}

private let generic = [
  "any", "all", "capture", "captures", "dump", "trace", "traffic", "packets", "packet", "pcap", "tcpdump",
  "dumpcap", "wireshark", "tshark", "multi", "test", "output", "out", "in", "host", "merged",
]

/// `host1`: a file of that name alone says no interface, and before one it says the host.
private func isNumberedHost(_ name: String) -> Bool { name.lowercased().hasPrefix("host") && name.last?.isNumber ?? false }

/// `any`, `capture2`, `dump`.
private func isGeneric(_ name: String) -> Bool {
  let word = name.lowercased()
  return generic.contains { word.hasPrefix($0) && word.dropFirst($0.count).allSatisfy(\.isNumber) }
}

private func directionMark(at stem: Substring) -> CaptureSource.Direction? {
  if stem.hasSuffix(".in") { return .inbound }
  if stem.hasSuffix(".out") { return .outbound }
  return nil
}

private func knownInterface(beginning text: Substring, _ known: Set<String>) -> String? {
  // A VLAN sub-interface that is not known is not its parent.
  if let vlan = subInterface(text), known.contains(String(vlan.prefix { $0 != "." })), !known.contains(vlan) {
    return vlan
  }
  var end = text.endIndex
  while end > text.startIndex {
    let candidate = text[..<end]
    let next = end == text.endIndex ? nil : text[end]
    let isBoundary = next.map { !$0.isLetter && !$0.isNumber } ?? true
    if isBoundary, known.contains(String(candidate)) { return String(candidate) }
    end = text.index(before: end)
  }
  return nil
}

/// `eth1.100` of `eth1.100` or `eth1.100_00001_20260101120000`.
private func subInterface(_ text: Substring) -> String? {
  let bare = withoutRotation(text)
  let parts = bare.split(separator: ".", omittingEmptySubsequences: false)
  guard parts.count == 2, !parts[0].isEmpty, let vlan = UInt16(parts[1]), (1...4094).contains(vlan) else { return nil }
  return String(bare)
}

/// Cuts `_00001`, `_00001_20260101120000`, and time stamps such as `-2026-01-01_12-00-00` or `_1767225600`.
private func withoutRotation(_ text: Substring) -> Substring {
  var rest = text
  while let separator = rest.lastIndex(where: { "_-.".contains($0) }), separator != rest.startIndex {
    let tail = rest[rest.index(after: separator)...]
    let digits = tail.filter { $0 != "T" && $0 != "Z" && $0 != ":" }
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { break }
    // Fewer than five digits are a rotation only as part of a date or time (2026-01-01_12-00-00).
    let isDatePart = digits.utf8.count <= 2 || digits.utf8.count == 4
    guard digits.utf8.count >= 5 || isDatePart && separatesDate(rest, at: separator) else { break }
    rest = rest[..<separator]
  }
  return rest
}

/// Whether the digits behind `separator` end a date or time of at least three parts.
private func separatesDate(_ text: Substring, at separator: Substring.Index) -> Bool {
  let parts = text.split { "_-:T".contains($0) }
  let isShort: (Substring) -> Bool = { (1...2).contains($0.utf8.count) && $0.allSatisfy(\.isNumber) }
  guard
    let year = parts.firstIndex(where: {
      $0.utf8.count == 4 && ($0.hasPrefix("19") || $0.hasPrefix("20")) && Int($0) != nil
    })
  else { return false }
  return year > 0 && parts[(year + 1)...].allSatisfy(isShort) && text[separator] != "."
}

/// The name, if an interface can be called so.
private func plausible(_ text: Substring) -> String? {
  if let vlan = subInterface(text) { return vlan.utf8.count <= 15 ? vlan : nil }
  let name = String(text.prefix { $0 != "." })
  guard !name.isEmpty, name.utf8.count <= 15, !isGeneric(name) else { return nil }
  let isAllowed: (Character) -> Bool = { $0.isASCII && ($0.isLetter || $0.isNumber || "-_@".contains($0)) }
  return name.allSatisfy(isAllowed) ? name : nil
}

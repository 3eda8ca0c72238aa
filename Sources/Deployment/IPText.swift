import Wire

/// Devices from the text that `ip addr`, `ip -d link`, `ip -s -d link` and `ip -o addr` print for people.
enum IPText {
  /// Whether a line begins a device: `2: eth0@if3: <BROADCAST> mtu 1500`, `2: eth0    inet 192.0.2.1/24`.
  static func isDevice(_ line: Substring) -> Bool { device(line) != nil }

  /// The devices, and the lines that fit nowhere.
  static func read(_ text: String) -> (devices: [HostInterface], unreadable: [UnreadableText]) {
    var devices: [HostInterface] = []
    var positions: [String: Int] = [:]
    var unreadable: [UnreadableText] = []
    var current: Int?
    var number = 0
    // Words of counters and lifetimes follow lines that announce them.
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      guard let first = line.first else { continue }
      if let (head, rest) = device(line) {
        if let known = positions[head.name] {
          current = known
        } else {
          positions[head.name] = devices.count
          current = devices.count
          devices.append(head)
        }
        if let current { take(rest, &devices[current]) }
      } else if first.isWhitespace, let current {
        take(line[...], &devices[current])
      } else if !line.allSatisfy(\.isWhitespace) {
        unreadable.append(UnreadableText(line: number, reason: "not a line of ip: \(line.prefix(80))"))
        current = nil
      }
    }
    return (devices, unreadable)
  }

  private static func device(_ line: Substring) -> (HostInterface, Substring)? {
    guard let colon = line.firstIndex(of: ":"), let index = UInt32(line[..<colon]) else { return nil }
    let rest = line[line.index(after: colon)...].drop(while: \.isWhitespace)
    let word = rest.prefix { !$0.isWhitespace }
    let behind = rest[word.endIndex...]
    let full = word.hasSuffix(":") ? word.dropLast() : word
    guard !full.isEmpty else { return nil }
    if !word.hasSuffix(":"), !["inet", "inet6", "link/ether"].contains(behind.trimmed.prefix { !$0.isWhitespace }) {
      return nil
    }
    // `eth1.100@eth1`, `qvb@if7`: what lies beneath, or the other end in another namespace.
    let parts = full.split(separator: "@", maxSplits: 1)
    guard let name = parts.first else { return nil }
    var device = HostInterface(name: String(name))
    device.index = index
    if parts.count == 2, parts[1] != "NONE", !(parts[1].hasPrefix("if") && UInt32(parts[1].dropFirst(2)) != nil) {
      device.link = String(parts[1])
    }
    return (device, behind)
  }

  /// Kinds of `ip -d link`, which stand alone at the beginning of a line.
  private static let kinds: Set<String> = [
    "veth", "tun", "bridge", "bond", "vlan", "vxlan", "openvswitch", "dummy", "macvlan", "macvtap", "ipvlan", "team",
    "gre", "gretap", "geneve", "vrf", "ip6gretap",
  ]

  private static func take(_ line: Substring, _ device: inout HostInterface) {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard let first = words.first else { return }
    switch first {
    case "inet", "inet6":
      if words.count > 1, let address = ipAddress(words[1]), !device.addresses.contains(address) {
        device.addresses.append(address)
      }
      return
    case _ where first.hasPrefix("link/"):
      if words.count > 1 { device.mac = device.mac ?? MACAddress(words[1]) }
    case _ where kinds.contains(String(first)):
      device.kind = device.kind ?? String(first)
    default: break
    }
    for (word, value) in zip(words, words.dropFirst()) {
      switch word {
      case "mtu": device.mtu = device.mtu ?? Int(value)
      case "master": device.master = device.master ?? String(value)
      default: break
      }
    }
  }
}

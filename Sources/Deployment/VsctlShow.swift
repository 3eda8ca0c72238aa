/// `ovs-vsctl show`, of old releases (quoted names) and new ones. Read by keyword, not by indentation.
struct VsctlShow {
  struct BridgeEntry {
    var name: String
    var failMode: String?
    var datapathType: String?
    var ports: [PortEntry] = []
  }

  struct PortEntry {
    var name: String
    var tag: UInt16?
    var trunks: [UInt16] = []
    var interfaces: [InterfaceEntry] = []
  }

  struct InterfaceEntry {
    var name: String
    var type = ""
    var options: [String: String] = [:]
    var error: String?
  }

  var bridges: [BridgeEntry] = []
  var ovsVersion: String?
  var unreadable: [UnreadableText] = []

  init(text: String) {
    var number = 0
    // CRLF is one Character and counts as one line end.
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      let start = line.drop(while: \.isWhitespace)
      guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { continue }
      if let reason = read(start[...last], isFirst: number == 1) {
        unreadable.append(UnreadableText(line: number, reason: reason))
      }
    }
  }

  /// Takes one line; returns why it could not be read.
  private mutating func read(_ line: Substring, isFirst: Bool) -> String? {
    if let colon = line.firstIndex(of: ":"), !line[..<colon].contains(where: \.isWhitespace) {
      let value = line[line.index(after: colon)...].drop(while: \.isWhitespace)
      return readAttribute(String(line[..<colon]), value)
    }
    let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
    let name = words.count == 2 ? VsctlShow.unquoted(words[1]) : nil
    switch (words[0], name) {
    case ("Bridge", let name?): bridges.append(BridgeEntry(name: name))
    case ("Port", let name?):
      guard !bridges.isEmpty else { return "a port outside of any bridge" }
      bridges[bridges.count - 1].ports.append(PortEntry(name: name))
    case ("Interface", let name?):
      guard updatePort({ $0.interfaces.append(InterfaceEntry(name: name)) }) else {
        return "an interface outside of any port"
      }
    case ("Controller", _), ("Manager", _): break
    default: return words.count == 1 && isFirst ? nil : "not a line of ovs-vsctl show: \(line.prefix(80))"
    }
    return nil
  }

  private mutating func readAttribute(_ key: String, _ value: Substring) -> String? {
    switch key {
    case "ovs_version": ovsVersion = VsctlShow.unquoted(value)
    case "fail_mode":
      guard !bridges.isEmpty else { return "fail_mode outside of any bridge" }
      bridges[bridges.count - 1].failMode = VsctlShow.unquoted(value)
    case "datapath_type":
      guard !bridges.isEmpty else { return "datapath_type outside of any bridge" }
      bridges[bridges.count - 1].datapathType = VsctlShow.unquoted(value)
    case "tag":
      guard let tag = UInt16(value), tag < 4096 else { return "no VLAN: tag: \(value.prefix(40))" }
      guard updatePort({ $0.tag = tag }) else { return "a tag outside of any port" }
    case "trunks":
      let items = value.filter { $0 != "[" && $0 != "]" }.split { $0 == "," || $0.isWhitespace }
      let trunks = items.compactMap { UInt16($0) }.filter { $0 < 4096 }
      guard updatePort({ $0.trunks = trunks }) else { return "trunks outside of any port" }
      if trunks.count != items.count { return "no list of VLANs: trunks: \(value.prefix(40))" }
    case "type":
      let type = VsctlShow.unquoted(value)
      guard updateInterface({ $0.type = type }) else { return "a type outside of any interface" }
    case "options":
      guard let options = VsctlShow.map(value) else { return "options that cannot be read: \(value.prefix(80))" }
      guard updateInterface({ $0.options = options }) else { return "options outside of any interface" }
    case "error":
      let text = VsctlShow.unquoted(value)
      // A bridge or port can have an error too; only that of an interface tells why a port does not work.
      updateInterface { $0.error = text }
    case "is_connected", "target", "status", "other_config", "external_ids": break
    default: return "an unknown attribute: \(key.prefix(40))"
    }
    return nil
  }

  @discardableResult
  private mutating func updatePort(_ change: (inout PortEntry) -> Void) -> Bool {
    let bridge = bridges.count - 1
    guard bridge >= 0, !bridges[bridge].ports.isEmpty else { return false }
    change(&bridges[bridge].ports[bridges[bridge].ports.count - 1])
    return true
  }

  @discardableResult
  private mutating func updateInterface(_ change: (inout InterfaceEntry) -> Void) -> Bool {
    var found = false
    updatePort { port in
      guard !port.interfaces.isEmpty else { return }
      change(&port.interfaces[port.interfaces.count - 1])
      found = true
    }
    return found
  }

  /// A bare word as it is; a quoted one without its quotes and escapes.
  static func unquoted(_ text: Substring) -> String {
    guard text.hasPrefix("\"") else { return String(text) }
    var result = ""
    var isEscaped = false
    for character in text.dropFirst() {
      if isEscaped {
        result.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        break
      } else {
        result.append(character)
      }
    }
    return result
  }

  /// `{in_key=flow, remote_ip="192.0.2.2"}`; nil where it is no such map.
  static func map(_ text: Substring) -> [String: String]? {
    guard text.hasPrefix("{"), text.hasSuffix("}") else { return nil }
    var result: [String: String] = [:]
    var rest = text.dropFirst().dropLast()
    while true {
      rest = rest.drop { $0.isWhitespace || $0 == "," }
      if rest.isEmpty { return result }
      let key = token(&rest, until: "=")
      guard rest.first == "=" else { return nil }
      rest = rest.dropFirst()
      result[unquoted(key)] = unquoted(token(&rest, until: ","))
    }
  }

  /// Cuts off the text before `end`, which does not count inside quotes.
  private static func token(_ rest: inout Substring, until end: Character) -> Substring {
    var isQuoted = false
    var isEscaped = false
    var index = rest.startIndex
    while index < rest.endIndex {
      let character = rest[index]
      if isEscaped {
        isEscaped = false
      } else if character == "\\" {
        isEscaped = isQuoted
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == end, !isQuoted {
        break
      }
      index = rest.index(after: index)
    }
    defer { rest = rest[index...] }
    return rest[..<index]
  }
}

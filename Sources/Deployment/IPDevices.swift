import Wire

/// `ip -j addr` and `ip -s -d -j link`: one reader for both, since one may hold what the other lacks.
enum IPDevices {
  /// The devices, and how many entries are none; nil where the value is no list of devices.
  static func read(_ value: JSONValue) -> (devices: [HostInterface], malformed: Int)? {
    guard let items = value.array else { return nil }
    // `ip -j` prints empty objects between devices when it filters.
    let entries = items.filter { $0.object?.isEmpty != true }
    let devices = entries.compactMap(device)
    guard !devices.isEmpty || entries.isEmpty else { return nil }
    return (devices, entries.count - devices.count)
  }

  private static func device(_ value: JSONValue) -> HostInterface? {
    guard let name = value["ifname"]?.string, !name.isEmpty else { return nil }
    var device = HostInterface(name: name)
    device.index = value["ifindex"]?.unsigned.flatMap { UInt32(exactly: $0) }
    device.mac = value["address"]?.string.flatMap { MACAddress($0) }
    device.mtu = value["mtu"]?.unsigned.flatMap { Int(exactly: $0) }
    device.master = value["master"]?.string
    device.link = value["link"]?.string
    device.kind = value["linkinfo"]?["info_kind"]?.string
    device.switchID = value["phys_switch_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    for address in value["addr_info"]?.array ?? [] {
      if let parsed = address["local"]?.string.flatMap({ ipAddress($0) }) { device.addresses.append(parsed) }
    }
    return device
  }

  /// Adds what `more` knows and `devices` does not.
  static func merge(_ more: [HostInterface], into devices: inout [HostInterface]) {
    var positions = Dictionary(devices.enumerated().map { ($1.name, $0) }) { first, _ in first }
    for device in more {
      guard let position = positions[device.name] else {
        positions[device.name] = devices.count
        devices.append(device)
        continue
      }
      var known = devices[position]
      known.index = known.index ?? device.index
      known.mac = known.mac ?? device.mac
      known.mtu = known.mtu ?? device.mtu
      known.master = known.master ?? device.master
      known.link = known.link ?? device.link
      known.kind = known.kind ?? device.kind
      known.switchID = known.switchID ?? device.switchID
      for address in device.addresses where !known.addresses.contains(address) { known.addresses.append(address) }
      devices[position] = known
    }
  }
}

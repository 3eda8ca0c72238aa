import Wire

/// Answers of Neutron's API (v2.0 networks and ports) as JSON.
struct NeutronExport {
  struct NetworkEntry {
    var uuid: String
    var name: String
    var kind: Network.Kind
    var segmentationID: UInt32?
  }

  struct PortEntry {
    var uuid: String
    var name: String
    var network: String?
    var mac: MACAddress?
    var addresses: [IPAddress] = []
    var allowedMACs: [MACAddress] = []
    var allowedAddresses: [String] = []
    var hostID: String?
    var deviceOwner: String?
    var portSecurity: Bool?
    var active = true
    var subports: [(vlan: UInt16, port: String)] = []
  }

  var networks: [NetworkEntry] = []
  var ports: [PortEntry] = []
  /// Whether each list was there: both make the intent complete.
  var hasNetworks = false
  var hasPorts = false
  /// Entries without the fields that identify them.
  var malformed = 0

  /// Takes an answer; false where it is none of Neutron's.
  mutating func add(_ value: JSONValue) -> Bool {
    var found = false
    if let items = value["networks"]?.array ?? bare(value, with: "provider:network_type") {
      hasNetworks = true
      found = true
      for item in items { add(network: item) }
    }
    if let items = value["ports"]?.array ?? bare(value, with: "mac_address") {
      hasPorts = true
      found = true
      for item in items { add(port: item) }
    }
    return found
  }

  /// A list without its envelope.
  private func bare(_ value: JSONValue, with key: String) -> [JSONValue]? {
    guard let items = value.array, let first = items.first, first[key] != nil, first["id"] != nil else { return nil }
    return items
  }

  private mutating func add(network item: JSONValue) {
    guard let uuid = item["id"]?.string?.lowercased(), !uuid.isEmpty else {
      malformed += 1
      return
    }
    let type = item["provider:network_type"]?.string ?? ""
    networks.append(
      NetworkEntry(
        uuid: uuid, name: item["name"]?.string ?? "", kind: Network.Kind(agentType: type),
        segmentationID: item["provider:segmentation_id"]?.unsigned.flatMap { UInt32(exactly: $0) }))
  }

  private mutating func add(port item: JSONValue) {
    guard let uuid = item["id"]?.string?.lowercased(), !uuid.isEmpty else {
      malformed += 1
      return
    }
    var port = PortEntry(uuid: uuid, name: item["name"]?.string ?? "")
    port.network = item["network_id"]?.string?.lowercased()
    port.mac = item["mac_address"]?.string.flatMap { MACAddress($0) }
    port.addresses = (item["fixed_ips"]?.array ?? []).compactMap { $0["ip_address"]?.string.flatMap { ipAddress($0) } }
    for pair in item["allowed_address_pairs"]?.array ?? [] {
      if let mac = pair["mac_address"]?.string.flatMap({ MACAddress($0) }), mac != port.mac {
        port.allowedMACs.append(mac)
      }
      if let address = pair["ip_address"]?.string { port.allowedAddresses.append(address) }
    }
    port.hostID = item["binding:host_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    port.deviceOwner = item["device_owner"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    port.portSecurity = item["port_security_enabled"]?.bool
    port.active = item["status"]?.string.map { $0.uppercased() == "ACTIVE" } ?? true
    for subport in item["trunk_details"]?["sub_ports"]?.array ?? [] {
      guard let vlan = subport["segmentation_id"]?.unsigned.flatMap({ UInt16(exactly: $0) }), (1...4094).contains(vlan),
        let id = subport["port_id"]?.string?.lowercased()
      else {
        malformed += 1
        continue
      }
      port.subports.append((vlan, id))
    }
    ports.append(port)
  }
}

extension Network.Kind {
  /// Neutron's `provider:network_type`, and the agent's `network_type`.
  init(agentType text: String) { self = Network.Kind(rawValue: text.lowercased()) ?? .unknown }
}

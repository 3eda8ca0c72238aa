import Wire

/// The overlay that the benchmark's captures come from: two hosts, sixteen tenant networks, 256 guests, whose
/// taps are plugged straight into br-int.
struct Overlay {
  struct Guest {
    var name: String
    var tap: String
    var host: Int
    var network: Int
    var mac: MACAddress
    var address: IPAddress
  }

  static let hostNames = ["compute1", "compute2"]
  static let networkCount = 16
  /// Of one network on one host.
  static let guestsPerCell = 8

  let guests: [Guest]
  let vteps = [IPAddress(v4: 0xc633_640b), IPAddress(v4: 0xc633_640c)]
  let underlayMACs = [MACAddress(rawValue: 0x5254_0000_0b01), MACAddress(rawValue: 0x5254_0000_0c01)]

  init() {
    var guests: [Guest] = []
    for host in Self.hostNames.indices {
      for network in 0..<Self.networkCount {
        for number in 0..<Self.guestsPerCell {
          let id = UInt32(guests.count + 1) &* 0x9e37_79b1
          let octet = number * Self.hostNames.count + host + 11
          guests.append(
            Guest(
              name: "vm-\(network)-\(octet)",
              tap: "tap\(hexadecimal(id, digits: 8))-\(hexadecimal(UInt32(guests.count & 0xff), digits: 2))",
              host: host, network: network, mac: MACAddress(rawValue: 0xfa16_3e00_0000 | UInt64(id >> 8)),
              // The tenants' address ranges overlap.
              address: IPAddress(v4: 0x0a00_0000 | UInt32(octet))))
        }
      }
    }
    self.guests = guests
  }

  static func networkName(_ network: Int) -> String { "tenant-\(network)" }

  static func vni(_ network: Int) -> UInt32 { 0x1001 + UInt32(network) * 37 }

  /// The hosts number their VLANs in opposite orders: every VLAN stands for another network on the other host.
  static func localVLAN(_ network: Int, on host: Int) -> UInt16 {
    UInt16(host == 0 ? network + 1 : networkCount - network)
  }

  /// Guests of a network on a host, as indices into `guests`.
  static func cell(_ network: Int, on host: Int) -> Range<Int> {
    let start = (host * networkCount + network) * guestsPerCell
    return start..<start + guestsPerCell
  }
}

func hexadecimal(_ value: UInt32, digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}

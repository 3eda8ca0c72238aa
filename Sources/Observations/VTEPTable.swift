import Wire

/// Tunnel endpoint addresses of the run, as small numbers.
public struct VTEPTable: Sendable {
  /// Addresses with an index below `known` belong to a host of the deployment or to a peer named in
  /// a tunnel list; those behind were met in captures.
  public private(set) var addresses: [IPAddress] = []
  /// Host of each known address; nil for peers that are no host of this deployment.
  public private(set) var hosts: [Int?] = []
  private var slots: [UInt16]
  private var mask: Int

  /// No address: foreign frames, and addresses past the bound.
  public static let none = UInt16.max
  /// How many addresses a table keeps. An attacker may send from any number.
  public static let bound = 4096

  public init() {
    slots = Array(repeating: VTEPTable.none, count: 64)
    mask = 63
  }

  private static func hash(_ address: IPAddress) -> Int {
    let product = (address.low ^ address.high &* 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return Int(truncatingIfNeeded: (product.high ^ product.low) & 0x7fff_ffff)
  }

  /// The index of an address, or `none`.
  public func index(of address: IPAddress) -> UInt16 {
    var at = VTEPTable.hash(address) & mask
    while true {
      let slot = slots[at]
      if slot == VTEPTable.none { return slot }
      if addresses[Int(slot)] == address { return slot }
      at = (at + 1) & mask
    }
  }

  /// Adds an address, or finds it. Returns `none` where the table is full.
  public mutating func insert(_ address: IPAddress, host: Int?) -> UInt16 {
    let found = index(of: address)
    if found != VTEPTable.none {
      if hosts[Int(found)] == nil { hosts[Int(found)] = host }
      return found
    }
    guard addresses.count < VTEPTable.bound else { return VTEPTable.none }
    addresses.append(address)
    hosts.append(host)
    if addresses.count * 2 > slots.count { grow() } else { place(UInt16(addresses.count - 1)) }
    return UInt16(addresses.count - 1)
  }

  private mutating func grow() {
    slots = Array(repeating: VTEPTable.none, count: slots.count * 2)
    mask = slots.count - 1
    for number in addresses.indices { place(UInt16(number)) }
  }

  private mutating func place(_ number: UInt16) {
    var at = VTEPTable.hash(addresses[Int(number)]) & mask
    while slots[at] != VTEPTable.none { at = (at + 1) & mask }
    slots[at] = number
  }
}

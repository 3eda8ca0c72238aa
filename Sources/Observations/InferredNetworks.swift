import Deployment
import Wire

/// Networks, MACs and addresses of ports that no source names, by the frames of the sample.
extension Survey {
  /// Networks of ports that no source names: by the VNI under which their frames travel.
  ///
  /// Networks are told apart by the kind of their tunnels and their ID: the same number may be one network's key in GRE
  /// and another's VNI in VXLAN.
  mutating func inferNetworks() {
    defer { nameAddresses() }
    let unknown = Set(result.deployment.ports.indices.filter { result.deployment.ports[$0].network == nil })
    if result.deployment.networks.isEmpty { result.inferredNetworks = true }
    let lanes = lanesOfSample()
    // An ID that a network has in tunnels of another kind is not that network's.
    addNetworks(of: lanes.filter { hasID($0.vni) }, among: lanes)
    // Ports that only `ovs-vsctl show` lists: whose they are shows in what they send.
    let nameless = Set(
      result.deployment.ports.indices.filter {
        result.deployment.ports[$0].macs.isEmpty && result.deployment.ports[$0].source == .installed
      })
    guard !unknown.isEmpty || !nameless.isEmpty || result.inferredNetworks else { return }
    var votes: [Int: [Lane: Int]] = [:]
    /// Of frames that leave without the tag that their guest gave them, as from a trunk: port → tag → lane.
    var tagVotes: [Int: [UInt16: [Lane: Int]]] = [:]
    /// Of frames that arrive with a tag that they did not have in the tunnel.
    var tagged: [Int: [Lane: Int]] = [:]
    var macs: [Int: [MACAddress: Int]] = [:]
    for group in sightings() {
      for (i, guest) in group.enumerated() {
        let point = result.plan.points[Int(guest.point)]
        guard point.kind.isGuestSide, let port = point.port, unknown.contains(port) || nameless.contains(port) else { continue }
        for (j, tunnel) in group.enumerated()
        where result.plan.points[Int(tunnel.point)].kind == .tunnel
          && result.plan.points[Int(tunnel.point)].host == point.host
        {
          guard abs(guest.time &- tunnel.time) < 500_000_000 else { continue }
          let leaving = i < j
          guard tunnel.direction == (leaving ? .out : .in), !leaving || isEntry(i, in: group) else { continue }
          if leaving { macs[port, default: [:]][guest.source, default: 0] += 1 }
          guard unknown.contains(port) else { continue }
          let lane = lane(of: tunnel)
          if guest.tagCount <= tunnel.tagCount || guest.vid == 0 {
            votes[port, default: [:]][lane, default: 0] += 1
          } else if !leaving {
            tagged[port, default: [:]][lane, default: 0] += 1
          } else {
            tagVotes[port, default: [:]][guest.vid, default: [:]][lane, default: 0] += 1
          }
        }
      }
    }
    let silent = unknown.union(nameless).filter { macs[$0] == nil && result.deployment.ports[$0].macs.isEmpty }
    if !silent.isEmpty {
      for (port, own) in lonelySources() where silent.contains(port) { macs[port] = own }
    }
    for port in nameless.sorted() where !unknown.contains(port) { nameOwner(of: port, macs) }
    // A guest that sends no such frames has no trunk.
    for (port, counts) in tagged where tagVotes[port] == nil { votes[port, default: [:]].merge(counts, uniquingKeysWith: +) }
    let named = Set((Array(votes.values) + tagVotes.values.flatMap(\.values)).flatMap(\.keys))
    addNetworks(of: lanes.filter { result.inferredNetworks || named.contains($0) }, among: lanes)
    func network(of counts: [Lane: Int]) -> Int? {
      guard let best = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
      return self.network(in: best.key, among: lanes)
    }
    for port in unknown.sorted() {
      let untagged = votes[port].flatMap { network(of: $0) }
      // A tag that is lost on the way of a guest's own frames makes no trunk: another network does.
      let subports = (tagVotes[port] ?? [:]).sorted { $0.key < $1.key }.compactMap { tag, counts in
        network(of: counts).flatMap { $0 == untagged ? nil : Subport(vlan: tag, network: $0) }
      }
      guard untagged != nil || !subports.isEmpty else { continue }
      result.deployment.ports[port].network = untagged
      if result.deployment.ports[port].subports.isEmpty { result.deployment.ports[port].subports = subports }
      result.inferredPorts.insert(port)
      if result.deployment.ports[port].macs.isEmpty { nameOwner(of: port, macs) }
    }
  }

  /// By port: MACs that nothing but its own points shows as a source, by ARP or IPv4 frames. Where nothing of what a
  /// guest sends leaves its host, no other point tells who it is.
  private func lonelySources() -> [Int: [MACAddress: Int]] {
    var places: [MACAddress: (port: Int, frames: Int)] = [:]
    for seen in result.sample where seen.direction != .toGuest {
      let point = result.plan.points[Int(seen.point)]
      let port = point.kind.isGuestSide ? point.port ?? -1 : -1
      if let known = places[seen.source], known.port != port {
        places[seen.source]?.port = -1
        continue
      }
      // Devices of the host speak IPv6 there.
      let isGuests =
        switch seen.frameClass {
        case .arpRequest, .arpReply, .icmpRequest, .icmpReply, .tcp, .udp: true
        default: false
        }
      places[seen.source, default: (port, 0)].frames += isGuests ? 1 : 0
    }
    var result: [Int: [MACAddress: Int]] = [:]
    for (mac, place) in places where place.port >= 0 && place.frames > 0 { result[place.port, default: [:]][mac] = place.frames }
    return result
  }

  /// Gives a port the MACs that it sends from: no source says that it may use no others.
  private mutating func nameOwner(of port: Int, _ macs: [Int: [MACAddress: Int]]) {
    let own = ownMACs(of: port, macs)
    guard !own.isEmpty else { return }
    result.deployment.ports[port].macs = own
    result.deployment.ports[port].source = .inferred
  }

  /// Whether a sighting at a port is of a frame that entered there: what is flooded to a port may show there before it
  /// leaves its host, but after the port where it entered, and farther from the guest first.
  private func isEntry(_ index: Int, in group: [Observation]) -> Bool {
    let own = result.plan.points[Int(group[index].point)]
    for (place, other) in group.enumerated() where place != index {
      // The same bytes may be sent again.
      guard abs(other.time &- group[index].time) < 50_000_000 else { continue }
      let point = result.plan.points[Int(other.point)]
      guard point.host == own.host, point.kind.isGuestSide, let port = point.port else { continue }
      if port == own.port {
        if point.rank != own.rank, (point.rank > own.rank) == (place < index) { return false }
      } else if place < index {
        return false
      }
    }
    return true
  }

  /// MACs that a port sends from: the one that it sends from most, and those that no other port sends from more. Floods
  /// of a guest that came to the host show at its neighbours before they leave.
  private func ownMACs(of port: Int, _ macs: [Int: [MACAddress: Int]]) -> [MACAddress] {
    let own = macs[port] ?? [:]
    let most = own.values.max() ?? 0
    return own.filter { mac, count in count == most || !macs.contains { $0.key != port && $0.value[mac] ?? 0 > count } }.keys
      .sorted()
  }

  /// Gives ports whose addresses no source names those that their MACs announced.
  private mutating func nameAddresses() {
    for index in result.deployment.ports.indices where result.deployment.ports[index].addresses.isEmpty {
      let seen = result.deployment.ports[index].macs.flatMap { census.addressesOfMAC[$0] ?? [] }
      result.deployment.ports[index].addresses = Set(seen).sorted()
    }
  }
}

import Correlation
import Datapath
import Deployment
import Wire

/// What a host's flows do with a network that has ports there: where what arrives goes, and where what leaves.
extension InstalledCheck {
  mutating func checkInbound(_ host: Int, _ network: Int, _ vni: UInt32) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    let vlan = deployment.hosts[host].localVLANs[network]
    let inbound = installed.inbound(host: host, vni: vni, kind: topology.sharedKind(ofNetwork: network))
    guard inbound?.vlan != nil else {
      add(
        "missing-mapping", .error, host, network,
        "\(name) has ports of \(networkName), and no flow maps \(lanes(vni)) to a VLAN: what it receives is dropped",
        flow: inbound?.flow, missing: "missing: tun_id=0x\(String(vni, radix: 16))\(vlan.map { " → VLAN \($0)" } ?? "")", .inbound)
      return
    }
    if vlan != nil, !split.contains(vni) { checkMapped(host, network, vni) }
    if installed.learning[host][vni] == false {
      add(
        "flooded-after-learned", .error, host, network,
        "the flows of \(name) learn nothing from what arrives on \(lanes(vni)): unicast will be flooded for ever",
        flow: inbound?.deliverer, .learning)
    }
    if let again = installed.reflections[host][vni] {
      add(
        "tunnel-reflection", .error, host, network,
        "\(name) sends what arrives on \(lanes(vni)) into tunnels again: split horizon is broken", flow: again,
        .reflection)
    }
  }

  /// The VLAN that each state maps a VNI to, held against that of its network then.
  private mutating func checkMapped(_ host: Int, _ network: Int, _ vni: UInt32) {
    let kind = topology.sharedKind(ofNetwork: network)
    let mappings = installed.inbound[host].filter {
      $0.vni == vni && (kind == nil || $0.kind.rawValue == kind?.rawValue) && $0.vlan != nil
    }
    let wrong = mappings.filter { $0.vlan != ownVLAN(host, network, isAfter: $0.isAfter) }
    guard let first = wrong.first, let mapped = first.vlan, let own = ownVLAN(host, network, isAfter: first.isAfter) else { return }
    // Where one state of two is right, the flows were wrong for a part of the time.
    let isPassing = mappings.contains { mapping in !wrong.contains { $0.isAfter == mapping.isAfter } }
    add(
      "mapping-conflict", .error, host, network,
      "\(deployment.hosts[host].name) maps \(lanes(vni)) to VLAN \(mapped); \(deployment.networks[network].name) is VLAN "
        + "\(own) there" + (isPassing ? first.isAfter ? ", in the state of after" : ", in the state of before only" : ""),
      flow: first.flow, .inbound, only: isPassing ? first.flow?.span ?? InstalledTimeline.Span() : nil)
  }

  func ownVLAN(_ host: Int, _ network: Int, isAfter: Bool) -> UInt16? {
    deployment.hosts[host].localVLAN(network, isAfter: isAfter)
  }

  mutating func checkOutbound(_ host: Int, _ network: Int, _ vni: UInt32) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    let all = deployment.hosts.indices.filter { $0 != host }
    let active = all.filter { peer in (topology.portsOn[peer][network] ?? []).contains { deployment.ports[$0].active } }
    checkTunnels(host, network, makes(.noPeersToReach) ? active : all)
    let peers = makes(.noPeersToFlood) ? active : all
    let floods = installed.outbound[host].filter {
      $0.vlan == ownVLAN(host, network, isAfter: $0.isAfter) && $0.isGroup && $0.destination == nil
    }
    guard let flood = floods.first else { return }
    let vlan = flood.vlan
    if floods.allSatisfy({ $0.vni == nil }) {
      if peers.isEmpty, makes(.nobodyToSendTo) { return }
      add(
        "missing-mapping", .error, host, network,
        "\(name) has ports of \(networkName), and no flow sends its VLAN \(vlan) into the tunnels", flow: flood.flow,
        missing: "missing: a flow that floods dl_vlan=\(vlan)", .outboundMissing)
      return
    }
    for other in floods where other.vni != nil && other.vni != vni {
      add(
        "mapping-conflict", .error, host, network,
        "\(name) sends \(networkName) (VLAN \(other.vlan)) on \(lanes(other.vni ?? 0)); its own is VNI \(vni)",
        flow: other.flow, .outboundVNI)
    }
    if let kept = floods.first(where: { !$0.stripsTag && $0.vni != nil }) {
      add(
        "vlan-not-stripped", .error, host, network,
        "\(name) sends \(networkName) into the tunnels with VLAN \(kept.vlan) still on the frames", flow: kept.flow,
        .outboundTag)
    }
    if hasOpenTunnel(host) { return }
    let reached = Set(floods.flatMap(\.remotes))
    let remotes = deployment.tunnelRemotes(of: host)
    for peer in peers {
      let vteps = deployment.hosts[peer].vteps
      // Where there is no tunnel either, that is what is missing.
      guard !vteps.isEmpty, !vteps.contains(where: { reached.contains($0) }),
        vteps.contains(where: remotes.contains) || !makes(.unreachedPeers)
      else { continue }
      add(
        "missing-flood-peer", .error, host, network,
        "\(name) floods \(networkName) without a copy for \(deployment.hosts[peer].name), which has ports of it",
        flow: flood.flow, .floodPeer(peer))
    }
  }

  /// Whether a port serves every peer, as the flow says (`remote_ip=flow`).
  private func hasOpenTunnel(_ host: Int) -> Bool { deployment.tunnels(of: host).contains { $0.remote == nil } }

  private mutating func checkTunnels(_ host: Int, _ network: Int, _ peers: [Int]) {
    if hasOpenTunnel(host), makes(.openTunnels) { return }
    let remotes = deployment.tunnelRemotes(of: host)
    for peer in peers {
      let vteps = deployment.hosts[peer].vteps
      guard !vteps.isEmpty, !vteps.contains(where: { remotes.contains($0) }) else { continue }
      add(
        "missing-tunnel", .error, host, network,
        "\(deployment.hosts[host].name) has no tunnel port to \(deployment.hosts[peer].name) "
          + "(\(vteps.map { "\($0)" }.joined(separator: ", "))), which has ports of \(deployment.networks[network].name)",
        flow: nil, .tunnel(peer))
    }
  }

  /// Flows that name a MAC and send its frames in another lane, or with their tag. Learned ones are left alone: they
  /// repeat what came in.
  mutating func checkNamed(_ host: Int, _ network: Int, _ vni: UInt32) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    for entry in installed.outbound[host] where entry.vlan == ownVLAN(host, network, isAfter: entry.isAfter) {
      let vlan = entry.vlan
      guard let mac = entry.destination, let other = entry.vni, let flow = entry.flow, flow.line != nil,
        !flow.isLearned
      else { continue }
      if other != vni {
        add(
          "mapping-conflict", .error, host, network,
          "\(name) sends unicast of \(networkName) (VLAN \(vlan)) for \(mac) on \(lanes(other)); its own is VNI \(vni)",
          flow: flow, .outboundVNI)
      } else if !entry.stripsTag {
        add(
          "vlan-not-stripped", .error, host, network,
          "\(name) sends unicast of \(networkName) for \(mac) into the tunnels with VLAN \(vlan) still on it", flow: flow,
          .outboundTag)
      }
    }
  }

  /// Flows that name a MAC and send it where it does not live. Learned ones are left alone: they follow the MAC.
  mutating func checkLocations(_ host: Int, _ network: Int, _ vni: UInt32) {
    for entry in installed.outbound[host] where entry.vlan == ownVLAN(host, network, isAfter: entry.isAfter) && entry.vni == vni {
      guard let mac = entry.destination, let flow = entry.flow, flow.line != nil, !flow.isLearned,
        !topology.livesInSeveralPlaces(mac)
      else { continue }
      let owners = (topology.portsOfMAC[mac] ?? []).filter { topology.portNetwork[$0] == Int32(network) }
      guard owners.count == 1, deployment.ports[owners[0]].host != host else { continue }
      // Where it lives since its port went, no dump says.
      if entry.isAfter, deployment.isUnplugged(owners[0]) { continue }
      let vteps = deployment.hosts[deployment.ports[owners[0]].host].vteps
      guard !vteps.isEmpty, !entry.remotes.isEmpty, !entry.remotes.contains(where: { vteps.contains($0) }) else {
        continue
      }
      add(
        "stale-location", .error, host, network,
        "\(deployment.hosts[host].name) sends unicast for \(mac) to "
          + "\(entry.remotes.map { "\($0)" }.joined(separator: ", ")); it lives on "
          + "\(deployment.hosts[deployment.ports[owners[0]].host].name) (\(vteps[0]))", flow: flow, .location(mac))
    }
  }
}

import Correlation
import Deployment
import Observations
import Wire

/// VTEPs that a host has tunnels to and of whose host nothing is known: frames that come from there show that guests
/// of the network live behind them.
struct Strangers: Sendable {
  struct Entry: Sendable {
    var vtep: UInt16
    /// When the host last received a frame of the network from there.
    var heard: Int64
    /// Floods with a copy for it, and those without.
    var passed: UInt64 = 0
    var missed = FaultRecord()
  }

  /// By cell (host and network).
  private(set) var entries: [Int: [Entry]] = [:]

  mutating func hear(_ vtep: UInt16, in cell: Int, at time: Int64) {
    var list = entries[cell] ?? []
    entries[cell] = nil
    if let at = list.firstIndex(where: { $0.vtep == vtep }) {
      list[at].heard = max(list[at].heard, time)
    } else {
      list.append(Entry(vtep: vtep, heard: time))
    }
    entries[cell] = list
  }

  mutating func count(in cell: Int, _ note: (inout Entry) -> Void) {
    guard var list = entries[cell] else { return }
    entries[cell] = nil
    for at in list.indices { note(&list[at]) }
    entries[cell] = list
  }
}

extension Judge {
  /// Counts which of the VTEPs from which a network's frames come get a copy of its flood.
  mutating func countCopiesForStrangers(
    _ entry: Int32, _ host: Int32, _ network: Int32, _ group: [Observation], _ trajectory: UInt64
  ) {
    guard strangers.entries[cell(host, network)] != nil else { return }
    let copies = resolver.tunnels.filter { $0.isCopy(of: entry, from: host) }.map { Int($0.observation) }
    guard let first = copies.first else { return }
    strangers.count(in: cell(host, network)) { stranger in
      if copies.contains(where: { group[$0].outerTo == stranger.vtep }) {
        stranger.passed += 1
      } else {
        stranger.missed.add(trajectory: trajectory, group[first], isWeak: false, group: group, index: first)
        stranger.missed.frames.add(group[first])
      }
    }
  }
}

extension FindingBuilder {
  /// Floods that never have a copy for a VTEP from which frames of the network come meanwhile.
  mutating func addFloodsWithoutStrangers() {
    for host in deployment.hosts.indices {
      for network in deployment.networks.indices {
        let (host, network) = (Int32(host), Int32(network))
        for stranger in (judge.strangers.entries[judge.cell(host, network)] ?? []).sorted(by: { $0.vtep < $1.vtep })
        where stranger.passed == 0 && stranger.missed.count >= 3 && stranger.heard > stranger.missed.first {
          addFlood(from: host, network, without: stranger)
        }
      }
    }
  }

  private mutating func addFlood(from host: Int32, _ network: Int32, without stranger: Strangers.Entry) {
    let address = topology.plan.vteps.addresses[Int(stranger.vtep)]
    guard deployment.tunnelRemotes(of: Int(host)).contains(address) else { return }
    let record = stranger.missed
    let flood = localVLAN(host, network).flatMap { installed.flood(host: Int(host), vlan: $0, during: record.stretch) }
    let message =
      "broadcast and multicast of \(networkName(network)) from \(hostName(host)) has no copy for VTEP \(address), a host of "
      + "which nothing was captured, though frames of the network come from there"
    var draft = draft(
      nil, record, rule: "incomplete-flood", severity: .error, host: host, network: network, message: message)
    draft.finding.expected = [("vtep", .list(["\(address)"]))]
    draft.finding.observed = [("vteps", .list((flood?.remotes ?? []).map { "\($0)" }))]
    if let flood, !flood.remotes.contains(address) {
      if let flow = flood.flow {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
      }
    } else {
      draft.finding.certainty = .likely
    }
    drafts.append(draft)
  }
}

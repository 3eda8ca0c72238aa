import OpenFlow
import Wire

/// What the datapath has learned so far.
extension HostDatapath {
  /// An entry of a bridge's forwarding database.
  public struct Location: Hashable, Sendable {
    public var vlan: UInt16
    public var mac: MACAddress
    public var port: String
    public var certainty: Certainty
  }

  /// A bridge's forwarding database at a time, by VLAN and MAC.
  public func locations(_ bridge: String, at time: Int64) -> [Location] {
    guard let index = index(of: bridge) else { return [] }
    let runtime = bridges[index]
    return runtime.fdb.filter { entry in
      entry.value.seen.map { time <= $0.addingSaturating(runtime.macAging) } ?? true
    }
    .map { key, record in
      Location(
        vlan: key.vlan, mac: MACAddress(rawValue: key.mac), port: runtime.ports[Int(record.port)].name,
        certainty: record.others.isEmpty && !record.mayBeAbsent ? .certain : .may)
    }
    .sorted { ($0.vlan, $0.mac) < ($1.vlan, $1.mac) }
  }

  /// A bridge's flows that have a timeout, at a time: those that `learn` actions made.
  public func learnedFlows(_ bridge: String, at time: Int64) -> [(flow: FlowReference, certainty: Certainty)] {
    guard let index = index(of: bridge) else { return [] }
    let free = Set(bridges[index].freeSlots)
    var result: [(flow: FlowReference, certainty: Certainty)] = []
    for (number, flow) in bridges[index].flows.enumerated() where flow.hasTimeout && !free.contains(Int32(number)) {
      let presence = flow.presence(at: time)
      guard presence != .no, let reference = reference(FlowIndex(bridge: Int32(index), flow: Int32(number))) else {
        continue
      }
      result.append((reference, presence == .yes && flow.alternatives.isEmpty ? .certain : .may))
    }
    return result.sorted {
      ($0.flow.table, $0.flow.priority, $0.flow.text) < ($1.flow.table, $1.flow.priority, $1.flow.text)
    }
  }
}

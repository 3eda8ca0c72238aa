import Correlation
import Deployment
import Observations
import Wire

/// What the judge keeps of faults.
extension Judge {
  mutating func record(
    _ key: FaultKey, _ trajectory: UInt64, _ group: [Observation], _ index: Int, isWeak: Bool, isClone: Bool = false
  ) {
    let key = bounded(key)
    faults[key, default: FaultRecord()].add(
      trajectory: trajectory, group[index], isWeak: isWeak, isClone: isClone, forwarders: mayHaveForwarded(key, group),
      group: group, index: index)
    faults[key]?.frames.add(group[index])
  }

  /// The key itself, or one that it shares with others: bounded, whatever an attacker varies.
  private mutating func bounded(_ key: FaultKey) -> FaultKey {
    guard faults[key] == nil else { return key }
    var key = key
    if key.fault.isVaried {
      if !variants[Judge.variantKey(key), default: Variants()].note(key) {
        (key.observed, key.detail) = Variants.others
      }
    } else {
      if faults.count >= Judge.mostFaults { key.detail = 0 }
      if faults.count >= Judge.mostFaults * 2 { key.observed = 0 }
    }
    return key
  }

  static func variantKey(_ key: FaultKey) -> UInt64 {
    UInt64(key.fault.rawValue) << 32 | UInt64(UInt32(bitPattern: key.host))
  }

  mutating func recordDelivery(
    _ key: FaultKey, _ trajectory: UInt64, _ delivery: Passage, _ group: [Observation]
  ) {
    faults[key, default: FaultRecord()].add(
      trajectory: trajectory, group[Int(delivery.last)], isWeak: false,
      isClone: key.fault == .crossNetworkDelivery
        && isClone(group[Int(delivery.last)].source, network: delivery.network),
      forwarders: mayHaveForwarded(key, group), group: group, index: Int(delivery.last))
    noteFrames(of: delivery, key, group)
  }

  /// Adds a passage's sightings to the frames of a fault.
  mutating func noteFrames(of passage: Passage, _ key: FaultKey, _ group: [Observation]) {
    for index in Int(passage.first)...max(Int(passage.first), Int(passage.last)) {
      let seen = group[index]
      if topology.points[Int(seen.point)].port == passage.port { faults[key]?.frames.add(seen) }
    }
  }
}

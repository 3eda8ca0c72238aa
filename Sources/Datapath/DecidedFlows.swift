import OpenFlow

/// Ways that were found once, kept for the frames that must go the same way: the megaflows of Open vSwitch
/// (ofproto/ofproto-dpif-upcall.c). Frames that agree in the fields that a way depended on share an entry; what
/// the frame teaches is had again by refreshing it.
///
/// An entry holds until the tables change, or until the first entry that it made use of times out. Unlike in
/// Open vSwitch, nothing lags: decided flows change no outcome.
public struct DecidedFlows: Sendable {
  enum Refresh: Sendable {
    case flow(bridge: Int, Int32)
    case mac(bridge: Int, BridgeRuntime.FDBKey, port: Int32)
    case use(bridge: Int, Int32)
  }

  struct Decision: Sendable {
    var bridge: Int
    /// Of the mask's fields.
    var values: [UInt128]
    var generation: UInt64
    var validUntil: Int64
    var departures: [Departure]
    /// Per departure that changes the frame: the fields that differ.
    var changes: [[Field]]
    var refreshes: [Refresh]

    /// Where a frame of this kind leaves.
    func departures(of packet: Packet) -> [Departure] {
      var result = departures
      for index in result.indices {
        guard let example = result[index].changed else { continue }
        var frame = packet.bare
        for field in changes[index] { frame.set(field, example.value(of: field), mask: field.allBits) }
        frame.tag0 = example.tag0
        frame.tag1 = example.tag1
        result[index].changed = frame
      }
      return result
    }
  }

  private struct Mask: Sendable {
    var set: FieldSet
    var fields: [Field]
    var places: [UInt64: Int] = [:]
  }

  /// Off: every frame is decided anew.
  public var isOn: Bool
  /// Frames that found an entry, and those that did not.
  public private(set) var hits: UInt64 = 0
  public private(set) var misses: UInt64 = 0

  private(set) var decisions: [Decision] = []
  private var masks: [Mask] = []
  private let limit: Int

  /// - Parameter limit: entries; beyond it all are dropped, and found again.
  public init(isOn: Bool = true, limit: Int = 1 << 16) {
    self.isOn = isOn
    self.limit = limit
  }

  mutating func find(_ packet: Packet, _ bridge: Int, generation: UInt64, at time: Int64) -> Int? {
    for mask in masks.indices {
      guard let place = masks[mask].places[DecidedFlows.hash(packet, bridge, masks[mask].fields)],
        decisions[place].generation == generation, decisions[place].validUntil >= time,
        decisions[place].bridge == bridge
      else { continue }
      let fields = masks[mask].fields
      var agrees = true
      for index in fields.indices where packet.value(of: fields[index]) != decisions[place].values[index] {
        agrees = false
        break
      }
      if agrees {
        hits &+= 1
        return place
      }
    }
    misses &+= 1
    return nil
  }

  mutating func add(
    _ packet: Packet, _ bridge: Int, dependence: Dependence, generation: UInt64, _ departures: [Departure],
    refreshes: [Refresh]
  ) {
    if decisions.count >= limit {
      decisions = []
      masks = []
    }
    let mask: Int
    if let known = masks.firstIndex(where: { $0.set == dependence.fields }) {
      mask = known
    } else {
      mask = masks.count
      masks.append(Mask(set: dependence.fields, fields: dependence.fields.fields))
    }
    let fields = masks[mask].fields
    let changes = departures.map { departure in
      departure.changed.map { changed in
        fields.filter { $0 >= .ethernetSource && $0 != .vlanTCI && $0 != .vlanVID && $0 != .vlanPCP
          && $0 != .innerVLANTCI && changed.value(of: $0) != packet.value(of: $0) }
      } ?? []
    }
    let decision = Decision(
      bridge: bridge, values: fields.map { packet.value(of: $0) }, generation: generation,
      validUntil: dependence.validUntil, departures: departures, changes: changes, refreshes: refreshes)
    let hash = DecidedFlows.hash(packet, bridge, fields)
    if let place = masks[mask].places[hash] {
      decisions[place] = decision
    } else {
      masks[mask].places[hash] = decisions.count
      decisions.append(decision)
    }
  }

  private static func hash(_ packet: Packet, _ bridge: Int, _ fields: [Field]) -> UInt64 {
    var hash = FlowHash()
    hash.add(UInt128(truncatingIfNeeded: bridge))
    for field in fields { hash.add(packet.value(of: field)) }
    return hash.value
  }
}

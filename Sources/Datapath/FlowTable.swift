import OpenFlow

/// One table of a bridge: finds the flow of highest priority that matches, by tuple space search as Open
/// vSwitch does (lib/classifier.c): flows with the same set of masks share a hash table.
struct FlowTable: Sendable {
  struct Signature: Hashable, Sendable {
    var fields: [Field]
    var masks: [UInt128]
  }

  struct Subtable: Sendable {
    var signature: Signature
    /// Those of the signature.
    var fields: FieldSet
    /// Places in the signature of the fields by which flows are found. What connection tracking tells of a
    /// frame is as a rule not known, and fields that are not modelled never are: these are compared one by one.
    var hashed: [Int]
    var maxPriority: UInt16
    var buckets: [UInt64: [Int32]] = [:]
    var all: Set<Int32> = []

    init(signature: Signature, maxPriority: UInt16) {
      self.signature = signature
      fields = FieldSet(signature.fields)
      self.maxPriority = maxPriority
      hashed = signature.fields.indices.filter { place in
        switch signature.fields[place] {
        case .connectionState, .connectionMark, .connectionLabel, .connectionZone: false
        default: Packet.isModelled(signature.fields[place])
        }
      }
    }

    func key(_ flow: InstalledFlow) -> UInt64 {
      var hash = FlowHash()
      for place in hashed { hash.add(flow.terms[place].value) }
      return hash.value
    }
  }

  private(set) var subtables: [Subtable] = []
  private var bySignature: [Signature: Int] = [:]
  private var needsSorting = false
  /// Flows whose presence or match may be uncertain, or which are conjunctive: they need the slow way.
  private(set) var delicate = 0

  mutating func insert(_ flow: InstalledFlow, _ index: Int32) {
    let signature = Signature(fields: flow.terms.map(\.field), masks: flow.terms.map(\.mask))
    let place: Int
    if let known = bySignature[signature] {
      place = known
    } else {
      place = subtables.count
      subtables.append(Subtable(signature: signature, maxPriority: flow.priority))
      bySignature[signature] = place
    }
    subtables[place].buckets[subtables[place].key(flow), default: []].append(index)
    subtables[place].all.insert(index)
    if flow.priority > subtables[place].maxPriority { subtables[place].maxPriority = flow.priority }
    if flow.isDelicate { delicate += 1 }
    needsSorting = true
  }

  mutating func remove(_ flow: InstalledFlow, _ index: Int32) {
    let signature = Signature(fields: flow.terms.map(\.field), masks: flow.terms.map(\.mask))
    guard let place = bySignature[signature], subtables[place].all.remove(index) != nil else { return }
    let key = subtables[place].key(flow)
    subtables[place].buckets[key]?.removeAll { $0 == index }
    if subtables[place].buckets[key]?.isEmpty == true { subtables[place].buckets[key] = nil }
    if flow.isDelicate { delicate -= 1 }
  }

  /// Brings the subtables into order of their highest priority. Call after inserting.
  mutating func settle() {
    guard needsSorting else { return }
    needsSorting = false
    subtables.sort { $0.maxPriority > $1.maxPriority }
    for (place, subtable) in subtables.enumerated() { bySignature[subtable.signature] = place }
  }

  /// The flow with exactly this priority and match.
  func find(_ flow: InstalledFlow, in flows: [InstalledFlow]) -> Int32? {
    let signature = Signature(fields: flow.terms.map(\.field), masks: flow.terms.map(\.mask))
    guard let place = bySignature[signature] else { return nil }
    return subtables[place].buckets[subtables[place].key(flow)]?.first { index in
      let other = flows[Int(index)]
      return other.priority == flow.priority && other.terms == flow.terms
    }
  }

  /// The flow of highest priority that matches a packet without unknown fields, in a table without delicate
  /// flows.
  /// - Parameter dependence: gets the fields looked at, and how long the answer holds.
  func lookup(
    _ packet: Packet, _ flows: [InstalledFlow], now: Int64, _ dependence: inout Dependence
  ) -> Int32? {
    var best: Int32?
    var bestPriority = -1
    for subtable in subtables {
      if Int(subtable.maxPriority) <= bestPriority { break }
      dependence.fields.formUnion(subtable.fields)
      guard let bucket = subtable.bucket(packet) else { continue }
      for index in bucket {
        let flow = flows[Int(index)]
        if Int(flow.priority) > bestPriority, subtable.matches(packet, flow),
          !flow.hasTimeout || flow.presence(at: now) != .no
        {
          best = index
          bestPriority = Int(flow.priority)
          if flow.hasTimeout { dependence.expires(with: flow, after: now) }
        }
      }
    }
    return best
  }

  /// All flows that match or may match, highest priority first, in the order of their insertion within one.
  func candidates(_ packet: Packet, _ flows: [InstalledFlow], now: Int64) -> [Candidate] {
    var found: [Candidate] = []
    for subtable in subtables {
      let isKnown = !subtable.hashed.contains { packet.unknownBits(subtable.signature.fields[$0]) != 0 }
      if isKnown {
        for index in subtable.bucket(packet) ?? [] {
          let flow = flows[Int(index)]
          append(index, flow, flow.match(packet), now, &found)
        }
      } else {
        for index in subtable.all {
          let flow = flows[Int(index)]
          append(index, flow, flow.match(packet), now, &found)
        }
      }
    }
    found.sort { a, b in
      let (x, y) = (flows[Int(a.index)].priority, flows[Int(b.index)].priority)
      return x == y ? a.index < b.index : x > y
    }
    return found
  }

  /// What an answer of `candidates` depends on.
  func noteDependence(of candidates: [Candidate], _ flows: [InstalledFlow], now: Int64, in dependence: inout Dependence)
  {
    for subtable in subtables { dependence.fields.formUnion(subtable.fields) }
    for candidate in candidates {
      let flow = flows[Int(candidate.index)]
      if flow.hasTimeout { dependence.expires(with: flow, after: now) }
    }
  }

  struct Candidate {
    var index: Int32
    var isSure: Bool
  }

  private func append(
    _ index: Int32, _ flow: InstalledFlow, _ match: InstalledFlow.Presence, _ now: Int64, _ found: inout [Candidate]
  ) {
    let presence = flow.presence(at: now)
    if match == .no || presence == .no { return }
    found.append(Candidate(index: index, isSure: match == .yes && presence == .yes && !flow.hasUnknownConditions))
  }
}

extension FlowTable.Subtable {
  func bucket(_ packet: Packet) -> [Int32]? {
    var hash = FlowHash()
    for position in hashed {
      hash.add(packet.value(of: signature.fields[position]) & signature.masks[position])
    }
    return buckets[hash.value]
  }

  func matches(_ packet: Packet, _ flow: InstalledFlow) -> Bool {
    for term in flow.terms where packet.value(of: term.field) & term.mask != term.value { return false }
    return true
  }
}

extension InstalledFlow {
  /// Whether it needs the slow way of looking up.
  var isDelicate: Bool {
    isUncertain || hasUnknownConditions || isConjunctive || hasTimeout && refreshedAfter != refreshedBefore
      || hasTimeout && usedAfter != usedBefore || terms.contains { !Packet.isModelled($0.field) }
  }

  /// Whether a packet, some of whose bits may be unknown, matches.
  func match(_ packet: Packet) -> Presence {
    var result = Presence.yes
    for term in terms {
      let unknown = Packet.isModelled(term.field) ? packet.unknownBits(term.field) & term.mask : term.mask
      if (packet.value(of: term.field) ^ term.value) & term.mask & ~unknown != 0 { return .no }
      if unknown != 0 { result = .maybe }
    }
    return result
  }
}

/// Mixes the values of a match into a key. Collisions cost time only: every hit is compared in full; the seed
/// keeps a crafted dump from provoking them.
struct FlowHash {
  private(set) var value: UInt64 = FlowHash.seed

  private static let seed = UInt64.random(in: .min ... .max)

  mutating func add(_ bits: UInt128) {
    mix(UInt64(truncatingIfNeeded: bits))
    mix(UInt64(truncatingIfNeeded: bits >> 64))
  }

  private mutating func mix(_ word: UInt64) {
    let (high, low) = (value ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    value = high ^ low &+ 0x517c_c1b7_2722_0a95
  }
}

import OpenFlow
import Wire

/// A bridge, ready to run: ports by number, flows in tables, forwarding database.
struct BridgeRuntime: Sendable {
  struct Place: Hashable, Sendable {
    var bridge: Int
    var port: Int
  }

  struct FDBKey: Hashable, Sendable {
    var vlan: UInt16
    var mac: UInt64
  }

  struct FDBRecord: Hashable, Sendable {
    var port: Int32
    /// When last seen, in nanoseconds; nil: static, or not known, so it does not age.
    var seen: Int64?
    /// Where else the MAC may be known to be: ports at which a frame may have been seen, or not.
    var others: [Int32] = []
    /// It may not be known at all.
    var mayBeAbsent = false
  }

  var name: String
  var ports: [PortState]
  var portByNumber: [UInt32: Int] = [:]
  var portByName: [String: Int] = [:]
  /// Per port: where a patch port leads.
  var peers: [Place?] = []
  /// Ports that flows name and that no list has.
  var strangers: Set<Int> = []
  var tables: [FlowTable] = Array(repeating: FlowTable(), count: 256)
  var flows: [InstalledFlow] = []
  var freeSlots: [Int32] = []
  var isLossy = false
  var hasFlows = false
  var fdb: [FDBKey: FDBRecord] = [:]
  var fdbIsComplete: Bool
  var macAging: Int64
  var forwardsBPDU: Bool
  var mcastSnooping: Bool
  var isStandalone: Bool
  /// Ports in the order of their numbers.
  var floodOrder: [Int] = []
  /// How many flows have a `learn` action whose flows are to go with the last of them.
  var learnedCookies: [LearnedCookie: Int] = [:]
  /// How often something changed that decides ways: a refreshed entry is no change.
  private(set) var changes: UInt64 = 0

  init(_ state: BridgeState) {
    name = state.name
    ports = state.ports
    fdbIsComplete = state.fdbIsComplete
    macAging = Int64.seconds(state.macAging)
    forwardsBPDU = state.forwardsBPDU
    mcastSnooping = state.mcastSnooping
    isStandalone = state.isStandalone
    for index in ports.indices {
      if let number = ports[index].number, portByNumber[number] == nil { portByNumber[number] = index }
      portByName[ports[index].name] = index
    }
    for index in ports.indices where ports[index].number == nil {
      number(index)
    }
    if let dump = state.flows {
      hasFlows = true
      isLossy = dump.dialect.isLossy
      for flow in dump.flows { install(flow, taken: state.flowsTaken) }
    }
    for table in tables.indices { tables[table].settle() }
    floodOrder = ports.indices.filter { !strangers.contains($0) }
      .sorted { (ports[$0].number ?? 0, $0) < (ports[$1].number ?? 0, $1) }
    peers = Array(repeating: nil, count: ports.count)
    for entry in state.fdb { remember(entry, taken: state.fdbTaken) }
  }

  /// Gives a port whose number is not known one that no real port is likely to have: the highest free one, for flows
  /// keep numbers of ports in fields of 16 bits.
  private mutating func number(_ index: Int) {
    var free = PortState.highestNumber - min(UInt32(truncatingIfNeeded: index), PortState.highestNumber)
    while free > 0, portByNumber[free] != nil { free -= 1 }
    if free == 0 { free = 0x4000_0000 + UInt32(truncatingIfNeeded: index) }
    ports[index].number = free
    portByNumber[free] = index
  }

  /// The number of a port that a flow refers to; nil for the reserved ones.
  mutating func resolve(_ reference: PortReference) -> UInt32? {
    switch reference {
    case .number(let number):
      if portByNumber[number] == nil { addStranger("port \(number)", number: number) }
      return number
    case .name(let name):
      if let index = portByName[name] { return ports[index].number }
      addStranger(name, number: nil)
      return ports[ports.count - 1].number
    case .local: return PortState.localNumber
    default: return nil
    }
  }

  private mutating func addStranger(_ name: String, number: UInt32?) {
    let index = ports.count
    ports.append(PortState(name: name, number: number))
    portByName[name] = index
    strangers.insert(index)
    if let number { portByNumber[number] = index } else { self.number(index) }
  }

  private mutating func resolve(_ actions: [Action]) -> [Action] {
    actions.map { resolve($0) }
  }

  private mutating func resolved(_ reference: PortReference) -> PortReference {
    resolve(reference).map { .number($0) } ?? reference
  }

  private mutating func resolve(_ action: Action) -> Action {
    switch action {
    case .output(let port): return .output(resolved(port))
    case .outputTruncated(let port, let length): return .outputTruncated(resolved(port), maxLength: length)
    case .enqueue(let port, let queue): return .enqueue(resolved(port), queue: queue)
    case .setInPort(let port): return .set(.inPort, value: UInt128(resolve(port) ?? 0xffff), mask: 0xffff)
    case .resubmit(let port, let table, let tracking):
      return .resubmit(port: port.map { resolved($0) }, table: table, connectionTracking: tracking)
    case .clone(let nested): return .clone(resolve(nested))
    case .writeActions(let nested): return .writeActions(resolve(nested))
    case .conntrack(var tracked):
      tracked.exec = resolve(tracked.exec)
      return .conntrack(tracked)
    case .learn(var learn):
      learn.specs = learn.specs.map { spec in
        guard case .matchInPort(let port) = spec else { return spec }
        return .matchValue(Subfield(.inPort), UInt128(resolve(port) ?? 0xffff))
      }
      return .learn(learn)
    default: return action
    }
  }

  private mutating func install(_ flow: Flow, taken: Int64?) {
    var terms = flow.match.terms
    if let port = flow.match.inPort {
      let number = UInt128(resolve(port) ?? 0xffff)
      terms.append(MatchTerm(field: .inPort, value: number, mask: Field.inPort.allBits))
      terms.sort { $0.field < $1.field }
    }
    let actions = resolve(flow.actions)
    var installed = InstalledFlow(
      table: flow.table, priority: flow.priority, cookie: flow.cookie, terms: terms,
      hasUnknownConditions: !flow.match.unknown.isEmpty, actions: actions,
      idleTimeout: .seconds(flow.idleTimeout), hardTimeout: .seconds(flow.hardTimeout),
      isConjunctive: InstalledFlow.isConjunctive(actions), text: flow.text, line: flow.line)
    if let taken {
      let begun = flow.durationNanoseconds.map { taken.addingSaturating(-Int64(clamping: $0)) }
      installed.refreshedAfter = flow.hardAge.map { taken.addingSaturating(-.seconds($0)) } ?? begun
      installed.refreshedBefore = flow.hardAge == nil && flow.idleAge == nil ? taken : installed.refreshedAfter
      installed.usedAfter = flow.idleAge.map { taken.addingSaturating(-.seconds($0)) } ?? begun
      installed.usedBefore = flow.idleAge == nil ? taken : installed.usedAfter
    }
    add(installed)
  }

  private mutating func remember(_ entry: FDBEntry, taken: Int64?) {
    let index: Int?
    switch entry.port {
    case .number(let number): index = portByNumber[number]
    case .name(let name): index = portByName[name]
    case .local: index = portByNumber[PortState.localNumber]
    default: index = nil
    }
    guard let index else { return }
    let seen = entry.age.flatMap { age in taken.map { $0.addingSaturating(-.seconds(age)) } }
    fdb[FDBKey(vlan: entry.vlan, mac: entry.mac.rawValue)] = FDBRecord(port: Int32(index), seen: seen)
  }

  // MARK: Flows

  @discardableResult
  mutating func add(_ flow: InstalledFlow) -> Int32 {
    changes &+= 1
    let index: Int32
    if let free = freeSlots.popLast() {
      index = free
      flows[Int(free)] = flow
    } else {
      index = Int32(flows.count)
      flows.append(flow)
    }
    tables[Int(flow.table)].insert(flow, index)
    count(flow.actions)
    return index
  }

  mutating func remove(_ index: Int32) {
    changes &+= 1
    let flow = flows[Int(index)]
    tables[Int(flow.table)].remove(flow, index)
    freeSlots.append(index)
    discount(flow.actions)
  }

  /// Installs a learned flow, or changes or refreshes the one with the same match (`OFPFC_MODIFY_STRICT`).
  mutating func learn(_ new: InstalledFlow, now: Int64) {
    let table = Int(new.table)
    guard let index = tables[table].find(new, in: flows) else {
      add(new)
      tables[table].settle()
      return
    }
    let presence = flows[Int(index)].presence(at: now)
    if presence == .no {
      remove(index)
      add(new)
      tables[table].settle()
      return
    }
    var flow = flows[Int(index)]
    let before = flow
    if new.isUncertain || flow.actions != new.actions || flow.presence(at: new.refreshedAfter ?? .max) != .yes {
      changes &+= 1
    }
    if new.isUncertain {
      // Refreshed or not: it may have lived on.
      flow.refreshedBefore = new.refreshedBefore
      flow.usedBefore = new.usedBefore
      if flow.actions != new.actions, !flow.alternatives.contains(new.actions) {
        flow.alternatives.append(new.actions)
        // Beyond this nothing is known of it but that it may be there.
        if flow.alternatives.count > 8 {
          flow.alternatives = []
          flow.actions = [.unknown("learned from frames whose way is not certain")]
        }
      }
    } else {
      flow.refreshedAfter = new.refreshedAfter
      flow.refreshedBefore = new.refreshedBefore
      // A flow that is there keeps its timeouts, and being learned again is no use of it (`replace_rule_start`).
      if presence != .yes {
        flow.usedAfter = flow.usedAfter ?? new.usedAfter
        flow.usedBefore = new.usedBefore
        flow.idleTimeout = new.idleTimeout
        flow.hardTimeout = new.hardTimeout
      }
      if new.cookie != .max { flow.cookie = new.cookie }
      flow.isUncertain = false
      flow.alternatives = []
      if flow.actions != new.actions {
        flow.actions = new.actions
        flow.text = ""
        flow.line = 0
      }
    }
    defer { if flow.actions != before.actions { discount(before.actions) } }
    if before.isDelicate == flow.isDelicate {
      flows[Int(index)] = flow
    } else {
      tables[table].remove(before, index)
      flows[Int(index)] = flow
      tables[table].insert(flow, index)
      tables[table].settle()
    }
  }

  /// Learns where a MAC is; `isUncertain`: or perhaps not.
  mutating func see(_ key: FDBKey, port: Int32, now: Int64, isUncertain: Bool) {
    var record = FDBRecord(port: port, seen: now)
    if isUncertain || !isCurrent(fdb[key], port: port, now: now) { changes &+= 1 }
    if isUncertain {
      let old = fdb[key].flatMap { record -> FDBRecord? in
        record.seen.map { now <= $0.addingSaturating(macAging) } ?? true ? record : nil
      }
      record.others = ((old?.others ?? []) + (old.map { [$0.port] } ?? [])).filter { $0 != port }
      record.others = Array(Set(record.others)).sorted()
      record.mayBeAbsent = old?.mayBeAbsent ?? true
    }
    fdb[key] = record
  }

  /// Whether seeing a MAC at a port only refreshes what is known of it.
  private func isCurrent(_ record: FDBRecord?, port: Int32, now: Int64) -> Bool {
    guard let record, record.port == port, record.others.isEmpty, !record.mayBeAbsent, let seen = record.seen else {
      return false
    }
    return now <= seen.addingSaturating(macAging)
  }

  /// Refreshes a learned flow that is there, and that the frame would teach again.
  mutating func refresh(_ index: Int32, now: Int64) {
    if flows[Int(index)].presence(at: now) != .yes { changes &+= 1 }
    flows[Int(index)].refreshedAfter = now
    flows[Int(index)].refreshedBefore = now
  }

  /// Shortens timeouts (`ofproto_rule_reduce_timeouts`).
  mutating func reduce(_ index: Int32, idle: UInt16, hard: UInt16) {
    let table = Int(flows[Int(index)].table)
    let before = flows[Int(index)]
    changes &+= 1
    func reduced(_ timeout: Int64, _ most: UInt16) -> Int64 {
      let limit = Int64.seconds(most)
      return limit > 0 && (timeout == 0 || timeout > limit) ? limit : timeout
    }
    var flow = before
    flow.idleTimeout = reduced(flow.idleTimeout, idle)
    flow.hardTimeout = reduced(flow.hardTimeout, hard)
    if before.isDelicate != flow.isDelicate { tables[table].remove(before, index) }
    flows[Int(index)] = flow
    if before.isDelicate != flow.isDelicate {
      tables[table].insert(flow, index)
      tables[table].settle()
    }
  }

  mutating func noteUse(_ index: Int32, now: Int64) {
    flows[Int(index)].usedAfter = now
    flows[Int(index)].usedBefore = now
  }

  /// Takes out what has timed out.
  mutating func expire(now: Int64) {
    for index in flows.indices where flows[index].hasTimeout && flows[index].presence(at: now) == .no {
      let table = Int(flows[index].table)
      if tables[table].find(flows[index], in: flows) == Int32(index) { remove(Int32(index)) }
    }
    let limit = macAging
    changes &+= 1
    fdb = fdb.filter { $0.value.seen.map { now <= $0.addingSaturating(limit) } ?? true }
  }
}

extension InstalledFlow {
  static func isConjunctive(_ actions: [Action]) -> Bool {
    guard !actions.isEmpty else { return false }
    return actions.allSatisfy { if case .conjunction = $0 { true } else if case .inert = $0 { true } else { false } }
      && actions.contains { if case .conjunction = $0 { true } else { false } }
  }
}

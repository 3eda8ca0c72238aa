import OpenFlow
import Wire

/// The `learn` action (`learn_execute` in lib/learn.c).
extension HostDatapath {
  func perform(
    _ learn: Learn, _ bridge: Int, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run
  ) {
    var match = Match()
    var actions: [Action] = []
    var isUncertain = packet.isUncertain || !learn.unknown.isEmpty
    for spec in learn.specs {
      switch spec {
      case .matchField(let target, let source):
        if packet.unknownBits(source.field) & source.mask != 0 { isUncertain = true }
        HostDatapath.add(target, packet.value(of: source), to: &match)
      case .matchValue(let target, let value): HostDatapath.add(target, value, to: &match)
      case .matchInPort: isUncertain = true
      case .loadValue(let value, let target):
        actions.append(.set(target.field, value: value << UInt128(target.offset), mask: target.mask))
      case .loadField(let source, let target):
        if packet.unknownBits(source.field) & source.mask != 0 { isUncertain = true }
        let value = packet.value(of: source)
        actions.append(.set(target.field, value: value << UInt128(target.offset), mask: target.mask))
      case .output(let source):
        let number = packet.value(of: source)
        guard number <= 0xffff else { continue }
        let port = PortReference(number: UInt32(number))
        switch port {
        case .number, .inPort, .flood, .local, .all:
          actions.append(.output(port == .local ? .number(PortState.localNumber) : port))
        default: break
        }
      }
    }
    let now: Int64? = run.now
    let new = InstalledFlow(
      table: learn.table, priority: learn.priority, cookie: learn.cookie, terms: match.terms,
      hasUnknownConditions: false, actions: actions, idleTimeout: .seconds(learn.idleTimeout),
      hardTimeout: .seconds(learn.hardTimeout), refreshedAfter: now, refreshedBefore: now, usedAfter: now,
      usedBefore: now, isUncertain: isUncertain, isConjunctive: false, text: "", line: 0)
    let isAllowed = learn.limit == 0 || hasRoom(new, bridge, limit: learn.limit)
    if isAllowed { run.effects.append(.learn(bridge: bridge, new)) }
    if let target = learn.resultDestination { packet.set(target, isAllowed ? 1 : 0) }
    run.note(isAllowed ? "learned: table=\(learn.table), " + new.described(bridges[bridge]) : "not learned: limit")
  }

  private func hasRoom(_ flow: InstalledFlow, _ bridge: Int, limit: UInt32) -> Bool {
    let runtime = bridges[bridge]
    let table = runtime.tables[Int(flow.table)]
    if table.find(flow, in: runtime.flows) != nil { return true }
    let count = table.subtables.reduce(0) { sum, subtable in
      sum + subtable.all.count { runtime.flows[Int($0)].cookie == flow.cookie }
    }
    return count < Int(limit)
  }

  /// A condition on part of a field. VLAN fields become conditions on the TCI, as in any match.
  private static func add(_ target: Subfield, _ value: UInt128, to match: inout Match) {
    let bits = value << UInt128(target.offset) & target.mask
    switch target.field {
    case .vlanVID: match.add(.vlanTCI, value: bits | 0x1000, mask: target.mask | 0x1000)
    case .vlanPCP: match.add(.vlanTCI, value: bits << 13 | 0x1000, mask: target.mask << 13 | 0x1000)
    default: match.add(target.field, value: bits, mask: target.mask)
    }
  }
}

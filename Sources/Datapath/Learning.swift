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
    if learn.finIdleTimeout > 0 || learn.finHardTimeout > 0 {
      actions.append(.finTimeout(idle: learn.finIdleTimeout, hard: learn.finHardTimeout))
    }
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
        guard number <= 0xffff, number < 0xff00 || number >= 0xfff8 else { continue }
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
    let isAllowed = learn.limit == 0 || hasRoom(new, bridge, limit: learn.limit, run)
    if isAllowed { run.effects.append(.learn(bridge: bridge, new)) }
    if let target = learn.resultDestination { packet.set(target, isAllowed ? 1 : 0) }
    run.note(isAllowed ? "learned: table=\(learn.table), " + new.described(bridges[bridge]) : "not learned: limit")
  }

  /// Whether a learned flow may be put in: one that is there already, unchanged, is only refreshed; else there
  /// must be fewer with its cookie than the limit (`ofproto_flow_mod_learn`).
  private func hasRoom(_ flow: InstalledFlow, _ bridge: Int, limit: UInt32, _ run: Run) -> Bool {
    let runtime = bridges[bridge]
    let table = runtime.tables[Int(flow.table)]
    let old = table.find(flow, in: runtime.flows).map { runtime.flows[Int($0)] }
    if let old, old.presence(at: run.now) != .no, old.isUnchanged(by: flow) { return true }
    // What this frame taught on its way so far is there too.
    var pending: [InstalledFlow] = []
    for case .learn(bridge, let other) in run.effects where other.table == flow.table {
      if other.isSame(as: flow), other.isUnchanged(by: flow) { return true }
      pending.removeAll { $0.isSame(as: other) }
      pending.append(other)
    }
    var count = pending.count { $0.cookie == flow.cookie }
    for subtable in table.subtables {
      for index in subtable.all {
        let other = runtime.flows[Int(index)]
        guard other.cookie == flow.cookie, other.presence(at: run.now) != .no else { continue }
        if !pending.contains(where: { $0.isSame(as: other) }) { count += 1 }
      }
    }
    return count < Int(limit)
  }

  /// A condition on part of a field. VLAN fields become conditions on the TCI, as in any match.
  private static func add(_ target: Subfield, _ value: UInt128, to match: inout Match) {
    let bits = value << UInt128(target.offset) & target.mask
    switch target.field {
    case .inPort where target.offset == 0 && target.width >= 16:
      match.overwrite(.inPort, value: bits, mask: Field.inPort.allBits)
    case .vlanVID: match.overwrite(.vlanTCI, value: bits | 0x1000, mask: target.mask | 0x1000)
    case .vlanPCP: match.overwrite(.vlanTCI, value: bits << 13 | 0x1000, mask: target.mask << 13 | 0x1000)
    default: match.overwrite(target.field, value: bits, mask: target.mask)
    }
  }
}

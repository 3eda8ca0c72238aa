import OpenFlow
import Wire

/// Tables and actions.
extension HostDatapath {
  /// Limits of ofproto/ofproto-dpif-xlate.c.
  private static let maxDepth = 64
  private static let maxResubmits = 4096
  /// MAX_RECIRC_DEPTH of lib/dpif-netdev.c.
  private static let maxRecirculations = 6

  /// A frame comes into a bridge: table 0, then the action set.
  /// - Parameter isCrossing: by a patch port; else it is where the frame begins.
  func enter(
    _ bridge: Int, isCrossing: Bool, _ packet: inout Packet, _ run: inout Run, _ choices: inout Choices
  ) {
    let runtime = bridges[bridge]
    if !runtime.hasFlows {
      if runtime.isStandalone {
        normal(bridge, 0, &packet, .none, &run, &choices)
      } else {
        run.doubt("the flows of \(runtime.name) are not known", .none)
      }
      return
    }
    run.tasks.append(.init(kind: .actionSet, bridge: bridge, table: 0, flow: .none))
    lookUp(bridge, table: 0, port: packet.inPort, isCrossing ? .crossing : .first, &packet, &run, &choices)
  }

  /// How a table came to be asked.
  enum Approach {
    /// It is the first one of all: this counts against no limit.
    case first
    case crossing
    case goto(from: UInt8)
    case resubmit(from: UInt8)
  }

  /// Finds the packet's flow in a table; its actions are what is to be done next (`xlate_table_action`).
  func lookUp(
    _ bridge: Int, table: UInt8, port: UInt32, _ approach: Approach, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    var deepens = false
    var isCounted = true
    var countsMiss = true
    switch approach {
    case .first: isCounted = false
    case .crossing: deepens = true
    case .goto(let from): deepens = table <= from
    case .resubmit(let from):
      deepens = table <= from
      countsMiss = false
    }
    if isCounted, run.depth >= HostDatapath.maxDepth || run.resubmits >= HostDatapath.maxResubmits {
      run.failed = true
      run.metLimit = true
      run.note("dropped: too many resubmits")
      return
    }
    let inPort = packet.inPort
    packet.inPort = port
    let found = find(bridge, table, &packet, &run, &choices)
    packet.inPort = inPort
    let index = found.map { FlowIndex(bridge: Int32(bridge), flow: $0) } ?? .none
    let before = run.currentStep
    if run.wantsSteps { run.begin(.init(bridge: bridge, table: table, depth: run.level, flow: index)) }
    defer { run.currentStep = before }
    run.lastFlow = index
    if isCounted, found != nil || countsMiss { run.resubmits += 1 }
    guard let found else { return }
    run.level += 1
    if deepens { run.depth += 1 }
    if bridges[bridge].flows[Int(found)].isIdleTimed { run.effects.append(.use(index)) }
    run.tasks.append(.init(kind: .leave(deepens: deepens), bridge: bridge, table: table, flow: index))
    perform(actions(index, &run, &choices), bridge, table, index, isOwn: true, &run)
  }

  private func actions(_ index: FlowIndex, _ run: inout Run, _ choices: inout Choices) -> [Action] {
    let flow = bridges[Int(index.bridge)].flows[Int(index.flow)]
    if flow.alternatives.isEmpty { return flow.actions }
    run.doubt("what the flow learned last is not certain", index)
    let choice = Int(choices.choose(UInt8(clamping: flow.alternatives.count + 1)))
    return choice == 0 ? flow.actions : flow.alternatives[choice - 1]
  }

  private func find(
    _ bridge: Int, _ number: UInt8, _ packet: inout Packet, _ run: inout Run, _ choices: inout Choices
  ) -> Int32? {
    let flows = bridges[bridge].flows
    let table = bridges[bridge].tables[Int(number)]
    if table.delicate == 0, !packet.hasUnknowns {
      return table.lookup(packet, flows, now: run.now, &run.dependence)
    }
    var candidates = table.candidates(packet, flows, now: run.now)
    if packet.hasUnknowns { run.dependence.isWhole = true }
    table.noteDependence(of: candidates, flows, now: run.now, in: &run.dependence)
    var position = 0
    while position < candidates.count {
      let candidate = candidates[position]
      position += 1
      let flow = flows[Int(candidate.index)]
      if flow.isConjunctive {
        guard let id = conjunction(flow.priority, candidates, flows, &run, &choices) else { continue }
        // With the conjunction's number the table is searched again, for what matches on it.
        packet.conjunctionID = id
        let again = table.candidates(packet, flows, now: run.now)
          .filter { flows[Int($0.index)].priority <= flow.priority && !flows[Int($0.index)].isConjunctive }
        candidates = candidates.prefix(position) + again
        continue
      }
      if candidate.isSure { return candidate.index }
      run.doubt(doubt(flow, packet), FlowIndex(bridge: Int32(bridge), flow: candidate.index))
      if choices.choose(2) == 0 {
        settle(flow, &packet)
        return candidate.index
      }
      refuse(flow, &packet)
    }
    return nil
  }

  private func doubt(_ flow: InstalledFlow, _ packet: Packet) -> String {
    if flow.hasUnknownConditions { return "the flow's match has fields that are not followed" }
    if flow.match(packet) == .maybe {
      let open = flow.terms.map(\.field).filter { packet.unknownBits($0) != 0 }
      let isTracked = open.allSatisfy {
        [.connectionState, .connectionMark, .connectionLabel, .connectionZone].contains($0)
      }
      return "whether the flow matches depends on "
        + (isTracked ? "the connection's state, which no dump holds" : "what is not known of the frame")
    }
    return "the flow may have timed out, or may not have been learned"
  }

  /// The number of a conjunction of which every clause has a match among the flows of this priority.
  private func conjunction(
    _ priority: UInt16, _ candidates: [FlowTable.Candidate], _ flows: [InstalledFlow], _ run: inout Run,
    _ choices: inout Choices
  ) -> UInt32? {
    var clauses: [UInt32: UInt64] = [:]
    var needed: [UInt32: UInt8] = [:]
    var order: [UInt32] = []
    for candidate in candidates {
      let flow = flows[Int(candidate.index)]
      guard flow.isConjunctive, flow.priority == priority else { continue }
      if !candidate.isSure, choices.choose(2) == 1 { continue }
      for action in flow.actions {
        guard case .conjunction(let id, let clause, let count) = action, clause >= 1, clause <= 64 else { continue }
        if clauses[id] == nil { order.append(id) }
        clauses[id, default: 0] |= 1 << UInt64(clause - 1)
        needed[id] = count
      }
    }
    return order.first { id in
      let count = needed[id] ?? 0
      let all: UInt64 = count >= 64 ? .max : (1 << UInt64(count)) - 1
      return clauses[id, default: 0] & all == all
    }
  }

  /// The packet is taken to be such that the flow matches.
  private func settle(_ flow: InstalledFlow, _ packet: inout Packet) {
    for term in flow.terms where packet.unknownBits(term.field) & term.mask != 0 {
      packet.set(term.field, term.value, mask: term.mask)
      if term.mask == term.field.allBits { packet.markKnown(term.field) }
    }
  }

  /// The packet is taken to be such that the flow does not match, where one bit decides that.
  private func refuse(_ flow: InstalledFlow, _ packet: inout Packet) {
    let open = flow.terms.filter { packet.unknownBits($0.field) & $0.mask != 0 }
    guard open.count == 1, let term = open.first, !flow.hasUnknownConditions else { return }
    let bits = packet.unknownBits(term.field) & term.mask
    guard bits.nonzeroBitCount == 1, term.field == .connectionState else { return }
    packet.set(term.field, ~term.value, mask: bits)
  }

  // MARK: Actions

  /// Puts actions before everything else that is to be done.
  /// - Parameter isOwn: they are the flow's list, not nested in another action.
  func perform(
    _ actions: [Action], _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, isOwn: Bool = false, _ run: inout Run
  ) {
    if actions.isEmpty { return }
    run.tasks.append(
      .init(
        kind: .actions, bridge: bridge, table: table, flow: flow, actions: actions, step: run.currentStep, isOwn: isOwn))
  }

  /// Performs one action; what it leads to beyond this bridge and table is put before everything else.
  func perform(
    _ action: Action, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    switch action {
    case .output(let port), .enqueue(let port, _), .outputTruncated(let port, _):
      output(port, bridge, table, flow, &packet, &run, &choices)
    case .outputField(let part):
      if packet.unknownBits(part.field) & part.mask != 0 {
        run.doubt("the output port is not known", flow)
        return
      }
      let number = UInt32(truncatingIfNeeded: packet.value(of: part))
      output(PortReference(number: number), bridge, table, flow, &packet, &run, &choices)
    case .set(let field, let value, let mask): set(field, value, mask, flow, &packet)
    case .setInPort: break
    case .move(let from, let to):
      guard packet.has(from.field), packet.has(to.field) else { return }
      let isUnknown = packet.unknownBits(from.field) & from.mask != 0
      set(to.field, packet.value(of: from) << UInt128(to.offset), to.mask, flow, &packet)
      if isUnknown { packet.markUnknown(to.field) }
    case .push(let part): if run.stack.count < 4096 { run.stack.append(packet.value(of: part)) }
    case .pop(let part): if let value = run.stack.popLast() { packet.set(part, value) }
    case .pushVLAN(let tpid):
      packet.pushTag(tpid: tpid, vid: 0)
      packet.vlanFlow = flow
    case .popVLAN:
      packet.popTag()
      packet.vlanFlow = flow
    case .modVLANVID(let vid):
      modifyTag(bridge, flow, &packet, &run, &choices)
      packet.setTCI(packet.tagTCI & 0xe000 | Packet.present | vid)
    case .modVLANPCP(let pcp):
      modifyTag(bridge, flow, &packet, &run, &choices)
      packet.setTCI(packet.tagTCI & 0x0fff | Packet.present | UInt16(pcp) << 13)
    case .resubmit(let port, let next, let tracking):
      if tracking {
        run.doubt("resubmit(…,ct) is not followed", flow)
        packet.isUncertain = true
      }
      var number = packet.inPort
      if case .number(let given)? = port { number = given }
      lookUp(bridge, table: next ?? table, port: number, .resubmit(from: table), &packet, &run, &choices)
    case .gotoTable(let next):
      lookUp(bridge, table: next, port: packet.inPort, .goto(from: table), &packet, &run, &choices)
    case .learn(let learn): perform(learn, bridge, flow, &packet, &run)
    case .conntrack(let tracked): track(tracked, bridge, table, flow, &packet, &run, &choices)
    case .conntrackClear: clearTracking(&packet)
    case .checkPacketLarger(let length, let target):
      if packet.length == 0 { run.doubt("the frame's length is not known", flow) }
      let isLarger = packet.length == 0 ? choices.choose(2) == 0 : packet.length > length
      packet.set(target, isLarger ? 1 : 0)
    case .decrementTTL: decrementTTL(&packet, &run)
    case .clone(let nested):
      run.set(aside: packet, for: .clone, bridge, table, flow)
      run.tasks.append(.init(kind: .actionSet, bridge: bridge, table: table, flow: flow))
      perform(nested, bridge, table, flow, &run)
    case .writeActions(let nested): if run.actionSet.count < 4096 { run.actionSet += nested }
    case .clearActions: run.actionSet = []
    case .exit: run.stopped = true
    case .controller: run.wentToController = true
    case .meter:
      run.doubt("a meter may drop the frame", flow)
      packet.isUncertain = true
    case .group:
      run.doubt("what the group does is not known", flow)
    case .unknown(let text):
      run.doubt("the action is not followed: \(text)", flow)
      packet.isUncertain = true
    case .finTimeout(let idle, let hard):
      let flags = run.original.tcpFlags
      if flow.flow >= 0, run.original.isIP, run.original.ipProtocol == 6, flags & 0x5 != 0 {
        run.effects.append(.reduce(flow, idle: idle, hard: hard))
      }
    case .conjunction, .inert: break
    }
  }

  private func set(
    _ field: Field, _ value: UInt128, _ mask: UInt128, _ flow: FlowIndex, _ packet: inout Packet
  ) {
    packet.set(field, value, mask: mask)
    switch field {
    case .tunnelID: packet.tunnelIDFlow = flow
    case .vlanTCI, .vlanVID: packet.vlanFlow = flow
    default: break
    }
  }

  /// OpenFlow 1.0's text leaves `push_vlan` out: on a tagged frame its `mod_vlan_*` is a rewrite or a push.
  private func modifyTag(
    _ bridge: Int, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run, _ choices: inout Choices
  ) {
    packet.vlanFlow = flow
    guard bridges[bridge].isLossy, packet.isTagged else { return }
    run.doubt("in OpenFlow 1.0's text mod_vlan_vid may stand for a push", flow)
    if choices.choose(2) == 0 { packet.pushTag(tpid: 0x8100, vid: 0) }
  }

  private func decrementTTL(_ packet: inout Packet, _ run: inout Run) {
    guard packet.isIP else { return }
    if packet.ttl > 1 {
      packet.ttl -= 1
    } else {
      run.wentToController = true
      // The rest of this list of actions is left out; those that led here go on.
      if let last = run.tasks.indices.last { run.tasks[last].next = run.tasks[last].actions.count }
      run.note("dropped: the TTL has run out")
    }
  }

  func clearTracking(_ packet: inout Packet) {
    packet.connectionState = 0
    packet.unknownState = 0
    packet.connectionZone = 0
    packet.connectionMark = 0
    packet.connectionLabel = 0
    packet.markKnown(.connectionMark)
    packet.markKnown(.connectionLabel)
    packet.markKnown(.connectionZone)
  }

  /// What the connection tracker knows is not in any dump: of the state it gives only "tracked" is certain.
  private func track(
    _ tracked: Conntrack, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet,
    _ run: inout Run, _ choices: inout Choices
  ) {
    guard let next = tracked.table else {
      if tracked.nat != nil {
        run.doubt("address translation is not followed", flow)
        packet.isUncertain = true
      }
      clearTracking(&packet)
      return
    }
    run.set(aside: packet, for: .tracking, bridge, table, flow)
    run.recirculations += 1
    if run.recirculations > HostDatapath.maxRecirculations {
      run.note("dropped: sent through connection tracking too often")
      return
    }
    run.depth = 0
    run.resubmits = 0
    let trackedBit: UInt32 = 0x20
    let invalidBit: UInt32 = 0x10
    switch tracked.zone {
    case .number(let number): packet.connectionZone = number
    case .field(let part):
      packet.connectionZone = UInt16(truncatingIfNeeded: packet.value(of: part))
    }
    if packet.isIP {
      packet.connectionState = trackedBit
      packet.unknownState = 0xdf
      packet.markUnknown(.connectionMark)
      packet.markUnknown(.connectionLabel)
      if tracked.nat != nil {
        run.doubt("address translation is not followed", flow)
        packet.isUncertain = true
      }
    } else {
      packet.connectionState = trackedBit | invalidBit
      packet.unknownState = 0
    }
    // What is put in last comes first: the nested actions, the table, then the action set.
    run.tasks.append(.init(kind: .actionSet, bridge: bridge, table: table, flow: flow))
    perform(
      tracked.exec + [.resubmit(port: nil, table: next, connectionTracking: false)], bridge, table, flow, &run)
  }

  /// OpenFlow 1.5, section 5.6: pop, push, TTL, sets in their order, then one output or what stands for it. A
  /// set without any of these does nothing (`ofpacts_execute_action_set`).
  func performActionSet(_ bridge: Int, _ table: UInt8, _ run: inout Run) {
    guard !run.actionSet.isEmpty, !run.stopped, !run.failed else {
      run.actionSet = []
      return
    }
    let set = run.actionSet
    run.actionSet = []
    func last(_ isWanted: (Action) -> Bool) -> Action? { set.last(where: isWanted) }
    let final =
      last { if case .group = $0 { true } else { false } }
      ?? last { if case .output = $0 { true } else { false } }
      ?? last { if case .resubmit = $0 { true } else { false } }
      ?? last { if case .conntrackClear = $0 { true } else { false } }
      ?? last { if case .conntrack = $0 { true } else { false } }
    guard let final else { return }
    var ordered: [Action] = []
    if set.contains(.popVLAN) { ordered.append(.popVLAN) }
    if let push = last({ if case .pushVLAN = $0 { true } else { false } }) { ordered.append(push) }
    if set.contains(.decrementTTL) { ordered.append(.decrementTTL) }
    for action in set {
      switch action {
      case .popVLAN, .pushVLAN, .decrementTTL, .output, .group, .resubmit, .conntrack, .conntrackClear, .gotoTable: break
      default: ordered.append(action)
      }
    }
    perform(ordered + [final], bridge, table, run.lastFlow, &run)
  }
}

extension Packet {
  /// The outer slot's TCI, with bit 12 where a tag is there.
  var tagTCI: UInt16 { tag0.tci }
}

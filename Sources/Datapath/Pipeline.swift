import OpenFlow
import Wire

/// Tables and actions.
extension HostDatapath {
  /// Limits of ofproto/ofproto-dpif-xlate.c.
  private static let maxDepth = 64
  private static let maxResubmits = 4096

  /// A frame comes into a bridge: table 0, then the action set.
  func enter(_ bridge: Int, _ packet: inout Packet, _ run: inout Run, _ choices: inout Choices) {
    let runtime = bridges[bridge]
    if !runtime.hasFlows {
      if runtime.isStandalone {
        normal(bridge, &packet, .none, &run, &choices)
      } else {
        run.doubt("the flows of \(runtime.name) are not known", .none)
      }
      return
    }
    lookUp(bridge, table: 0, port: packet.inPort, &packet, &run, &choices)
    performActionSet(bridge, &packet, &run, &choices)
  }

  /// Finds the packet's flow in a table and performs its actions.
  func lookUp(
    _ bridge: Int, table: UInt8, port: UInt32, from: UInt8? = nil, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    if run.depth >= HostDatapath.maxDepth || run.resubmits >= HostDatapath.maxResubmits {
      run.failed = true
      run.note("dropped: too many resubmits")
      run.doubt("too many resubmits: Open vSwitch drops the frame", run.lastFlow)
      return
    }
    let inPort = packet.inPort
    packet.inPort = port
    let found = find(bridge, table, &packet, &run, &choices)
    packet.inPort = inPort
    let index = found.map { FlowIndex(bridge: Int32(bridge), flow: $0) } ?? .none
    if run.wantsSteps { run.steps.append(.init(bridge: bridge, table: table, depth: run.level, flow: index)) }
    guard let found else {
      run.lastFlow = .none
      return
    }
    run.lastFlow = index
    let deepens = from.map { table <= $0 } ?? false
    run.resubmits += 1
    run.level += 1
    if deepens { run.depth += 1 }
    if bridges[bridge].flows[Int(found)].idleTimeout > 0 { run.effects.append(.use(index)) }
    perform(actions(index, &run, &choices), bridge, table, index, &packet, &run, &choices)
    run.level -= 1
    if deepens { run.depth -= 1 }
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
    if table.delicate == 0, !packet.hasUnknowns { return table.lookup(packet, flows, now: run.now) }
    var candidates = table.candidates(packet, flows, now: run.now)
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
    if flow.match(packet) == .maybe { return "whether the flow matches depends on what is not known of the frame" }
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

  func perform(
    _ actions: [Action], _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    for action in actions {
      if run.stopped || run.failed { return }
      perform(action, bridge, table, flow, &packet, &run, &choices)
    }
  }

  private func perform(
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
      lookUp(bridge, table: next ?? table, port: number, from: table, &packet, &run, &choices)
    case .gotoTable(let next):
      lookUp(bridge, table: next, port: packet.inPort, from: table, &packet, &run, &choices)
    case .learn(let learn): perform(learn, bridge, flow, &packet, &run)
    case .conntrack(let tracked): track(tracked, bridge, table, flow, &packet, &run, &choices)
    case .conntrackClear: clearTracking(&packet)
    case .checkPacketLarger(let length, let target):
      if packet.length == 0 { run.doubt("the frame's length is not known", flow) }
      let isLarger = packet.length == 0 ? choices.choose(2) == 0 : packet.length > length
      packet.set(target, isLarger ? 1 : 0)
    case .decrementTTL: decrementTTL(&packet, &run)
    case .clone(let nested):
      let before = packet
      let stack = run.stack
      let set = run.actionSet
      perform(nested, bridge, table, flow, &packet, &run, &choices)
      packet = before
      run.stack = stack
      run.actionSet = set
      // `exit` in a clone ends the clone.
      run.stopped = false
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
      run.stopped = true
    }
  }

  private func clearTracking(_ packet: inout Packet) {
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
    guard let next = tracked.table else { return }
    let before = packet
    let stack = run.stack
    let set = run.actionSet
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
    perform(tracked.exec, bridge, table, flow, &packet, &run, &choices)
    lookUp(bridge, table: next, port: packet.inPort, from: table, &packet, &run, &choices)
    performActionSet(bridge, &packet, &run, &choices)
    packet = before
    run.stack = stack
    run.actionSet = set
    run.stopped = false
    clearTracking(&packet)
  }

  /// OpenFlow 1.5, section 5.6: pop, push, set, then one output.
  func performActionSet(_ bridge: Int, _ packet: inout Packet, _ run: inout Run, _ choices: inout Choices) {
    guard !run.actionSet.isEmpty, !run.stopped, !run.failed else {
      run.actionSet = []
      return
    }
    let set = run.actionSet
    run.actionSet = []
    var ordered: [Action] = []
    if set.contains(.popVLAN) { ordered.append(.popVLAN) }
    for action in set { if case .pushVLAN = action { ordered.append(action) } }
    for action in set {
      switch action {
      case .popVLAN, .pushVLAN, .output, .group, .resubmit, .gotoTable: break
      default: ordered.append(action)
      }
    }
    let last = set.last { action in
      switch action {
      case .output, .group: true
      default: false
      }
    }
    if let last { ordered.append(last) }
    perform(ordered, bridge, 0, run.lastFlow, &packet, &run, &choices)
  }
}

extension Packet {
  /// The outer slot's TCI, with bit 12 where a tag is there.
  var tagTCI: UInt16 { tag0.tci }
}

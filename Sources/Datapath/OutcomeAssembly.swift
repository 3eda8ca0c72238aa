import OpenFlow
import Wire

/// From runs to what is told of them.
extension HostDatapath {
  func outcome(of runs: [Run], isIncomplete: Bool) -> Outcome {
    var outcome = Outcome()
    outcome.isIncomplete = isIncomplete
    for exit in merge(runs.map(\.exits), isIncomplete, by: \.effect, isUncertain: \.packet.isUncertain) {
      outcome.deliveries.append(delivery(exit.item, exit.certainty))
    }
    for passage in merge(runs.map(\.passages), isIncomplete, by: \.effect, isUncertain: \.isUncertain) {
      outcome.crossings.append(crossing(passage.item, passage.certainty))
    }
    var seenDrops: Set<FlowIndex> = []
    for run in runs where run.exits.isEmpty && seenDrops.insert(run.lastFlow).inserted {
      outcome.drops.append(reference(run.lastFlow))
    }
    for run in runs {
      outcome.wentToController = outcome.wentToController || run.wentToController
      for reason in run.reasons {
        let uncertainty = Uncertainty(reason: reason.text, flow: reference(reason.flow))
        if !outcome.uncertainties.contains(uncertainty) { outcome.uncertainties.append(uncertainty) }
      }
    }
    outcome.steps = (runs.first?.steps ?? []).map(step)
    return outcome
  }

  private func step(_ step: Run.Step) -> TraceStep {
    let flow = reference(step.flow)
    let known = step.flow.flow >= 0 ? bridges[Int(step.flow.bridge)].flows[Int(step.flow.flow)].actions.count : 0
    let texts = flow?.actionTexts ?? []
    var events: [TraceEvent] = []
    for event in step.events {
      switch event {
      case .note(let text): events.append(.note(text))
      case .step(let index): events.append(.step(index))
      // Where the text has parts that are no actions, it is told as a whole.
      case .action(let index) where texts.count == known && index < known: events.append(.action(texts[index]))
      case .action(let index): if index == 0 { events.append(.action(texts.joined(separator: ","))) }
      }
    }
    return TraceStep(
      bridge: bridges[step.bridge].name, table: step.table, depth: step.depth, flow: flow, events: events)
  }

  /// What happens in every run is certain, as often as it happens in each; the rest may be. By whichever flows it
  /// comes about: those of the first run are told.
  func merge<Item, Effect: Hashable>(
    _ runs: [[Item]], _ isIncomplete: Bool, by effect: (Item) -> Effect, isUncertain: (Item) -> Bool
  ) -> [(item: Item, certainty: Certainty)] {
    if runs.count == 1, let only = runs.first {
      return only.map { ($0, isUncertain($0) || isIncomplete ? .may : .certain) }
    }
    var order: [(effect: Effect, item: Item)] = []
    var fewest: [Effect: Int] = [:]
    var most: [Effect: Int] = [:]
    for (number, run) in runs.enumerated() {
      var counts: [Effect: Int] = [:]
      for item in run {
        let effect = effect(item)
        counts[effect, default: 0] += 1
        if most[effect] == nil {
          order.append((effect, item))
          most[effect] = 0
          fewest[effect] = number == 0 ? Int.max : 0
        }
      }
      for (effect, _) in order {
        let count = counts[effect] ?? 0
        most[effect] = max(most[effect] ?? 0, count)
        fewest[effect] = min(fewest[effect] ?? 0, count)
      }
    }
    var result: [(item: Item, certainty: Certainty)] = []
    for (effect, item) in order {
      let sure = isUncertain(item) || isIncomplete ? 0 : fewest[effect] ?? 0
      for copy in 0..<(most[effect] ?? 0) { result.append((item, copy < sure ? .certain : .may)) }
    }
    return result
  }

  private func delivery(_ exit: Run.Exit, _ certainty: Certainty) -> Delivery {
    let bridge = bridges[exit.bridge]
    let port = bridge.ports[exit.port]
    var kind = Delivery.Kind.device
    var destinationPort: UInt16 = 0
    switch port.kind {
    case .local: kind = .local
    case .tunnel(let settings):
      kind = .tunnel(settings.kind)
      destinationPort = settings.destinationPort
    case .device: if bridge.strangers.contains(exit.port) { kind = .unknown }
    case .patch: kind = .unknown
    }
    var result = Delivery(
      bridge: bridge.name, port: port.name, portNumber: port.number ?? 0, kind: kind, frame: exit.packet,
      certainty: certainty)
    result.tunnelID = exit.tunnelID
    result.remote = exit.remote.family == .none ? nil : exit.remote
    result.destinationPort = destinationPort
    result.isRewritten = exit.isRewritten
    result.outputFlow = reference(exit.outputFlow)
    result.tunnelIDFlow = reference(exit.tunnelIDFlow)
    result.vlanFlow = reference(exit.vlanFlow)
    return result
  }

  private func crossing(_ passage: Run.Passage, _ certainty: Certainty) -> Crossing {
    Crossing(
      fromBridge: bridges[passage.from.bridge].name,
      fromPort: bridges[passage.from.bridge].ports[passage.from.port].name,
      toBridge: bridges[passage.to.bridge].name, toPort: bridges[passage.to.bridge].ports[passage.to.port].name,
      tags: passage.tags, certainty: certainty, outputFlow: reference(passage.outputFlow),
      vlanFlow: reference(passage.vlanFlow))
  }

  func reference(_ index: FlowIndex) -> FlowReference? {
    guard index.bridge >= 0, index.flow >= 0 else { return nil }
    let bridge = bridges[Int(index.bridge)]
    let flow = bridge.flows[Int(index.flow)]
    return FlowReference(
      bridge: bridge.name, table: flow.table, priority: flow.priority, cookie: flow.cookie,
      text: flow.text.isEmpty ? flow.described(bridge) : flow.text, line: flow.line, isLearned: flow.hasTimeout)
  }
}

extension Run.Exit {
  /// Without the flows that led to it.
  var effect: Run.Exit {
    var copy = self
    (copy.outputFlow, copy.tunnelIDFlow, copy.vlanFlow) = (.none, .none, .none)
    return copy
  }
}

extension Run.Passage {
  /// Without the flows that led to it.
  var effect: Run.Passage {
    var copy = self
    (copy.outputFlow, copy.vlanFlow) = (.none, .none)
    return copy
  }
}

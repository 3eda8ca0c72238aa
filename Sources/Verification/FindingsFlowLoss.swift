import Correlation
import Deployment
import Observations

/// Flows of which nothing passes a stretch while others pass: a class of its own.
extension FindingBuilder {
  /// A path that loses flows: between two hosts, or out of a port.
  private struct LostFlows {
    var key: StretchKey
    var networks: [Int32]
    var record: StretchRecord
    var flows = 1
    var passed: UInt64
    var isProven: Bool
  }

  mutating func addFlowLosses() {
    var paths: [LostFlows] = []
    for number in judge.stretches.sorted where judge.stretches.passed[number] > 0 {
      let (key, passed) = (judge.stretches.keys[number], judge.stretches.passed[number])
      guard isJudgedByFlow(key) else { continue }
      for loss in judge.stretches.flows.whole(on: number) {
        guard isNoChance(loss, number), !judge.mustWait(key, loss.record.missed.last) else { continue }
        let isProven = loss.provenTimes >= 3
        flowLosses[key, default: 0] += loss.record.visible.count
        if let same = paths.firstIndex(where: { isSamePath($0.key, key) }) {
          paths[same].record.merge(loss.record)
          paths[same].flows += 1
          paths[same].isProven = paths[same].isProven || isProven
          guard !paths[same].networks.contains(key.network) else { continue }
          paths[same].networks.append(key.network)
          paths[same].passed += passed
        } else {
          paths.append(LostFlows(key: key, networks: [key.network], record: loss.record, passed: passed, isProven: isProven))
        }
      }
    }
    for path in paths { add(path) }
  }

  /// Whether most of what a stretch lost is of flows that it lost whole.
  func isByFlow(_ key: StretchKey, _ record: StretchRecord) -> Bool {
    guard let known = flowLosses[key] else { return false }
    return known * 5 >= record.visible.count * 4
  }

  /// Where nothing but a flow of a switch may tell flows apart, and no filter stands in between.
  private func isJudgedByFlow(_ key: StretchKey) -> Bool {
    switch key.stretch {
    case .underlay:
      !judge.isNominal(key.host, key.peer)
        && judge.faults[FaultKey(fault: .tunnelReflection, host: key.peer, network: key.network)] == nil
    // Of floods, what reaches one host and not another is judged by host.
    case .outward where key.peer >= 0: false
    case .intoTunnel, .outward: tagDraft(key.port, key.network) == nil && !isPolicy(key)
    default: false
    }
  }

  private func isSamePath(_ one: StretchKey, _ other: StretchKey) -> Bool {
    (one.stretch, one.host, one.peer, one.port) == (other.stretch, other.host, other.peer, other.port)
  }

  /// Whether captures cannot have missed all frames of a flow by chance, when of the others so few are missed.
  private func isNoChance(_ loss: FlowLosses.Loss, _ number: Int) -> Bool {
    let key = judge.stretches.keys[number]
    let points = witnesses(key)
    guard loss.visibleTimes >= 3, tooShort(at: points) == 0, !isAdmitted(loss.record.visible.count, at: points) else { return false }
    if key.stretch == .underlay, judge.doubted(key.host, key.peer) > 0 { return false }
    let missed = judge.stretches.records[number].visible.count - loss.record.visible.count
    let rate = Double(missed + 1) / Double(missed + judge.stretches.passed[number] + 2)
    let tests = Double(judge.stretches.flows.count) * Double(judge.stretches.keys.count)
    return Chance.ofAll(min(loss.visibleTimes, 64), at: rate) < 0.05 / tests
  }

  private mutating func add(_ path: LostFlows) {
    let key = path.key
    let (host, count) = (hostName(key.host), path.record.visible.count)
    let networks = list(path.networks.map(networkName))
    let flows = path.flows == 1 ? "a flow" : "\(path.flows) flows"
    let others = "while \(path.passed) frames of others pass"
    let isUnderlay = key.stretch == .underlay
    let leaving = isUnderlay ? "" : "all \(count) frames of \(flows) of \(portName(key.port)) that must leave \(host)"
    let message =
      switch key.stretch {
      case .underlay:
        "all \(count) tunnel frames of \(flows) of \(networks) from \(host) to \(hostName(key.peer)) are lost on the underlay, \(others)"
      case .outward: "\(leaving), whose tunnel interface was not captured, are lost there or on the underlay, \(others)"
      default: "\(leaving) are lost inside \(host), \(others)"
      }
    var draft = draft(
      nil, path.record.visible, rule: Fault.frameLost.rule, severity: .error, host: key.host,
      network: path.networks.count == 1 ? path.networks[0] : -1, message: message)
    draft.finding.certainty = path.isProven && key.stretch != .outward ? .proven : .likely
    draft.finding.expected = [("arrived", .number(Int64(clamping: count)))]
    draft.finding.observed = [("arrived", .number(0)), ("flows", .number(Int64(path.flows)))]
    draft.parent = modification(on: key.stretch, key.host, key.peer)
    if isUnderlay {
      draft.way = way(key.host, key.peer)
      draft.finding.next = [
        "whether one of several paths or bond members drops: flows go by the outer UDP source port", "on \(hostName(key.peer)): ip -s link",
      ]
    } else {
      draft.finding.port = portName(key.port)
      if key.stretch == .intoTunnel { draft.leaving = key.host }
      draft.finding.next = [
        key.stretch == .outward ? "capture the tunnel interface of \(host)" : "on \(host): ovs-appctl dpctl/dump-flows | grep drop"
      ]
    }
    addCounters(&draft, Loss(stretch: key.stretch, host: key.host, peer: key.peer))
    drafts.append(draft)
  }
}

import Correlation
import Deployment
import Observations
import Wire

/// Findings of the learning family, and of floods that miss a host.
extension FindingBuilder {
  func vtepText(_ vtep: UInt16) -> String {
    guard Int(vtep) < topology.plan.vteps.addresses.count else { return "an unknown VTEP" }
    let address = "\(topology.plan.vteps.addresses[Int(vtep)])"
    let host = topology.vtepHost[Int(vtep)]
    return host >= 0 ? "\(hostName(host)) (\(address))" : address
  }

  mutating func addFloodedAfterLearned(_ key: FaultKey, _ record: FaultRecord) {
    let vni = topology.vni(ofNetwork: Int(key.network)) ?? 0
    // One dump may learn, and the flow that the other shows have been there when these frames left.
    let unlearned = installed.unlearned[Int(key.host)][vni].flatMap { flow in
      flow.span.map { $0.presence(at: record.last) == .yes && $0.presence(at: record.first) != .no } ?? false ? flow : nil
    }
    let learns = unlearned == nil ? installed.learning[Int(key.host)][vni] : false
    // Without the flows' word: enough frames, over long enough.
    let isLasting = record.count >= 3 && record.last &- record.first > (judge.makes(.learningGrace) ? 2 * Judge.learningGrace : 0)
    guard learns == false || isLasting || !judge.makes(.briefFlooding) else { return }
    let message = learningMessage(key.host, networkName(key.network), lanes: vniText(vni), learns: learns)
    var draft = draft(
      key, record, rule: key.fault.rule, severity: learns == false ? .error : .warning, host: key.host,
      network: key.network, message: message)
    draft.finding.expected = [("copies", .number(Int64(clamping: record.count)))]
    draft.finding.observed = [("superfluousCopies", .number(Int64(clamping: record.copies)))]
    let deliverer = installed.inbound(
      host: Int(key.host), vni: vni, kind: topology.sharedKind(ofNetwork: Int(key.network)), during: record.stretch)?.deliverer
    if learns == false, let flow = unlearned ?? deliverer {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
    } else if learns == true {
      draft.finding.cause = Cause(
        kind: .datapath, host: hostName(key.host),
        text: "the dumped flows learn from this VNI: the dump is of another time, or the datapath differs")
      draft.finding.next.append(dumpAgain(key.host))
    }
    draft.networks = [key.network]
    drafts.append(draft)
  }

  func learningMessage(_ host: Int32, _ networks: String, lanes: String?, learns: Bool?) -> String {
    "\(hostName(host)) keeps flooding unicast of \(networks) to MACs that it has heard from"
      + (learns == false ? ": its flows learn nothing from \(lanes ?? "their VNIs")" : "")
  }

  func reflectionMessage(_ host: Int32, _ networks: String) -> String {
    "\(hostName(host)) sends frames of \(networks) that it received from a tunnel into tunnels "
      + "again: split horizon is broken, and frames loop"
  }

  mutating func addReflection(_ key: FaultKey, _ record: FaultRecord) {
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network,
      message: reflectionMessage(key.host, networkName(key.network)))
    draft.networks = [key.network]
    let vni = topology.vni(ofNetwork: Int(key.network)) ?? 0
    if let flow = installed.reflections[Int(key.host)][vni] {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
      draft.finding.certainty = .proven
    }
    soften(&draft, "capture all ports of \(hostName(key.host)): a guest there may forward these frames")
    drafts.append(draft)
  }

  /// Floods that lacked a copy for a host from some time on, or until then.
  struct FloodPart {
    var words = ""
    /// Until the end of the captures.
    var isToTheEnd = false
    /// So short that an agent may have been putting its flows in anew.
    var isBrief = false
  }

  /// Where all floods lacked a copy for a host from some time on, or until then, while it had guests of the network.
  func steadyPart(_ key: StretchKey, _ record: FaultRecord) -> FloodPart? {
    guard let number = judge.stretches.keys.firstIndex(of: key), record.count >= 3 else { return nil }
    let (first, last) = (judge.stretches.firstPassed[number], judge.stretches.lastPassed[number])
    let isAfter = record.first > last
    guard isAfter || record.last < first else { return nil }
    let isLong = record.last &- record.first > 2 * Judge.learningGrace
    // Guests of the network that were there meanwhile, by what they sent and got.
    let isInhabited = judge.stretches.keys.indices.contains { other in
      let its = judge.stretches.keys[other]
      guard its.network == key.network, judge.stretches.passed[other] > 0 else { return false }
      let isThere = its.stretch == .intoTunnel || its.stretch == .toPort ? its.host == key.peer : its.stretch == .betweenPorts && its.peer == key.peer
      guard isThere else { return false }
      return isAfter ? judge.stretches.lastPassed[other] > record.first : judge.stretches.firstPassed[other] < record.last
    }
    guard isInhabited else { return nil }
    return FloodPart(
      words: isAfter ? ", from some time on" : ", until some time", isToTheEnd: isAfter, isBrief: !isLong && !isLeftOut(key, record))
  }

  /// Whether a dumped flow that floods a network leaves a host out.
  private func isLeftOut(_ key: StretchKey, _ record: FaultRecord) -> Bool {
    let addresses = deployment.hosts[Int(key.peer)].vteps
    let flood = localVLAN(key.host, key.network).flatMap { installed.flood(host: Int(key.host), vlan: $0, during: record.stretch) }
    return flood.map { flood in !addresses.contains { flood.remotes.contains($0) } } ?? false
  }

  /// A class of floods that lacks a copy for a host: an error where it is many, or where the flows say so.
  mutating func addMissingFloodCopy(_ key: StretchKey, _ record: FaultRecord, part: FloodPart = FloodPart()) {
    let vlan = localVLAN(key.host, key.network)
    let flood = vlan.flatMap { installed.flood(host: Int(key.host), vlan: $0, during: record.stretch) }
    let addresses = deployment.hosts[Int(key.peer)].vteps
    let isExplained = isLeftOut(key, record)
    guard isExplained || record.count >= 3 else { return }
    // Captures that show nothing between the two at all may have been told to.
    let isUnwatched =
      !isExplained && !judge.shownWays[Int(key.host) * deployment.hosts.count + Int(key.peer)]
      && !topology.hostHasTunnelPoint[Int(key.peer)]
    let message =
      "broadcast and multicast of \(networkName(key.network)) from \(hostName(key.host)) has no copy for "
      + "\(hostName(key.peer)), which has ports of the network\(part.words)"
    var draft = draft(
      nil, record, rule: "incomplete-flood", severity: part.isBrief ? .info : .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("vtep", .list(addresses.map { "\($0)" }))]
    draft.finding.observed = [("vteps", .list((flood?.remotes ?? []).map { "\($0)" }))]
    draft.lacking = way(key.host, key.peer)
    if isUnwatched {
      draft.finding.certainty = .suspected
      soften(&draft, "capture \(hostName(key.host))'s tunnel interface without a filter: no capture shows a frame between the two")
    }
    if isExplained, let cause = missingTunnel(of: key.host, to: key.peer) {
      draft.finding.cause = cause
      draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl show")
      // What a tunnel lacks, all networks lack.
      if let same = drafts.firstIndex(where: { $0.lacking == draft.lacking && $0.finding.cause == cause && $0.finding.rule == "incomplete-flood" }) {
        drafts[same].absorb(draft)
        drafts[same].finding.network = nil
        drafts[same].finding.message =
          "broadcast and multicast of several networks from \(hostName(key.host)) has no copy for \(hostName(key.peer)), "
          + "which has ports of them"
        return
      }
    } else if isExplained, let flow = flood?.flow {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
    }
    if part.isBrief, part.isToTheEnd {
      unsettled.append(message + ", and no capture shows that an agent which was putting its flows in anew was done")
      return
    }
    drafts.append(draft)
  }

  /// What is wrong where none of a host's tunnels leads to another; nil where one does, or where that is not known.
  func missingTunnel(of host: Int32, to peer: Int32) -> Cause? {
    let addresses = deployment.hosts[Int(peer)].vteps
    let tunnels = deployment.tunnels(of: Int(host))
    let remotes = deployment.tunnelRemotes(of: Int(host))
    guard !tunnels.isEmpty, !addresses.isEmpty, tunnels.allSatisfy({ $0.remote != nil }),
      !addresses.contains(where: remotes.contains)
    else { return nil }
    let known = deployment.hosts.flatMap(\.vteps)
    let strays = tunnels.filter { tunnel in tunnel.remote.map { !known.contains($0) } ?? false }
    let words = strays.map { "; \($0.name) leads to \($0.remote.map { "\($0)" } ?? "nowhere"), which no host here has" }
    return Cause(
      kind: .tunnel, host: hostName(host), bridge: tunnels[0].bridge,
      text: "missing: a tunnel port to \(list(addresses.map { "\($0)" }))" + words.joined())
  }
}

import Correlation
import Deployment
import Observations
import Wire

/// Flows of the guests' bridge that take frames out of their lane: what hands a frame to a port it is not for, and what
/// puts a port's frames on another network's VLAN.
extension FindingBuilder {
  /// Explains frames in the wrong lane where the flows between VLAN and tunnel are right: by the flow that put them on
  /// another VLAN, which then is the cause, or by one that sets the VNI for some frames only.
  /// - Returns: whether the flows do it.
  mutating func explainLeaving(_ draft: inout Draft, _ key: FaultKey, _ record: FaultRecord, ownVLAN: UInt16) -> Bool {
    let port = deployment.ports[Int(key.port)]
    // A trunk's subports come in by other ports.
    guard port.network == Int(key.network), let name = port.bridgePort, let seen = wrongSighting(record) else { return false }
    let lane = judge.lane(key, record)
    guard
      let way = installed.leaving(
        host: Int(key.host), by: name, like: seen, on: key.observed, laneVLAN: localVLAN(key.host, lane),
        during: record.stretch)
    else { return false }
    if let flow = way.vlanFlow, way.vlan != 0, way.vlan != ownVLAN {
      addStrayVLAN(key, record, onto: way.vlan, flow)
      return true
    }
    guard let flow = way.tunnelIDFlow else { return false }
    draft.finding.cause = flowCause(flow)
    draft.finding.next.append(showFlows(flow))
    return true
  }

  /// A flow that puts a port's frames on another network's VLAN, before they leave or on their way to another port.
  private mutating func addStrayVLAN(_ key: FaultKey, _ record: FaultRecord, onto vlan: UInt16, _ flow: FlowEvidence) {
    let cause = flowCause(flow)
    var root = FaultKey(
      fault: .wrongLocalVLAN, host: key.host, network: key.network, observed: UInt32(vlan), detail: 1)
    if let known = drafts.firstIndex(where: { $0.key == root }), drafts[known].finding.cause != cause { root.port = key.port }
    strayRoots[key] = root
    let owner = deployment.hosts[Int(key.host)].localVLANs.filter { $0.value == vlan }.keys.min()
    let expected = localVLAN(key.host, key.network)
    let message =
      "\(hostName(key.host)) puts frames of \(networkName(key.network)) on VLAN \(vlan)"
      + "\(owner.map { ", that of network \(networkName(Int32($0)))" } ?? "")"
      + "\(expected.map { "; its VLAN there is \($0)" } ?? "")"
    var draft = draft(
      root, record, rule: root.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.cause = cause
    draft.finding.certainty = .proven
    draft.finding.next.append(showFlows(flow))
    if let expected { draft.finding.expected = [("localVLAN", .number(Int64(expected)))] }
    draft.finding.observed = [("localVLAN", .number(Int64(vlan)))]
    if let known = drafts.firstIndex(where: { $0.key == root }) {
      drafts[known].absorb(draft)
    } else {
      drafts.append(draft)
    }
  }

  /// How the flows bring what arrives for one network to a port of another, where they map its VNI rightly.
  func strayHanding(_ key: FaultKey, _ record: FaultRecord) -> InstalledView.Handing? {
    let other = Int32(bitPattern: key.observed)
    guard key.detail == 0, key.network >= 0, other >= 0, Int(other) < deployment.networks.count,
      !isInstalled(wrongVLAN: key, during: record.stretch)
    else { return nil }
    for port in topology.ports(on: key.host, of: other) where topology.portIsCaptured[port] {
      if let way = handing(to: Int32(port), network: key.network, record) { return way }
    }
    return nil
  }

  /// How the flows hand frames of a network, that came out of a tunnel or entered at another port, to a port of theirs.
  func handing(to port: Int32, network: Int32, _ record: FaultRecord) -> InstalledView.Handing? {
    guard let name = deployment.ports[Int(port)].bridgePort, let vni = topology.vni(ofNetwork: Int(network)),
      let seen = wrongSighting(record)
    else { return nil }
    let host = topology.portHost[Int(port)]
    if let entry = entryPort(on: host, of: network, but: port, record),
      let fromPort = deployment.ports[Int(entry)].bridgePort
    {
      return installed.handing(host: Int(host), to: name, fromPort: fromPort, like: seen, during: record.stretch)
    }
    let sender = record.example.first { topology.points[Int($0.point)].isTunnel && $0.direction == .in }?.outerFrom
    let remote = sender.flatMap { Int($0) < topology.plan.vteps.addresses.count ? topology.plan.vteps.addresses[Int($0)] : nil }
    let tunnels = deployment.tunnels(of: Int(host))
    let known = tunnels.filter { $0.remote != nil && $0.remote == remote }
    return installed.handing(
      host: Int(host), to: name, from: known.isEmpty ? tunnels : known, vni: vni, like: seen, during: record.stretch)
  }

  /// The port of the same host at which the first such frame entered.
  private func entryPort(on host: Int32, of network: Int32, but port: Int32, _ record: FaultRecord) -> Int32? {
    guard let first = record.example.first else { return nil }
    let point = topology.points[Int(first.point)]
    guard point.isGuestSide, point.host == host, point.port != port, topology.portNetwork[Int(point.port)] == network else {
      return nil
    }
    return point.port
  }

  /// The flow that hands frames to a port of another network beside their own lane; a flow that puts them on another
  /// VLAN is a finding of its own.
  mutating func copyingFlow(_ key: FaultKey, _ record: FaultRecord) -> FlowEvidence? {
    if key.via == .wrongLocalVLAN {
      var root = FaultKey(fault: .wrongLocalVLAN, host: key.viaHost, network: key.network, observed: key.observed)
      root.detail = 0
      return copyingFlows[root]
    }
    guard key.via == nil, !topology.hasWrongTag(Int(key.port), in: Int32(bitPattern: key.observed)),
      let way = handing(to: key.port, network: key.network, record),
      let flow = way.flow
    else { return nil }
    guard way.setsVLAN else { return flow }
    if let vlan = localVLAN(key.host, Int32(bitPattern: key.observed)) { addStrayVLAN(key, record, onto: vlan, flow) }
    return nil
  }

  /// Explains a delivery whose way was not captured by the flows of the host where the frame entered, where they send it
  /// in the lane that it was delivered in.
  mutating func explainSender(_ key: FaultKey, _ record: FaultRecord) {
    guard let vni = topology.vni(ofNetwork: Int(Int32(bitPattern: key.observed))),
      let entry = record.example.first.map({ topology.points[Int($0.point)] }), entry.isGuestSide, entry.host != key.host,
      topology.portNetwork[Int(entry.port)] == key.network
    else { return }
    let root = FaultKey(fault: .wrongVNI, host: entry.host, network: key.network, port: entry.port, observed: vni)
    if !drafts.contains(where: { $0.key == root }) {
      guard judge.faults[root] == nil, sendsAstray(root, record) else { return }
      addWrongVNI(root, record)
    }
    strayRoots[key] = root
  }

  /// Whether the dumped flows send a port's frames like these on a wrong VNI.
  private func sendsAstray(_ key: FaultKey, _ record: FaultRecord) -> Bool {
    guard let vlan = judge.localVLAN(key.host, key.network, key.port), let seen = wrongSighting(record) else { return false }
    if installed.flow(host: Int(key.host), vlan: vlan, destination: seen.destination, vni: key.observed, during: record.stretch) != nil {
      return true
    }
    guard let name = deployment.ports[Int(key.port)].bridgePort else { return false }
    let lane = judge.lane(key, record)
    return installed.leaving(
      host: Int(key.host), by: name, like: seen, on: key.observed, laneVLAN: localVLAN(key.host, lane),
      during: record.stretch) != nil
  }

  /// The sighting that is wrong, of the first such frame.
  private func wrongSighting(_ record: FaultRecord) -> Observation? {
    record.wrong < record.example.count ? record.example[record.wrong] : nil
  }
}

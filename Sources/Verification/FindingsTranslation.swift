import Correlation
import Deployment
import Observations
import Wire

/// Findings of the translation family, and what was delivered in consequence.
extension FindingBuilder {
  mutating func addWrongVNI(_ key: FaultKey, _ record: FaultRecord) {
    guard !judge.isChance(key, record) || isInstalled(wrongLane: key) else { return }
    let vni = topology.vni(ofNetwork: Int(key.network)) ?? 0
    let vlan = localVLAN(key.host, key.network)
    let what =
      record.groupDestinations == record.count
      ? "broadcast and multicast" : record.groupDestinations == 0 ? "unicast" : "frames"
    let vlanText = vlan.map { " (VLAN \($0))" } ?? ""
    let message =
      "\(hostName(key.host)) sends \(what) of \(networkName(key.network))\(vlanText) on \(vniText(key.observed))"
      + "\(sharedKindText(judge.lane(key, record))), \(laneText(key, record)); "
      + "\(networkName(key.network))'s is \(vniText(vni))\(sharedKindText(key.network))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("vni", .number(Int64(vni)))]
    draft.finding.observed = [("vni", .number(Int64(key.observed)))]
    draft.finding.port = portName(key.port)
    if let tag = judge.localVLAN(key.host, key.network, key.port) {
      let destination: MACAddress? =
        record.groupDestinations > 0 ? .broadcast : record.destinations.keys.sorted().first
      if let flow = installed.flow(
        host: Int(key.host), vlan: tag, destination: destination, vni: key.observed, during: record.stretch) {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
        draft.finding.certainty = .proven
      } else if explainLeaving(&draft, key, record, ownVLAN: tag) {
        draft.finding.certainty = .proven
      } else if record.groupDestinations == 0, let flow = installed.misteaching(host: Int(key.host), vni: vni, as: key.observed) {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
        draft.finding.certainty = .proven
      } else if installed.hasFlows[Int(key.host)] {
        draft.finding.cause = Cause(
          kind: .datapath, host: hostName(key.host),
          text: "no dumped flow sends VLAN \(tag) on this VNI: the dump is of another time, or the datapath differs")
        draft.finding.next.append(dumpAgain(key.host))
      }
    }
    soften(&draft, "capture the sending port (tap or qvo) to see where these frames entered")
    drafts.append(draft)
  }

  /// Whether the dumped flows send a network's frames in that wrong lane, and into that VLAN.
  func isInstalled(wrongLane key: FaultKey) -> Bool {
    guard let vlan = judge.localVLAN(key.host, key.network, key.port) else { return false }
    return installed.flow(host: Int(key.host), vlan: vlan, destination: nil, vni: key.observed) != nil
  }

  func isInstalled(wrongVLAN key: FaultKey, during stretch: ClosedRange<Int64>? = nil) -> Bool {
    misdirecting(key, during: stretch) != nil
  }

  /// What the dumped flows do with a network's VNI, where that is not to put it on the network's own VLAN.
  func misdirecting(_ key: FaultKey, during stretch: ClosedRange<Int64>?) -> InstalledView.Inbound? {
    guard key.network >= 0, let vni = topology.vni(ofNetwork: Int(key.network)) else { return nil }
    let host = deployment.hosts[Int(key.host)]
    return installed.misdirecting(
      host: Int(key.host), vni: vni, kind: topology.sharedKind(ofNetwork: Int(key.network)),
      own: { host.localVLAN(Int(key.network), isAfter: $0) },
      towards: {
        key.detail == 1
          ? UInt16(truncatingIfNeeded: key.observed) : host.localVLAN(Int(Int32(bitPattern: key.observed)), isAfter: $0)
      }, during: stretch)
  }

  /// What rests on weak evidence only, and no state explains, is a suspicion.
  func soften(_ draft: inout Draft, _ next: String) {
    guard draft.finding.certainty == .suspected else { return }
    draft.finding.severity = .warning
    if let key = draft.key, judge.faults[key]?.isForwarded ?? false {
      draft.finding.message += " (or a guest hands frames on between these networks: two of its ports show them)"
      draft.finding.next.append("capture tap and qvo of each port of the guest that hands frames on, so that they tell which way frames go")
    } else {
      draft.finding.next.append(next)
    }
  }

  mutating func addWrongLocalVLAN(_ key: FaultKey, _ record: FaultRecord) {
    if key.detail == 1, let known = drafts.firstIndex(where: { $0.key == key }) {
      drafts[known].frames.merge(record.frames)
      return
    }
    let stray = strayHanding(key, record)
    guard !judge.isChance(key, record) || isInstalled(wrongVLAN: key, during: record.stretch) || stray != nil else { return }
    if let stray, !stray.setsVLAN, let flow = stray.flow {
      // Nothing was put on another VLAN: a flow hands it over beside its own lane.
      copyingFlows[key] = flow
      return
    }
    // So it is where its own ports got every frame as well, and no flow says otherwise.
    if key.detail == 0, record.alsoRight == record.count, stray == nil, !isInstalled(wrongVLAN: key, during: record.stretch) { return }
    let wrong = misdirecting(key, during: record.stretch)
    let expected = deployment.hosts[Int(key.host)].localVLAN(Int(key.network), isAfter: wrong?.isAfter ?? false)
    let vni = topology.vni(ofNetwork: Int(key.network))
    // From a mirror the tag itself is known; else the network whose port got the frame.
    let observed = key.detail == 1 ? UInt16(truncatingIfNeeded: key.observed) : localVLAN(key.host, Int32(bitPattern: key.observed))
    let where_ = observed.map { "VLAN \($0)" } ?? "another VLAN"
    let other = key.detail == 1 ? "" : ", that of network \(networkName(Int32(bitPattern: key.observed)))"
    let right = expected.map { "; its VLAN there is \($0)" } ?? ""
    let message =
      "\(hostName(key.host)) puts frames of \(networkName(key.network))"
      + "\(vni.map { " (\(vniText($0)))" } ?? "") on \(where_)\(other)\(right)"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    if let expected { draft.finding.expected = [("localVLAN", .number(Int64(expected)))] }
    if let observed { draft.finding.observed = [("localVLAN", .number(Int64(observed)))] }
    let kind = topology.sharedKind(ofNetwork: Int(key.network))
    if let vni, let inbound = wrong ?? installed.inbound(host: Int(key.host), vni: vni, kind: kind, during: record.stretch) {
      if wrong != nil, let flow = inbound.flow {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
      } else if let flow = stray?.flow {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
      } else if inbound.vlan != nil {
        draft.finding.cause = Cause(
          kind: .datapath, host: hostName(key.host),
          text: "the dumped flows map this VNI rightly: the dump is of another time, or the datapath differs")
        draft.finding.next.append(dumpAgain(key.host))
      }
    }
    if draft.finding.cause?.kind != .flow { soften(&draft, "capture all ports of both networks on \(hostName(key.host))") }
    drafts.append(draft)
  }

  mutating func addVLANNotStripped(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(hostName(key.host)) sends frames of \(networkName(key.network)) into the tunnel with its local "
      + "VLAN \(key.observed) still on them; hosts beyond it will not deliver them"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("innerVLAN", .text("none"))]
    draft.finding.observed = [("innerVLAN", .number(Int64(key.observed)))]
    if let flow = installed.unstripping(
      host: Int(key.host), vlan: UInt16(truncatingIfNeeded: key.observed), during: record.stretch)
    {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
      draft.finding.certainty = .proven
    }
    soften(&draft, "collect ovs-vsctl show and the flows of br-tun, and capture the sending port")
    drafts.append(draft)
  }

  mutating func addUnexpectedTag(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(hostName(key.host)) hands frames to \(portName(key.port)) with VLAN tag \(key.observed), which they did not "
      + "have where they entered"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.finding.observed = [("vlan", .number(Int64(key.observed)))]
    let name = deployment.ports[Int(key.port)].bridgePort ?? portName(key.port)
    if topology.isUntagged[Int(key.port)] {
      draft.finding.cause = Cause(
        kind: .portTag, host: hostName(key.host), bridge: deployment.bridge(ofPort: name, on: Int(key.host)),
        text: "Port \(name): no tag")
    } else if let way = handing(to: key.port, network: key.network, record), way.tagCount > 0, let flow = way.outputFlow {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
    }
    draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl --columns=tag,trunks,vlan_mode list port \(name)")
    drafts.append(draft)
  }

  mutating func addUnmappedVNI(_ key: FaultKey, _ record: FaultRecord) {
    let drop = installed.inbound(
      host: Int(key.host), vni: key.observed, kind: topology.sharedKind(ofNetwork: Int(key.network)), during: record.stretch)?.flow
    // A flow for this very VNI drops on purpose; else there is none.
    let isOwn = drop.map { $0.text.contains("tun_id=") } ?? false
    let what = isOwn && record.groupDestinations == record.count ? "broadcast and multicast that" : "what"
    let message =
      "\(hostName(key.host)) drops \(what) it receives for \(networkName(key.network)): "
      + (isOwn ? "a flow for \(vniText(key.observed)) drops" : "no flow maps \(vniText(key.observed)) to a VLAN")
      + ", though the host has ports of the network"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    if let vlan = localVLAN(key.host, key.network) {
      draft.finding.expected = [("localVLAN", .number(Int64(vlan)))]
    }
    draft.finding.observed = [("localVLAN", .text("none"))]
    if isOwn, let drop {
      draft.finding.cause = flowCause(drop)
      draft.finding.next.append(showFlows(drop))
      drafts.append(draft)
      return
    }
    var cause = Cause(
      kind: .missingFlow, host: hostName(key.host), bridge: drop?.bridge ?? tunnelBridge(key.host), table: drop?.table,
      text: "missing: tun_id=0x\(String(key.observed, radix: 16))"
        + "\(localVLAN(key.host, key.network).map { " → VLAN \($0)" } ?? "")"
        + "\(drop.map { "; dropped by: \($0.text)" } ?? "")")
    cause.file = drop?.file
    cause.line = drop?.line
    draft.finding.cause = cause
    draft.finding.next.append(
      "on \(hostName(key.host)): ovs-ofctl -O OpenFlow13 dump-flows \(cause.bridge ?? "br-tun") | grep tun_id; "
        + "a restart of neutron-openvswitch-agent reinstalls the flows")
    drafts.append(draft)
  }

  func tunnelBridge(_ host: Int32) -> String? { deployment.tunnels(of: Int(host)).first?.bridge }

  mutating func addCrossNetworkDelivery(_ key: FaultKey, _ record: FaultRecord) {
    let other = Int32(bitPattern: key.observed)
    let copying = copyingFlow(key, record)
    guard !judge.isChance(key, record) || copying != nil else { return }
    let message =
      "\(record.count) frame\(record.count == 1 ? "" : "s") of network \(networkName(key.network)) reached "
      + "\(portName(key.port)) on \(hostName(key.host)), a port of network \(networkName(other))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.finding.expected = [("network", .text(networkName(key.network)))]
    draft.finding.observed = [("network", .text(networkName(other)))]
    if copying == nil, key.via == nil { explainSender(key, record) }
    if let copying {
      draft.finding.cause = flowCause(copying)
      draft.finding.next.append(showFlows(copying))
      // One flow may serve several ports.
      draft.parent = drafts.firstIndex {
        $0.key?.fault == key.fault && $0.key?.host == key.host && $0.key?.network == key.network
          && $0.finding.cause == draft.finding.cause
      }
    }
    soften(&draft, "capture all ports of both networks, where the frames came from and where they went")
    drafts.append(draft)
  }
}

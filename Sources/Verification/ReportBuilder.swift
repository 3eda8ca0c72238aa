import Correlation
import Deployment
import Observations

/// Assembles the report of a run: findings in their order, coverage, captures and the verdict.
struct ReportBuilder {
  let run: VerificationRun
  let captures: [CaptureOutcome]

  var deployment: Deployment { run.survey.deployment }
  var judge: Judge { run.judge }

  func report() -> Report {
    var report = Report()
    report.hosts = deployment.hosts.map(\.name)
    report.inferred = run.survey.inferredNetworks
    report.captures = captureSummaries()
    report.trajectories = judge.counts
    for outcome in captures {
      report.framesRead += outcome.counts.frames
      report.trajectories.otherFrames += outcome.counts.other + outcome.counts.foreignTunnels
      report.trajectories.otherOverlayFrames += outcome.counts.foreignTunnels
      if let error = outcome.error, !outcome.isTruncated { report.inputErrors.append(error) }
    }
    report.firstTime = captures.compactMap(\.counts.start).min()
    report.lastTime = captures.compactMap(\.counts.end).max()
    report.clocks = clockSummaries()
    report.take(deployment.notes)
    report.coverage = coverage()
    var builder = FindingBuilder(judge: judge, installed: run.installed, survey: run.survey, captures: captures)
    builder.build(run.contradictions)
    let omitted = run.demands.omissions.rules
    builder.omit(omitted)
    report.findings = ordered(builder.drafts, noteFindings().filter { !omitted.contains($0.rule) })
    settleVerdict(&report, builder.unsettled)
    return report
  }

  // MARK: Findings

  private func ordered(_ drafts: [FindingBuilder.Draft], _ notes: [Finding]) -> [Finding] {
    // Causes by severity and weight, each followed by its consequences.
    func precedes(_ a: Int, _ b: Int) -> Bool {
      let (x, y) = (drafts[a].finding, drafts[b].finding)
      if x.severity != y.severity { return x.severity > y.severity }
      if x.count != y.count { return x.count > y.count }
      return a < b
    }
    var list: [Finding] = []
    let roots = drafts.indices.filter { drafts[$0].parent == nil }.sorted(by: precedes)
    for root in roots {
      list.append(complete(drafts[root]))
      let rootID = "f\(list.count)"
      list[list.count - 1].id = rootID
      for child in drafts.indices.filter({ drafts.top(of: $0) == root && $0 != root }).sorted(by: precedes) {
        var finding = complete(drafts[child])
        finding.role = .consequence
        finding.causedBy = rootID
        finding.id = "f\(list.count + 1)"
        list.append(finding)
      }
    }
    for note in notes {
      var finding = note
      finding.id = "f\(list.count + 1)"
      list.append(finding)
    }
    return list
  }

  /// Frames by file, examples, and what inferred knowledge allows to be said.
  private func complete(_ draft: FindingBuilder.Draft) -> Finding {
    var finding = draft.finding
    finding.frames = draft.frames.numbers.keys.sorted().map { capture in
      let numbers = Set(draft.frames.numbers[capture] ?? []).sorted()
      return (deployment.captures[Int(capture)].name, numbers.map(UInt64.init))
    }
    finding.framesComplete = draft.frames.isComplete
    // Examples first from where it shows.
    let pointed = finding.frames.sorted { a, b in
      let (x, y) = (isAt(finding.point, a.file), isAt(finding.point, b.file))
      return x != y ? x : a.file < b.file
    }
    for (file, numbers) in pointed {
      for number in numbers.prefix(finding.examples.isEmpty ? 5 : 2) where finding.examples.count < 10 {
        finding.examples.append(FrameReference(file: file, frame: number))
      }
    }
    // Where the translation itself was inferred, a contradiction does not say which side is right.
    if run.survey.inferredNetworks, finding.severity == .error, restsOnLanes(draft), judge.makes(.knownFromVNIs) {
      finding.severity = .warning
      finding.certainty = .suspected
      finding.message = "contradiction: " + finding.message + " (inferred from the captures; either side may be right)"
    }
    return finding
  }

  /// Whether a fault is one only if networks are what they were taken for. What the underlay does to tunnel packets, and
  /// headers that no receiver takes, are faults in any lane.
  private func restsOnLanes(_ draft: FindingBuilder.Draft) -> Bool {
    switch draft.finding.rule {
    case "frame-modified", "malformed-encapsulation", "exceeds-underlay-mtu", "nonstandard-tunnel-port": false
    case "frame-lost": draft.way == nil
    default: true
    }
  }

  private func isAt(_ point: String?, _ file: String) -> Bool {
    guard let point, let index = deployment.captures.firstIndex(where: { $0.name == file }) else { return false }
    return run.survey.plan.points.indices.contains {
      run.survey.plan.points[$0].captures.contains(index) && judge.topology.name(ofPoint: $0) == point
    }
  }

  /// The capture family: what the captures themselves could not show.
  private func noteFindings() -> [Finding] {
    var list: [Finding] = []
    list += captureRemarks()
    var gaps: [Gap] = []
    for host in deployment.hosts.indices {
      gaps += self.gaps(host)
      list += unsupportedModes(host)
      if let gap = uncovered(host) { list.append(gap) }
      if let stray = misplacedCapture(host) { list.append(stray) }
      if let clock = uncertainClock(host) { list.append(clock) }
      if let clock = strayPointClock(host) { list.append(clock) }
    }
    list += gapFindings(gaps)
    let unknown = judge.counts.unjudgedReasons["direction unknown"] ?? 0
    if unknown > 0 {
      var finding = Finding(
        rule: "direction-unknown", severity: .info,
        message: "of \(unknown) trajectories it is not known whether they came from the guest or went to it")
      finding.count = unknown
      finding.next = ["capture a second point of the port (tap and qvo), or with direction (tcpdump -Q, -i any)"]
      list.append(finding)
    }
    return list
  }

  private func uncovered(_ host: Int) -> Finding? {
    let name = deployment.hosts[host].name
    // A trunk's port is one of several networks.
    let ports = Set(judge.topology.portsOn[host].values.joined())
    guard !ports.isEmpty, deployment.captures.contains(where: { $0.host == host }) else { return nil }
    var missing: [String] = []
    if !judge.topology.hostHasTunnelPoint[host] { missing.append("its tunnel interface") }
    let bare = ports.filter { !judge.topology.portIsCaptured[$0] && deployment.ports[$0].active }
    if !bare.isEmpty {
      let names = bare.map { deployment.ports[$0].name }.sorted()
      missing.append("\(names.count == 1 ? "port" : "ports") \(names.prefix(8).joined(separator: ", "))")
    }
    let halves = judge.topology.points.indices.filter { judge.topology.points[$0].host == host && judge.topology.showsOneWay[$0] }
    guard !missing.isEmpty || !halves.isEmpty else { return nil }
    var parts: [String] = []
    if !missing.isEmpty { parts.append("no capture of \(missing.joined(separator: " nor of "))") }
    if !halves.isEmpty {
      let names = halves.map { run.survey.plan.points[$0].interface }.sorted()
      parts.append("one direction only of \(names.prefix(8).joined(separator: ", ")): what they lack is not missed")
    }
    var finding = Finding(
      rule: "point-not-covered", severity: .info, message: "\(name): \(parts.joined(separator: "; "))")
    finding.host = name
    return finding
  }

  // MARK: Coverage

  private func coverage() -> [CoverageRow] {
    var rows: [CoverageRow] = []
    for (number, network) in deployment.networks.enumerated() where network.isOverlay {
      for (index, host) in deployment.hosts.enumerated() {
        let cell = judge.cell(Int32(index), Int32(number))
        let has = judge.topology.portsOn[index][number] != nil
        guard has || judge.out[cell] > 0 || judge.in[cell] > 0 || judge.inWrong[cell] > 0 else { continue }
        var row = CoverageRow(
          host: host.name, network: network.name, localVLAN: host.localVLANs[number], vni: network.segmentationID)
        row.out = judge.out[cell]
        row.in = judge.in[cell]
        row.outWrong = judge.outWrong[cell]
        row.inWrong = judge.inWrong[cell]
        row.expected = has
        rows.append(row)
      }
    }
    return rows
  }

  private func captureSummaries() -> [CaptureSummary] {
    deployment.captures.enumerated().map { index, source in
      var summary = CaptureSummary(file: source.name, host: deployment.hosts[source.host].name)
      let points = run.survey.plan.points.filter { $0.captures.contains(index) }
      summary.interfaces = points.map(\.interface)
      var kinds: [String] = []
      for point in points where !kinds.contains(point.kind.rawValue) { kinds.append(point.kind.rawValue) }
      summary.kinds = kinds
      summary.frames = captures[index].counts.frames
      summary.first = captures[index].counts.first
      summary.last = captures[index].counts.last
      summary.snapLength = captures[index].snapLength
      summary.cut = captures[index].counts.cut
      summary.received = captures[index].facts.received
      summary.dropped = captures[index].facts.dropped
      summary.late = captures[index].facts.late
      summary.repeated = captures[index].facts.repeated
      summary.error = captures[index].error
      return summary
    }
  }

  // MARK: Verdict

  private func settleVerdict(_ report: inout Report, _ unsettled: [String]) {
    if report.findings.contains(where: { $0.severity >= run.demands.failOn }) {
      report.verdict = .fail
      return
    }
    let judged = judge.counts.total - judge.counts.unjudged
    if report.framesRead == 0 {
      report.reasons.append("the captures hold no frames")
    } else if judged == 0, judge.counts.unjudgedReasons[Judge.filteredOut] != nil {
      report.reasons.append("the filter lets no frame pass that could be judged")
    } else if judged == 0 {
      report.reasons.append(
        "no trajectory could be judged: no frame was seen at two points (capture a port's tap or qvo and the "
          + "tunnel interface of its host, or the tunnel interfaces of two hosts, over the same time)")
    }
    for (index, outcome) in captures.enumerated() where outcome.counts.tooShort * 2 > outcome.counts.frames {
      report.reasons.append(
        "\(deployment.captures[index].name): of most frames too few bytes were captured to know them again (capture "
          + "at least 128 bytes of each)")
    }
    for (index, outcome) in captures.enumerated() where outcome.facts.late * 4 > outcome.counts.frames {
      report.reasons.append(
        "\(deployment.captures[index].name): \(outcome.facts.late) of \(outcome.counts.frames) frames are too far out "
          + "of order to be judged")
    }
    if judged > 0, report.coverage.allSatisfy({ $0.out + $0.in + $0.outWrong + $0.inWrong == 0 }) {
      report.reasons.append("no translation between local VLAN and VNI was exercised")
    }
    for demand in run.demands.require {
      let row = report.coverage.first { "\($0.host)/\($0.network)" == demand }
      if row == nil {
        report.reasons.append("required cell \(demand) is not in this deployment")
      } else if let row, row.out + row.in == 0 {
        report.reasons.append("required cell \(demand) was not exercised")
      }
    }
    report.reasons += unrelatedClocks() + slippedClocks() + pausedCaptures() + unsettled
    for finding in report.findings where finding.certainty == .suspected && finding.severity == .warning {
      report.reasons.append("suspected, not settled: \(finding.message)")
    }
    for error in report.inputErrors { report.reasons.append("evidence is missing: \(error)") }
    if !report.reasons.isEmpty { report.verdict = .inconclusive }
  }
}

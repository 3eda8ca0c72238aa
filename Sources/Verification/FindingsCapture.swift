import Deployment
import Observations

/// Remarks about single captures: what they could not show, and why.
extension ReportBuilder {
  /// What a remark about a capture says.
  enum CaptureRemark: CaseIterable {
    case truncated, empty, dropped, late, repeated, untimed

    /// Of many captures.
    var words: String {
      switch self {
      case .truncated: "captures end within a record: all frames before it were read"
      case .empty: "captures hold no frame: they do not even prove that there was none"
      case .dropped: "captures lost frames by their own counters"
      case .late: "captures hold frames out of order by more than half a second, which were not judged"
      case .repeated: "captures hold frames that are in another capture of the same point too, and count once"
      case .untimed: "captures hold frames without a time, which were not judged"
      }
    }
  }

  /// Remarks about captures; where many say the same, one for all of them.
  func captureRemarks() -> [Finding] {
    let all = captures.indices.flatMap { captureRemarks($0) }
    var list: [Finding] = []
    for kind in CaptureRemark.allCases {
      let own = all.filter { $0.kind == kind }.map(\.finding)
      guard own.count > 4, let first = own.first else {
        list += own
        continue
      }
      let count = own.reduce(UInt64(0)) { $0 + $1.count }
      let worst = own.indices.sorted { own[$0].count != own[$1].count ? own[$0].count > own[$1].count : $0 < $1 }.prefix(3)
      var finding = Finding(rule: first.rule, severity: .info, message: "")
      finding.message =
        "\(own.count) \(kind.words)" + (count > 0 ? ", \(count) frames in all" : "") + "; among them "
        + worst.map { own[$0].message }.joined(separator: "; ")
      if own.allSatisfy({ $0.host == first.host }) { finding.host = first.host }
      finding.count = count
      finding.observed = [("captures", .list(own.map(\.message)))]
      finding.next = first.next
      list.append(finding)
    }
    return list
  }

  private func captureRemarks(_ index: Int) -> [(kind: CaptureRemark, finding: Finding)] {
    let source = run.survey.deployment.captures[index]
    let outcome = captures[index]
    let facts = outcome.facts
    var list: [(kind: CaptureRemark, finding: Finding)] = []
    func add(_ kind: CaptureRemark, _ rule: String, _ message: String, count: UInt64 = 0, next: [String] = []) {
      var finding = Finding(rule: rule, severity: .info, message: message)
      finding.host = run.survey.deployment.hosts[source.host].name
      finding.count = count
      finding.next = next
      list.append((kind, finding))
    }
    if outcome.isTruncated {
      let error = outcome.error ?? source.name
      add(
        .truncated, "capture-truncated",
        outcome.counts.frames == 0
          ? "\(error): it holds no frame, and proves nothing" : "\(error); all frames before it were read")
    } else if outcome.error == nil, outcome.counts.frames == 0 {
      add(.empty, "point-not-covered", "\(source.name) holds no frame: it does not even prove that there was none")
    }
    if let dropped = facts.dropped, dropped > 0 {
      let received = facts.received.map { " (it received \($0))" } ?? ""
      add(
        .dropped, "capture-gap",
        "\(source.name): by its own counters the capture lost \(dropped) frames\(received)", count: dropped,
        next: ["capture with a larger buffer (tcpdump -B 65536), a smaller snap length or a filter"])
    }
    if facts.late > 0 {
      let seconds = Double(facts.lateBy / 1_000_000) / 1000
      add(
        .late, "capture-gap",
        "\(source.name): \(facts.late) frames are out of order by more than half a second, by up to \(seconds) s: they "
          + "were not judged, and nothing is concluded from what this capture lacks",
        count: facts.late, next: ["put the file in order first: reordercap \(source.name) ORDERED.pcapng"])
    }
    if facts.repeated > 0 {
      add(
        .repeated, "capture-gap",
        "\(source.name): \(facts.repeated) of its \(outcome.counts.frames) frames are in another capture of the same "
          + "point too, with the same time (a copy, or files that overlap): they count once",
        count: facts.repeated)
    }
    if outcome.counts.untimed > 0 {
      add(
        .untimed, "capture-gap",
        "\(source.name): \(outcome.counts.untimed) frames have no time (pcapng simple packets): they were not judged",
        count: outcome.counts.untimed)
    }
    return list
  }

  /// Ways of forwarding on a host that captures do not show.
  func unsupportedModes(_ host: Int) -> [Finding] {
    let name = deployment.hosts[host].name
    guard deployment.captures.contains(where: { $0.host == host }) else { return [] }
    return deployment.hosts[host].captureLimits.map { limit in
      var finding = Finding(rule: "unsupported-mode", severity: .info, message: "")
      finding.host = name
      switch limit {
      case .hardwareOffload(let isInUse):
        finding.message =
          isInUse
          ? "\(name) has hardware offload switched on (other_config:hw-offload): frames that a NIC forwards by itself show "
            + "in no capture there, and nothing is concluded from what its captures lack"
          : "\(name) has hardware offload switched on (other_config:hw-offload), but no NIC with a switch of its own: the "
            + "kernel forwards all frames, and captures show them"
        finding.next = ["on \(name): ovs-appctl dpctl/dump-flows type=offloaded"]
      case .userspacePorts(let ports):
        finding.message =
          "\(name): \(some(ports)) of the userspace datapath (DPDK) \(ports.count == 1 ? "is" : "are") no "
          + "\(ports.count == 1 ? "device" : "devices") of the kernel: what passes there shows in no capture but that of a mirror"
        finding.next = ["on \(name): ovs-tcpdump -i \(ports[0])"]
      case .encryptedTunnels(let ports):
        finding.message =
          "\(name): tunnel packets of \(some(ports)) are encrypted on the underlay (IPsec): captures of the NIC show ESP, "
          + "not the frames inside"
        finding.next = ["on \(name): capture the tunnel device or the ports as well; ovs-appctl -t ovs-monitor-ipsec tunnels/show"]
      }
      return finding
    }
  }

  private func some(_ ports: [String]) -> String {
    let shown = ports.prefix(4).joined(separator: ", ")
    let words = ports.count == 1 ? "port" : "ports"
    return ports.count > 4 ? "\(words) \(shown) and \(ports.count - 4) more" : "\(words) \(shown)"
  }
}

import Correlation
import Deployment
import Observations
import Wire

/// Makes the path report: the points between two ports with their counts, where frames vanish, and why.
struct PathReportBuilder {
  let follower: PathFollower
  let topology: Topology
  let report: Report

  private var deployment: Deployment { topology.deployment }
  private var names: (a: String, b: String) {
    (deployment.ports[follower.a].name, deployment.ports[follower.b].name)
  }

  /// Where frames of one kind end.
  private struct End {
    var last: Int?
    var next: Int?
    var sent: UInt64
    var arrived: UInt64
    /// The last point shows them in a wrong lane.
    var wrongVNI: UInt32?
    var isTagged = false
  }

  func build() -> PathReport {
    var result = PathReport(conclusion: "")
    var troubles: [String] = []
    var arrives: [Bool?] = []
    for sender in 0..<2 {
      let (from, to) = sender == 0 ? (follower.a, follower.b) : (follower.b, follower.a)
      let points = pathPoints(from: from, to: to)
      var direction = PathDirection(from: deployment.ports[from].name, to: deployment.ports[to].name)
      direction.stages.append(
        stage(
          "ARP/ND", points, requests: follower.counts[sender][PathFollower.Kind.request.rawValue],
          answers: follower.counts[1 - sender][PathFollower.Kind.answer.rawValue]))
      direction.stages.append(
        stage(
          "traffic", points, requests: follower.counts[sender][PathFollower.Kind.traffic.rawValue],
          answers: follower.counts[1 - sender][PathFollower.Kind.traffic.rawValue]))
      result.directions.append(direction)
      let trouble = trouble(sender, points, from: from, to: to)
      if let trouble { troubles.append(trouble.sentence) }
      let traffic = end(follower.counts[sender][PathFollower.Kind.traffic.rawValue], points)
      // No traffic at all says nothing, unless resolution failed before it.
      arrives.append(traffic.sent > 0 ? traffic.next == nil : trouble?.isTotal == true ? false : nil)
    }
    result.conclusion = conclusion(troubles, arrives)
    return result
  }

  /// What first goes wrong from one end to the other: resolution before traffic.
  private func trouble(
    _ sender: Int, _ points: [Int], from: Int, to: Int
  ) -> (sentence: String, isTotal: Bool)? {
    var partial: String?
    for kind in [PathFollower.Kind.request, .answer, .traffic] {
      let counts = follower.counts[sender][kind.rawValue]
      let end = end(counts, points)
      if let sentence = describe(end, kind, from: from, to: to) { return (sentence, true) }
      if partial == nil { partial = describePart(counts, end, kind, points, from: from, to: to) }
    }
    return partial.map { ($0, false) }
  }

  /// One sentence about frames of which some go wrong while others arrive.
  private func describePart(
    _ counts: PathFollower.Counts, _ end: End, _ kind: PathFollower.Kind, _ points: [Int], from: Int, to: Int
  ) -> String? {
    for point in points {
      if let (vni, wrong) = (counts.wrongVNI[point] ?? [:]).min(by: { $0.key < $1.key }),
        topology.plan.points[point].host == deployment.ports[from].host
      {
        return "\(wrong) of \(end.sent) \(phrase(kind, from, to)) leave at \(topology.name(ofPoint: point)) on "
          + "\(lane(vni)), and never reach \(deployment.ports[to].name)"
      }
      if let tagged = counts.tagged[point] {
        return "\(tagged) of \(end.sent) \(phrase(kind, from, to)) leave at \(topology.name(ofPoint: point)) "
          + "with the sender's VLAN tag still on them"
      }
    }
    return nil
  }

  private func phrase(_ kind: PathFollower.Kind, _ from: Int, _ to: Int) -> String {
    let (sender, receiver) = (deployment.ports[from].name, deployment.ports[to].name)
    switch kind {
    case .request: return "ARP/ND requests of \(sender) for \(receiver)"
    case .answer: return "ARP/ND answers of \(sender) to \(receiver)"
    case .traffic: return "frames of \(sender) to \(receiver)"
    }
  }

  private func lane(_ vni: UInt32) -> String {
    let network = topology.networkOfVNI[vni].flatMap { $0 >= 0 ? deployment.networks[Int($0)].name : nil }
    return "VNI \(vni) (0x\(String(vni, radix: 16)))" + (network.map { ", the lane of network \($0)" } ?? "")
  }

  /// The captured points between two ports, in the order in which frames cross them.
  private func pathPoints(from: Int, to: Int) -> [Int] {
    let plan = topology.plan
    func guestSide(_ port: Int) -> [Int] {
      plan.points.indices.filter { plan.points[$0].port == port && plan.points[$0].kind.isGuestSide && !plan.points[$0].captures.isEmpty }
        .sorted { plan.points[$0].rank < plan.points[$1].rank }
    }
    func tunnel(_ host: Int) -> [Int] {
      plan.points.indices.filter { plan.points[$0].host == host && plan.points[$0].kind == .tunnel && !plan.points[$0].captures.isEmpty }
    }
    let (here, there) = (deployment.ports[from].host, deployment.ports[to].host)
    var points = guestSide(from)
    if here != there { points += tunnel(here) + tunnel(there) }
    return points + guestSide(to).reversed()
  }

  private func stage(
    _ what: String, _ points: [Int], requests: PathFollower.Counts, answers: PathFollower.Counts
  ) -> PathStage {
    var stage = PathStage(what: what)
    let end = end(requests, points)
    for point in points {
      var notes: [String] = []
      for (vni, count) in (requests.wrongVNI[point] ?? [:]).sorted(by: { $0.key < $1.key }) {
        notes.append("\(count) on VNI \(vni) (0x\(String(vni, radix: 16)))")
      }
      if let tagged = requests.tagged[point] { notes.append("\(tagged) with a VLAN tag left inside") }
      let count = requests.atPoint[point] ?? 0
      let mark: PathStep.Mark
      if end.sent == 0 {
        mark = .unknown
      } else if point == end.next {
        mark = .missing
      } else if requests.wrongVNI[point] != nil || requests.tagged[point] != nil {
        mark = .wrong
      } else {
        mark = count > 0 ? .passed : .missing
      }
      stage.points.append(
        PathPoint(
          place: topology.place(ofPoint: point), requests: count, answers: answers.atPoint[point] ?? 0, note: notes.joined(separator: ", "),
          mark: mark))
    }
    return stage
  }

  /// The last point that shows frames of a kind, and the next one, which does not.
  private func end(_ counts: PathFollower.Counts, _ points: [Int]) -> End {
    let seen = points.map { counts.atPoint[$0] ?? 0 }
    let sent = max(seen.max() ?? 0, points.map { (counts.wrongVNI[$0] ?? [:]).values.reduce(0, +) }.max() ?? 0)
    var end = End(last: nil, next: nil, sent: sent, arrived: seen.last ?? 0)
    guard sent > 0 else { return end }
    // Points that lack some frames for a reason of the capture's do not matter; those that lack all do.
    guard let last = seen.lastIndex(where: { $0 > 0 }) else {
      end.next = points.first
      end.wrongVNI = points.compactMap { counts.wrongVNI[$0]?.keys.min() }.first
      return end
    }
    end.last = points[last]
    if last + 1 < points.count { end.next = points[last + 1] }
    if let point = end.next, let wrong = counts.wrongVNI[point]?.keys.min() { end.wrongVNI = wrong }
    end.isTagged = end.last.map { counts.tagged[$0] != nil } ?? false
    return end
  }

  /// One sentence about frames none of which arrives; nil where some do, or none were sent.
  private func describe(_ end: End, _ kind: PathFollower.Kind, from: Int, to: Int) -> String? {
    guard end.sent > 0, let next = end.next else { return nil }
    let quantity = end.sent == 1 ? "the" : end.sent == 2 ? "both" : "all \(end.sent)"
    let what = "\(quantity) \(phrase(kind, from, to))"
    let place = topology.name(ofPoint: next)
    if let vni = end.wrongVNI {
      return "\(what) leave at \(place) on \(lane(vni)), and never reach \(deployment.ports[to].name)"
    }
    guard let last = end.last else { return "\(what) are seen nowhere on the way" }
    let tagged = end.isTagged ? " with the sender's VLAN tag still on them" : ""
    return "\(what) reach \(topology.name(ofPoint: last))\(tagged) but not \(place)"
  }

  private func conclusion(_ troubles: [String], _ arrives: [Bool?]) -> String {
    let (a, b) = names
    let all = follower.counts.flatMap { $0 }.reduce(UInt64(0)) { $0 + $1.atPoint.values.reduce(0, +) }
    if all == 0, troubles.isEmpty {
      return "No frame between \(a) and \(b) was seen: nothing can be said of their path."
    }
    let lead: String
    switch (arrives[0], arrives[1]) {
    case (true, true): lead = "\(a) and \(b) reach each other"
    case (false, false): lead = "\(a) and \(b) cannot reach each other"
    case (false, _): lead = "\(a) cannot reach \(b)"
    case (_, false): lead = "\(b) cannot reach \(a)"
    default: lead = "What \(a) and \(b) send each other arrives, but traffic was not seen in both directions"
    }
    if troubles.isEmpty { return lead + "." + remark() }
    let link = arrives[0] == false || arrives[1] == false ? ": " : ", but "
    return lead + link + troubles.joined(separator: "; ") + "." + remark(prefix: " Cause: ")
  }

  /// The finding that accounts for it, or that touches the two ports.
  private func remark(prefix: String = " But: ") -> String {
    guard let finding = explaining() else { return "" }
    var text = prefix + finding.message
    if let cause = finding.cause {
      let place = [cause.host, cause.bridge, cause.table.map { "table \($0)" }].compactMap { $0 }
      text += " (\(place.isEmpty ? "" : place.joined(separator: " ") + ": ")\(cause.text))"
    }
    return text + "."
  }

  /// The finding that accounts for it: of one of the two ports, else of their network and hosts.
  private func explaining() -> Finding? {
    let ports = [deployment.ports[follower.a], deployment.ports[follower.b]]
    let hosts = Set(ports.map { deployment.hosts[$0.host].name })
    let networks = Set(ports.compactMap { $0.network.map { deployment.networks[$0].name } })
    let causes = report.findings.filter { $0.role == .cause && $0.severity >= .warning }
    if let own = causes.first(where: { finding in ports.contains { $0.name == finding.port } }) { return own }
    return causes.first {
      ($0.host.map { hosts.contains($0) } ?? true) && ($0.network.map { networks.contains($0) } ?? true)
    }
  }
}

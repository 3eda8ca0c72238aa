import Deployment
import Observations
import Wire

extension ReportBuilder {
  /// A remark where a host's tunnel capture looks like another host's: all that it shows is of that one, and some of
  /// it is not of its own. (A switch that floods shows a host others' packets, but of several.)
  func misplacedCapture(_ host: Int) -> Finding? {
    let plan = run.survey.plan
    let own = Set(plan.hostVTEPs[host])
    guard !own.isEmpty, deployment.hosts.count > 2 else { return nil }
    var total: UInt64 = 0
    var others: UInt64 = 0
    var ends: [Int: UInt64] = [:]
    for seen in run.survey.sample where plan.points[Int(seen.point)].host == host && plan.points[Int(seen.point)].kind == .tunnel {
      total += 1
      if !own.contains(seen.outerFrom), !own.contains(seen.outerTo) { others += 1 }
      for end in Set([seen.outerFrom, seen.outerTo]) where Int(end) < plan.vteps.hosts.count {
        if let other = plan.vteps.hosts[Int(end)], other != host { ends[other, default: 0] += 1 }
      }
    }
    guard others >= 3, let other = ends.keys.sorted().first(where: { ends[$0] == total }) else { return nil }
    let name = deployment.hosts[host].name
    let owner = deployment.hosts[other].name
    let addresses = deployment.hosts[other].vteps.map { "\($0)" }.joined(separator: ", ")
    var finding = Finding(
      rule: "point-not-covered", severity: .info,
      message: "the tunnel capture of \(name) looks like one of \(owner): all of its tunnel frames are from or to \(addresses), "
        + "and \(others) of \(total) are not of \(name)")
    finding.host = name
    finding.count = others
    finding.next = ["compare the files of \(name) and \(owner): were their directories or captures exchanged?"]
    return finding
  }
}

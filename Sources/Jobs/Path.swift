import Clocks
import Deployment
import Observations
import Verification
import Wire

/// Follows the traffic between two guests of a bundle, each named by guest, MAC, address or port.
public func path(
  _ options: VerifyOptions, from: String, to: String, progress: (@Sendable (Progress) -> Void)? = nil
) throws(JobError) -> PathReport {
  let (survey, clocks) = try prepare(options)
  let a = try findPort(from, in: survey.deployment)
  let b = try findPort(to, in: survey.deployment)
  guard a != b else { throw JobError("\(from) and \(to) are the same port: \(survey.deployment.ports[a].name)") }
  var run = VerificationRun(survey, clocks: clocks.clocks, demands: options.demands)
  run.portsAhead = clocks.portsAhead
  run.follower = PathFollower(a: a, b: b, in: survey.deployment)
  let report = try replay(survey, &run, options, progress)
  return run.pathReport(report)
}

/// The port that a user names: by guest or interface name, port UUID, MAC, or address.
func findPort(_ name: String, in deployment: Deployment) throws(JobError) -> Int {
  let mac = MACAddress(name)
  let address = IPAddress(name)
  var found: [Int] = []
  for (index, port) in deployment.ports.enumerated() {
    let names = [port.name, port.uuid, port.tap, port.qbr, port.qvb, port.qvo, port.bridgePort].compactMap { $0 }
    if names.contains(name) || mac.map({ port.macs.contains($0) }) ?? false
      || address.map({ port.addresses.contains($0) }) ?? false
    {
      found.append(index)
    }
  }
  if found.count == 1 { return found[0] }
  func label(_ index: Int) -> String {
    let port = deployment.ports[index]
    let network = port.network.map { deployment.networks[$0].name } ?? "unknown network"
    return "\(port.name) (\(deployment.hosts[port.host].name), \(network))"
  }
  if found.isEmpty {
    let known = deployment.ports.indices.prefix(20).map(label).joined(separator: ", ")
    throw JobError("no port is called \(name); known: \(known.isEmpty ? "none" : known)")
  }
  throw JobError("\(name) is ambiguous: \(found.map(label).joined(separator: ", ")); name one of these")
}

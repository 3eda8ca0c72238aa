import Deployment
import Foundation
import Testing
import Verification

/// The corpus under noise. A selection by default; where `LANECHECK_FULL` is a number, one cell in so many of all
/// bundles, with a table (1: all of them; in release mode: `swift build -c release --build-tests -Xswiftc
/// -enable-testing`).
@Suite("Noise", .serialized) struct NoiseMatrixTests {
  static let share = ProcessInfo.processInfo.environment["LANECHECK_FULL"].map { max(1, Int($0) ?? 1) }
  static let isFull = share != nil
  /// One kind of noise only, such as `step`, where `LANECHECK_NOISE` names it; or a part of what the table prints, such
  /// as `clean/geneve | step compute1`. `LANECHECK_KEEP` names a directory that keeps the noisy bundles.
  static let only = ProcessInfo.processInfo.environment["LANECHECK_NOISE"]

  @Test func changesNoCleanVerdictAndHidesNoFault() throws {
    let isFull = NoiseMatrixTests.isFull
    let results = try NoiseMatrix(share: NoiseMatrixTests.share ?? .max, most: isFull ? .max : 5, only: NoiseMatrixTests.only).run()
    if isFull { print(NoiseMatrix.table(results)) }
    for result in results {
      #expect(result.outcome == .kept || result.outcome == .inconclusive, "\(result)")
      #expect(result.wrongClocks == [], "\(result)")
    }
    let faulty = results.filter(\.isFaulty)
    let kept = faulty.filter { $0.outcome == .kept }.count
    #expect(results.count > faulty.count && !faulty.isEmpty)
    #expect(kept * 10 >= faulty.count * 9, "\(kept) of \(faulty.count) faulty cells keep their root")
  }

  /// Cells that were judged wrong once.
  @Test(arguments: [
    "clean/same-macs | duplicates node36/tapdbb66137-ee.pcap.gz 100 %",
    "delivery/firewall-in-br-int | loss tycho/enp65s0f0np0.pcap.gz 10 %",
    "delivery/modified | loss os-cmp038/enp65s0f0np0.pcap.gz 30 %",
    "learning/restart-and-silence | step ctl +10.0 s",
    "spoofed-vtep | drift host1 -100 ppm",
    "learning/reflecting-host | missing node58/eno2.pcap.gz",
    "stale-learn | missing host1/eth1.pcap",
    "delivery/lost-on-the-underlay | missing rack2-hv23/eth1.pcap.gz",
    "isolation/copied-to-another-tenant | missing compute2/tap09b7bb4d-48.pcap.gz",
    "isolation/forged-tunnel-frame | late compute1/ens4.pcap.gz",
    "isolation/forged-tunnel-frame | late compute3/ens4.pcap.gz",
    "learning/guest-reflects | missing galileo/qvoed635493-ca.pcap",
    "learning/guest-reflects | duplicates galileo/ens4.pcap.gz 100 %",
    "learning/short-flooding | loss rack6-hv21/enp65s0f0np0.pcap.gz 30 %",
    "missing-vni-in | loss host2/eth1.pcap 30 %",
    "delivery/large-frames-vanish | missing ctl/enp3s0f1.pcap.gz",
    "delivery/large-frames-vanish | missing net/enp3s0f1.pcap.gz",
    "delivery/modified | missing os-cmp092/enp65s0f0np0.pcap.gz",
    "delivery/modified | duplicates os-cmp092/tap685bb1da-03.pcap.gz 100 %",
    "delivery/two-bad-checksums | duplicates compute-b/ens192.pcap.gz 100 %",
    "isolation/moved-to-uncaptured-host | duplicates compute-c/qvo463efebc-47.pcap.gz 100 %",
    "learn-disabled | missing host1/eth1.pcap",
    "learning/no-learning-gre | missing compute2/eno2.pcap.gz",
    "learning/stale-entry | missing os-cmp055/eth1.pcap.gz",
    "mac-move | missing host3/eth1.pcap.gz",
    "isolation/spoofed-mac | missing rack3-hv33/qvo15bcba0e-76.pcap.gz",
    "tunnel-loop | missing host1/qvo60820963-9a.pcap.gz",
    "delivery/large-frames-vanish | step net +1.0 s",
    "learning/l2population-lags | steps node24 +2.0 s, node34 -0.7 s",
    "learning/stale-entry | step os-cmp055 -10.0 s",
    "missing-vni-in | step host3 +1.0 s",
    "isolation/false-claims | late rack3-hv38/eno2.pcap.gz",
    "capture/written-twice | duplicates compute1/ens4.pcap.gz 100 %",
    "capture/hardware-offload | loss compute1/eth0.pcap.gz 30 %",
    "learning/reflecting-host | duplicates node58/qvo18afd55c-9a.pcap 100 %",
    "clean/trunk | step node39 -1.0 s",
    "translation/lost-at-restart | step compute2 -10.0 s",
    "learning/stale-entry | missing os-cmp042/eth1.pcap.gz",
    "learning/stale-entry | missing os-cmp081/eth1.pcap.gz",
    "delivery/firewall-drops-tunnels | late os-cmp063/eth0.pcap.gz",
    "encapsulation/reserved-bits | missing net/tapb7f6e84e-3e.pcap",
    "delivery/modified | snap 96",
    "wrong-vlan-in | step host1 -10.0 s",
    "learning/restart-and-silence | step ctl -10.0 s",
  ])
  func staysRight(cell: String) throws {
    let results = try NoiseMatrix(share: 1, only: cell).run()
    #expect(results.count == 1)
    for result in results {
      #expect(result.outcome == .kept || result.outcome == .inconclusive, "\(result)")
      #expect(result.wrongClocks == [], "\(result)")
    }
  }

  @Test(.enabled(if: NoiseMatrixTests.isFull), arguments: RecordedBundle.names())
  func whatIsExpectedOfAFaultyBundleIsWhatWasDoneToIt(bundle: String) throws {
    let recorded = try RecordedBundle(bundle)
    guard let truth = RecordedTruth(bundle), !recorded.recordings.isEmpty else { return }
    let report = try NoiseMatrix.verify(recorded)
    let expectation = try Expectation(bundle) { report }
    guard truth.kind == "clean" else {
      guard expectation.isFaulty, let host = truth.fault?.host, recorded.hosts.contains(host) else { return }
      #expect(expectation.outcome(of: report).outcome == .kept)
      #expect(expectation.roots.findings.contains { $0.host == host })
      let roots = Set(report.findings.filter { $0.host == host }.map(\.id))
      for (file, numbers) in truth.measured.affected_frame_numbers {
        let found = report.findings.filter { roots.contains($0.id) || roots.contains($0.causedBy ?? "") }
          .flatMap(\.frames).filter { $0.file == file }.flatMap(\.numbers)
        #expect(!Set(found).isDisjoint(with: numbers), "\(file)")
      }
      return
    }
    #expect(!expectation.isFaulty)
  }
}

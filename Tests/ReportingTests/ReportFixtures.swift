import Verification

/// Reports that all renderers are tested with.
enum ReportFixtures {
  /// 2026-01-31T12:23:41.220Z
  static let start: Int64 = 1_769_862_221_220_000_000
  private static let second: Int64 = 1_000_000_000

  static func capture(_ file: String, _ host: String, frames: UInt64, kinds: [String] = ["tunnel"]) -> CaptureSummary {
    var capture = CaptureSummary(file: file, host: host)
    capture.frames = frames
    capture.kinds = kinds
    capture.snapLength = 262_144
    return capture
  }

  static func row(
    _ host: String, _ network: String, _ vlan: UInt16, _ vni: UInt32, out: UInt64, in into: UInt64,
    outWrong: UInt64 = 0, inWrong: UInt64 = 0
  ) -> CoverageRow {
    var row = CoverageRow(host: host, network: network, localVLAN: vlan, vni: vni)
    row.out = out
    row.in = into
    row.outWrong = outWrong
    row.inWrong = inWrong
    return row
  }

  static var pass: Report {
    var report = Report()
    report.bundle = "bundle"
    report.hosts = ["host1", "host2", "host3"]
    report.coverage = [
      row("host1", "net", 1, 57, out: 82, in: 82), row("host2", "net", 2, 57, out: 86, in: 84),
      row("host1", "other", 2, 64, out: 75, in: 72), row("host2", "other", 1, 64, out: 74, in: 75),
    ]
    report.captures = [
      capture("host1/eth1.pcap", "host1", frames: 400), capture("host2/eth1.pcap", "host2", frames: 401),
    ]
    report.trajectories.total = 1204
    report.trajectories.asExpected = 1204
    report.firstTime = start
    report.lastTime = start + 18 * second + 340_000_000
    report.framesRead = 801
    return report
  }

  static var fail: Report {
    var report = pass
    report.verdict = .fail
    report.coverage[0].outWrong = 36
    var cause = Finding(
      rule: "wrong-vni", severity: .error,
      message: "host1 sends broadcast of net (VLAN 1) on VNI 64, the lane of network other; net's is 57")
    cause.id = "f1"
    cause.host = "host1"
    cause.network = "net"
    cause.point = "host1/eth1"
    cause.count = 36
    cause.copies = 42
    cause.first = start
    cause.last = start + 16 * second + 784_000_000
    cause.expected = [("vni", .number(57))]
    cause.observed = [("vni", .number(64))]
    cause.cause = Cause(
      kind: .flow, host: "host1", bridge: "br-tun", table: 22,
      text: "priority=1,dl_vlan=1 actions=strip_vlan,load:0x40->NXM_NX_TUN_ID[],output:2,output:3")
    cause.cause?.file = "host1/br-tun.flows"
    cause.cause?.line = 17
    cause.examples = [
      FrameReference(file: "host1/eth1.pcap", frame: 1), FrameReference(file: "host1/eth1.pcap", frame: 2),
    ]
    cause.frames = [("host1/eth1.pcap", [1, 2, 17])]
    cause.path = [
      PathStep(place: "test", mark: .unknown), PathStep(place: "tap", mark: .passed),
      PathStep(place: "host1 eth1", mark: .wrong, detail: "VNI 64"),
      PathStep(place: "qvo of ov2", mark: .unknown, detail: "network other"),
    ]
    cause.next = ["ovs-ofctl dump-flows br-tun table=22,dl_vlan=1 on host1"]
    var consequence = Finding(
      rule: "cross-network-delivery", severity: .error, message: "21 frames of test reached ov2 on host2")
    consequence.id = "f2"
    consequence.role = .consequence
    consequence.causedBy = "f1"
    consequence.count = 21
    var remark = Finding(rule: "mac-moved", severity: .info, message: "fa:16:3e:39:00:12 moved from host2 to host3")
    remark.id = "f3"
    report.findings = [cause, consequence, remark]
    report.trajectories.asExpected = 1147
    report.trajectories.unjudged = 12
    report.trajectories.unjudgedReasons = ["routed": 2, "superframe": 10]
    return report
  }

  static var inconclusive: Report {
    var report = pass
    report.verdict = .inconclusive
    report.coverage[1].out = 0
    report.coverage[1].in = 0
    report.reasons = ["host2/net is required and was not exercised: no capture of host2 shows a frame of net"]
    report.captures[1].frames = 0
    report.captures[1].error = "host2/eth1.pcap: offset 24: the record claims 4,294,967,295 bytes"
    report.inputErrors = [report.captures[1].error ?? ""]
    return report
  }

  static var inferred: Report {
    var report = pass
    report.inferred = true
    report.reasons = ["whether the local VLANs are right could not be checked"]
    report.notes = ["host1/br-tun.flows line 3: priority is no number"]
    return report
  }

  /// 40 networks on 12 hosts, one of them wrong on one host, and many findings.
  static var large: Report {
    var report = Report()
    report.verdict = .fail
    report.hosts = (1...12).map { "compute-rack7-\($0)" }
    for network in 1...40 {
      for (index, host) in report.hosts.enumerated() {
        report.coverage.append(
          row(
            host, "tenant-network-\(network)", UInt16((network * 7 + index) % 4000 + 1), UInt32(1000 + network),
            out: 12_345, in: 9_876, outWrong: network == 33 && index == 4 ? 17 : 0))
      }
    }
    for index in 1...30 {
      var finding = Finding(rule: "wrong-vni", severity: .error, message: "fault \(index)")
      finding.id = "f\(index)"
      report.findings.append(finding)
    }
    return report
  }

  /// Names and texts that try to act on the terminal.
  static var hostile: Report {
    var report = fail
    let evil = "net\u{1b}[2J\u{202e}\r\n\u{9b}31m\u{7f}"
    report.hosts = [evil]
    report.coverage = [row(evil, evil, 1, 57, out: 1, in: 1)]
    report.captures = [capture(evil, evil, frames: 0)]
    report.captures[0].error = evil
    report.reasons = [evil]
    report.notes = [evil]
    report.inputErrors = [evil]
    report.trajectories.unjudgedReasons = [evil: 3]
    for index in report.findings.indices {
      report.findings[index].rule = evil
      report.findings[index].message = evil
      report.findings[index].next = [evil]
      report.findings[index].expected = [(evil, .list([evil]))]
      report.findings[index].observed = [(evil, .text(evil))]
      report.findings[index].cause = Cause(kind: .flow, host: evil, bridge: evil, table: 0, text: evil)
      report.findings[index].cause?.file = evil
      report.findings[index].examples = [FrameReference(file: evil, frame: 1)]
      report.findings[index].path = [PathStep(place: evil, mark: .wrong, detail: evil)]
    }
    return report
  }
}

import Reporting
import Testing
import Verification

@Suite struct ReportTextTests {
  private func text(_ report: Report, width: Int = 0, verbose: Bool = false, unicode: Bool = true) -> String {
    renderText(report, color: false, width: width, verbose: verbose, unicode: unicode)
  }

  @Test("A pass says what was exercised")
  func pass() {
    #expect(
      text(ReportFixtures.pass) == """
        PASS  no findings · 3 hosts, 2 captures, 1,204 trajectories over 18.3 s from 2026-01-31 12:23:41 UTC · \
        8 of 8 translations exercised

        network   VNI         host1             host2             host3
        net       57 (0x39)   VLAN 1  →82 ←82   VLAN 2  →86 ←84   –
        other     64 (0x40)   VLAN 2  →75 ←72   VLAN 1  →74 ←75   –
        → from local ports into the tunnels   ← delivered to local ports   ✗ went wrong   – no port of the network

        """)
  }

  @Test("A fail shows the cause with its evidence, and what follows from it beneath")
  func fail() {
    #expect(
      text(ReportFixtures.fail) == """
        FAIL  1 cause, 1 consequence, 1 remark · 3 hosts, 2 captures, 1,204 trajectories over 18.3 s from \
        2026-01-31 12:23:41 UTC · 8 of 8 translations exercised

        network   VNI         host1                 host2             host3
        net       57 (0x39)   VLAN 1  →82 ✗36 ←82   VLAN 2  →86 ←84   –
        other     64 (0x40)   VLAN 2  →75 ←72       VLAN 1  →74 ←75   –
        → from local ports into the tunnels   ← delivered to local ports   ✗ went wrong   – no port of the network

        error wrong-vni  host1 sends broadcast of net (VLAN 1) on VNI 64, the lane of network other; net's is 57
          36 frames (42 copies), 12:23:41.220 to 12:23:58.004; first: host1/eth1.pcap frame 1
          expected  VNI 57 (0x39) · observed VNI 64 (0x40)
          cause  host1 br-tun table 22: priority=1,dl_vlan=1 actions=strip_vlan,load:0x40->NXM_NX_TUN_ID[],output:2,output:3
                 host1/br-tun.flows line 17
          path  test ─ tap ✓ ─ host1 eth1 ✗ VNI 64 ─ qvo of ov2 network other
          leads to  cross-network-delivery: 21 frames of test reached ov2 on host2
          next  ovs-ofctl dump-flows br-tun table=22,dl_vlan=1 on host1
          next  lanecheck explain wrong-vni

        info mac-moved  fa:16:3e:39:00:12 moved from host2 to host3

        not judged  12 trajectories of 1,204: superframe 10, routed 2

        """)
  }

  @Test("An inconclusive verdict says why, and which input gave nothing")
  func inconclusive() {
    let lines = text(ReportFixtures.inconclusive).split(separator: "\n")
    #expect(lines.first?.hasPrefix("INCONCLUSIVE  no findings") == true)
    #expect(lines.first?.hasSuffix("6 of 8 translations exercised") == true)
    #expect(lines.contains { $0.hasPrefix("  why  host2/net is required and was not exercised") })
    #expect(lines.contains { $0.hasPrefix("  input  host2/eth1.pcap: offset 24:") })
    #expect(lines.contains { $0.hasPrefix("  host2/eth1.pcap  0 frames  host2/eth1.pcap: offset 24") })
  }

  @Test("Inferred mode says what it cannot tell")
  func inferred() {
    let output = text(ReportFixtures.inferred)
    #expect(output.contains("  remark  whether the local VLANs are right could not be checked\n"))
    #expect(output.contains("  inferred  no source names a network"))
    #expect(output.contains("\nnotes on the state\n  host1/br-tun.flows line 3: priority is no number\n"))
  }

  @Test("Many networks and hosts fit the terminal, wrong ones first", arguments: [60, 80, 100, 200])
  func large(width: Int) {
    let lines = text(ReportFixtures.large, width: width).split(separator: "\n").map(String.init)
    let table = lines.firstIndex { $0.hasPrefix("network") }
    #expect(table.map { lines[$0 + 1].hasPrefix("tenant-network-33   1033 (0x409)   12") } == true)
    #expect(lines.contains { $0.contains("✗17") && $0.contains("wrong on compute-rack7-5") })
    #expect(lines.contains("… and 20 more networks (--verbose)"))
    #expect(lines.contains("… and 10 more causes (--verbose)"))
    #expect(lines.count < 140)
  }

  @Test("Verbose shows every network on every host, in tables side by side")
  func largeVerbose() {
    let output = text(ReportFixtures.large, width: 120, verbose: true)
    for host in 1...12 { #expect(output.contains("compute-rack7-\(host)")) }
    #expect(output.split(separator: "\n").filter { $0.hasPrefix("tenant-network-40 ") }.count > 1)
    #expect(output.contains("fault 30"))
    #expect(!output.contains("(--verbose)"))
    for line in output.split(separator: "\n") where line.hasPrefix("tenant") {
      #expect(line.count <= 120, "\(line)")
    }
  }

  @Test("Nothing from captures or dumps reaches the terminal as a control", arguments: [true, false], [true, false])
  func hostile(verbose: Bool, unicode: Bool) {
    let output = text(ReportFixtures.hostile, width: 100, verbose: verbose, unicode: unicode)
    for scalar in output.unicodeScalars where scalar != "\n" {
      #expect(scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value) && scalar.value != 0x202e)
      if !unicode { #expect(scalar.isASCII) }
    }
    #expect(output.contains(#"net\x1b[2J\u{202e}\x0d\x0a\x9b31m\x7f"#))
    // A line break in a name begins no line of its own.
    #expect(output.split(separator: "\n").allSatisfy { !$0.hasPrefix("31m") })
  }

  @Test("Without UTF-8 all marks are ASCII")
  func ascii() {
    for report in [ReportFixtures.pass, ReportFixtures.fail, ReportFixtures.large, ReportFixtures.inferred] {
      #expect(text(report, width: 100, unicode: false).unicodeScalars.allSatisfy { $0.isASCII })
    }
    #expect(text(ReportFixtures.fail, unicode: false).contains("VLAN 1  ->82 X36 <-82"))
  }

  @Test("Colour adds sequences and changes nothing else")
  func color() throws {
    let plain = text(ReportFixtures.fail, width: 70)
    let painted = renderText(ReportFixtures.fail, color: true, width: 70, verbose: false)
    #expect(painted.contains("\u{1b}[1;31mFAIL\u{1b}[0m"))
    let sequence = try Regex("\u{1b}\\[[0-9;]*m")
    #expect(painted.replacing(sequence, with: "") == plain)
    #expect(!plain.contains("\u{1b}"))
  }

  @Test("Findings that name each other as cause are shown once each")
  func circular() {
    var report = ReportFixtures.fail
    report.findings[0].role = .consequence
    report.findings[0].causedBy = "f2"
    let output = text(report)
    #expect(output.split(separator: "\n").filter { $0.hasPrefix("error ") }.count == 1)
    #expect(output.contains("21 frames of test reached ov2"))
    #expect(output.contains("host1 sends broadcast"))
  }

  @Test("Extreme values render")
  func extremes() {
    var report = ReportFixtures.fail
    report.firstTime = .min
    report.lastTime = .max
    report.findings[0].first = .min
    report.findings[0].last = .max
    report.findings[0].observed = [("vni", .number(.min)), ("x", .list([]))]
    report.coverage[0].out = .max
    report.coverage[0].outWrong = .max
    report.clocks = [ClockSummary(host: "a", reference: "b", offset: .min, uncertainty: .max, grade: "none")]
    let output = text(report, verbose: true)
    #expect(output.contains("1677-09-21 00:12:43.145 to 2262-04-11 23:47:16.854"))
    #expect(output.contains("→18,446,744,073,709,551,615"))
    #expect(text(Report()).hasPrefix("PASS  no findings"))
  }
}

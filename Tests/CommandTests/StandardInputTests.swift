import Foundation
import Testing

@Suite struct StandardInputTests {
  private static let bundle = RecordedBundles.root.appendingPathComponent("clean-vxlan").path

  @Test("inspect reads standard input and pipes as it reads files")
  func inspect() throws {
    let file = try Lanecheck.shell("cd '\(Self.bundle)' && $LANECHECK inspect host1/eth1.pcap")
    let lines = ["cat host1/eth1.pcap | $LANECHECK inspect -", "gzip -c host1/eth1.pcap | $LANECHECK inspect -",
      "$LANECHECK inspect - < host1/eth1.pcap", "$LANECHECK inspect <(cat host1/eth1.pcap)"]
    for line in lines {
      let piped = try Lanecheck.shell("cd '\(Self.bundle)' && \(line)")
      #expect(piped.status == 0, "\(line)")
      #expect(piped.output == file.output, "\(line)")
    }
    let cut = try Lanecheck.shell("head -c 200 '\(Self.bundle)/host1/eth1.pcap' | $LANECHECK inspect -")
    #expect(cut.status == 2)
    #expect(cut.errors.contains("standard input: offset 132"))
    let empty = try Lanecheck.shell("$LANECHECK inspect - < /dev/null")
    #expect(empty.status == 2)
    #expect(empty.errors.contains("standard input: "))
  }

  @Test("verify takes standard input and pipes under names")
  func verify() throws {
    func result(_ first: String, _ second: String, before: String = "") throws -> Lanecheck.Result {
      try Lanecheck.shell(
        "cd '\(Self.bundle)' && \(before)$LANECHECK verify \(first) \(second) host1/qvo*.pcap host2/*.pcap host?/*.txt "
          + "host?/*.json --color never")
    }
    let files = try result("host1/eth1.pcap", "host1/tap*.pcap")
    #expect(files.output.contains("trajectories"))
    let pipe = "P=$(mktemp -u) && mkfifo $P && trap 'rm -f $P' EXIT && (gzip -c host1/tap*.pcap > $P &) ; "
    for piped in [
      try result("host1/eth1.pcap=-", "host1/tap*.pcap", before: "cat host1/eth1.pcap | "),
      try result("host1/eth1.pcap=-", "host1/tap60820963-9a.pcap=$P", before: pipe + "cat host1/eth1.pcap | "),
    ] {
      #expect(piped.status == files.status)
      #expect(piped.output == files.output)
      #expect(piped.errors.isEmpty)
    }
  }

  @Test("What cannot be spooled is said")
  func spool() throws {
    let nowhere = try Lanecheck.shell(
      "cat '\(Self.bundle)/host1/eth1.pcap' | $LANECHECK verify host1/eth1.pcap=-", environment: ["TMPDIR": "/nonexistent"])
    #expect(nowhere.status == 2)
    #expect(nowhere.errors.contains("/nonexistent (see TMPDIR)"))
    let twice = try Lanecheck.shell("$LANECHECK verify a/eth1.pcap=- b/eth1.pcap=- < /dev/null")
    #expect(twice.status == 2)
    #expect(twice.errors.contains("standard input is named twice"))
  }
}

import Foundation
import Testing

@Suite struct CommandLineTests {
  private static let capture = RecordedBundles.root.appendingPathComponent("clean-vxlan/host1/eth1.pcap").path

  @Test(
    "Help goes to standard output and ends with 0",
    arguments: [
      ["--help"], ["verify", "--help"], ["path", "--help"], ["inspect", "--help"], ["explain", "--help"],
      ["rules", "--help"], ["trace", "--help"], ["simulate", "--help"], ["help", "verify"],
    ])
  func help(arguments: [String]) throws {
    let result = try Lanecheck.run(arguments)
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
    for part in ["EXAMPLES\n", "EXIT STATUS\n", "USAGE: lanecheck"] { #expect(result.output.contains(part)) }
  }

  @Test("The version is one line")
  func version() throws {
    let result = try Lanecheck.run(["--version"])
    #expect(result.status == 0)
    #expect(result.output.split(separator: "\n").count == 1)
    #expect(result.output.first?.isNumber == true)
  }

  @Test("A directory of bundles is told from one bundle")
  func severalBundles() throws {
    let result = try Lanecheck.run(["verify", RecordedBundles.root.path])
    #expect(result.status == 2)
    #expect(result.errors.contains("name one, such as \(RecordedBundles.root.path)/clean-gre"))
  }

  @Test("What cannot be written is told with the reason")
  func unwritable() throws {
    let result = try Lanecheck.run(["init", RecordedBundles.root.appendingPathComponent("clean-vxlan").path, "--output", "/nonexistent/x"])
    #expect(result.status == 2)
    #expect(result.errors == "lanecheck: cannot write '/nonexistent/x': its directory does not exist\n")
  }

  @Test(
    "Wrong usage ends with 2 and says so on standard error",
    arguments: [
      ["--bogus"], ["bogus"], ["verify"], ["verify", "x", "--fail-on", "fatal"], ["verify", "x", "--require", "host1"],
      ["verify", "x", "--quiet", "--verbose"], ["path", "x", "a"], ["inspect"],
      ["inspect", "x", "--vxlan-port", "70000"], ["inspect", "x", "--count", "-1"], ["explain"],
      ["inspect", "x", "--geneve-port", "0"],
    ])
  func usage(arguments: [String]) throws {
    let result = try Lanecheck.run(arguments)
    #expect(result.status == 2)
    #expect(result.output.isEmpty)
    #expect(result.errors.hasPrefix("lanecheck: "))
  }

  @Test(
    "Input that is not there or no capture ends with 2",
    arguments: [
      ["verify", "/nonexistent"], ["path", "/nonexistent", "a", "b"], ["inspect", "/nonexistent"],
      ["inspect", "/dev/null"], ["inspect", #filePath], ["inspect", "/"],
    ])
  func input(arguments: [String]) throws {
    let result = try Lanecheck.run(arguments)
    #expect(result.status == 2)
    #expect(result.output.isEmpty)
    #expect(!result.errors.isEmpty)
  }

  @Test("An unknown rule gets a suggestion; a known one its page")
  func explain() throws {
    let unknown = try Lanecheck.run(["explain", "wrong-vnii"])
    #expect(unknown.status == 2)
    #expect(unknown.errors == "lanecheck: there is no rule 'wrong-vnii'; did you mean wrong-vni?\n")
    let hostile = try Lanecheck.run(["explain", "x\u{1b}[2J"])
    #expect(!hostile.errors.contains("\u{1b}"))
    let known = try Lanecheck.run(["explain", "wrong-vni"])
    #expect(known.status == 0)
    #expect(known.output.hasPrefix("wrong-vni  error"))
    #expect(known.output.contains("\nHow to confirm it\n"))
  }

  @Test("Colour is for terminals, unless asked for; NO_COLOR wins over nothing but --color")
  func color() throws {
    let escape = "\u{1b}["
    #expect(try !Lanecheck.run(["rules"]).output.contains(escape))
    #expect(try Lanecheck.run(["rules", "--color", "always"]).output.contains(escape))
    #expect(try Lanecheck.run(["rules"], environment: ["CLICOLOR_FORCE": "1"]).output.contains(escape))
    let both = ["CLICOLOR_FORCE": "1", "NO_COLOR": "1"]
    #expect(try !Lanecheck.run(["rules"], environment: both).output.contains(escape))
    #expect(try Lanecheck.run(["rules", "--color", "always"], environment: both).output.contains(escape))
    #expect(try !Lanecheck.run(["rules", "--color", "never"], environment: both).output.contains(escape))
  }

  @Test("Without a UTF-8 locale the output is ASCII")
  func ascii() throws {
    let result = try Lanecheck.run(["inspect", Self.capture], environment: ["LC_ALL": "C"])
    #expect(result.status == 0)
    #expect(result.output.utf8.allSatisfy { $0 < 0x80 })
    #expect(result.output.contains("VXLAN vni 57 (0x39) | "))
  }

  @Test("A closed pipe ends the command quietly", arguments: ["rules", "inspect --format json '\(capture)'"])
  func closedPipe(arguments: String) throws {
    let result = try Lanecheck.shell("for i in 1 2 3; do $LANECHECK \(arguments); done | head -n 1 >/dev/null")
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
  }

  @Test("inspect prints valid JSON, one object per line")
  func inspectJSON() throws {
    let result = try Lanecheck.run(["inspect", Self.capture, "--format", "json", "--count", "50"])
    #expect(result.status == 0)
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 50)
    for line in lines {
      let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
      #expect((value as? [String: Any])?["frame"] is Int)
    }
  }

  @Test("inspect takes tcpdump expressions, and keeps the frames' numbers")
  func inspectFilter() throws {
    let all = try Lanecheck.run(["inspect", Self.capture])
    let some = try Lanecheck.run(["inspect", Self.capture, "--filter", "src host 192.0.2.2"])
    #expect(some.status == 0)
    let lines = some.output.split(separator: "\n")
    #expect(lines.count > 10)
    #expect(lines.count < all.output.split(separator: "\n").count)
    #expect(Set(lines).isSubset(of: all.output.split(separator: "\n")))
    let wrong = try Lanecheck.run(["inspect", Self.capture, "--filter", "no such thing"])
    #expect(wrong.status == 2)
    #expect(wrong.errors.contains("no such thing"))
  }

  @Test("VXLAN on a port that was not named is payload")
  func inspectPorts() throws {
    let result = try Lanecheck.run(["inspect", Self.capture, "--vxlan-port", "8472", "--count", "5"])
    #expect(result.status == 0)
    #expect(!result.output.contains("VXLAN"))
    #expect(result.output.contains(".4789 UDP"))
  }

  @Test("A damaged file gives its frames, then the error and status 2")
  func inspectDamaged() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: Self.capture))
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: file) }
    // 24 bytes of file header, 16 of the first record's header, 92 of its frame; then the second is cut.
    try whole.prefix(24 + 108 + 20).write(to: file)
    let result = try Lanecheck.run(["inspect", file.path])
    #expect(result.status == 2)
    #expect(result.output.split(separator: "\n").count == 2)
    #expect(result.output.contains(" 1 "))
    #expect(result.errors.contains("offset 132"))
  }

  @Test("Completion scripts are there for every shell", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) throws {
    let result = try Lanecheck.run(["--generate-completion-script", shell])
    #expect(result.status == 0)
    #expect(result.output.contains("inspect"))
  }

  @Test("The list of rules is valid JSON")
  func rules() throws {
    let result = try Lanecheck.run(["rules", "--format", "json"])
    let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    #expect(value?["schema"] as? String == "lanecheck-rules/1")
    #expect(((value?["rules"] as? [Any])?.count ?? 0) > 30)
  }

  @Test(
    "A verification's JSON is valid, the same every time, and names only rules that explain knows",
    arguments: ["clean-vxlan", "wrong-vni-out", "spoofed-vtep"])
  func verifyJSON(bundle: String) throws {
    let path = RecordedBundles.root.appendingPathComponent(bundle).path
    let first = try Lanecheck.run(["verify", path, "--format", "json"])
    let second = try Lanecheck.run(["verify", path, "--format", "json"])
    #expect(first.output == second.output)
    #expect(first.errors.isEmpty)
    let value = try JSONSerialization.jsonObject(with: Data(first.output.utf8)) as? [String: Any]
    let verdict = try #require(value?["verdict"] as? String)
    #expect(first.status == ["pass": 0, "fail": 1, "inconclusive": 3][verdict])
    let findings = try #require(value?["findings"] as? [[String: Any]])
    for rule in Set(findings.compactMap { $0["rule"] as? String }) {
      let page = try Lanecheck.run(["explain", rule])
      #expect(page.status == 0)
      #expect(!page.output.contains("this version does not raise it"))
    }
  }

  @Test("--quiet prints the verdict's line, --output writes a file and nothing else")
  func verifyOutput() throws {
    let path = RecordedBundles.root.appendingPathComponent("clean-vxlan").path
    let quiet = try Lanecheck.run(["verify", path, "--quiet"])
    #expect(quiet.output.split(separator: "\n").count == 1)
    #expect(quiet.output.hasPrefix("PASS  "))
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).txt")
    defer { try? FileManager.default.removeItem(at: file) }
    let written = try Lanecheck.run(
      ["verify", path, "--output", file.path], environment: ["CLICOLOR_FORCE": "1", "LC_ALL": "C"])
    #expect(written.status == quiet.status)
    #expect(written.output.isEmpty)
    #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("PASS  "))
    let nowhere = try Lanecheck.run(["verify", path, "--output", "/nonexistent/report.txt"])
    #expect(nowhere.status == 2)
    #expect(nowhere.errors.contains("/nonexistent/report.txt"))
  }
}

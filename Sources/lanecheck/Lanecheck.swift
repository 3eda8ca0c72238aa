import ArgumentParser

struct Lanecheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lanecheck",
    abstract: "Verify OpenStack overlay networks from packet captures.",
    discussion: """
      lanecheck reads captures taken at several points of an overlay network (VM tap, qvo, underlay NIC; several \
      hosts) and tells whether every frame stayed in its lane: the right VLAN and VNI on every host, nothing \
      delivered where it does not belong.

      EXAMPLES
        lanecheck verify bundle/
        lanecheck path bundle/ vm1 10.0.0.12
        lanecheck check bundle/
        lanecheck inspect bundle/compute1/eth1.pcap
        lanecheck explain wrong-vni

      \(ExitStatus.help)
      """,
    version: lanecheckVersion,
    subcommands: [
      VerifyCommand.self, PathCommand.self, CheckCommand.self, InspectCommand.self, ExplainCommand.self, RulesCommand.self,
    ])
}

@main
enum EntryPoint {
  static func main() {
    ignoreBrokenPipes()
    do {
      var command = try Lanecheck.parseAsRoot()
      try command.run()
    } catch let status as ExitStatus {
      status.exit()
    } catch {
      leave(after: error)
    }
  }

  /// Help, version and completion scripts are results; everything else is a usage error, whose status is 2.
  private static func leave(after error: any Error) -> Never {
    let message = Lanecheck.fullMessage(for: error)
    if Lanecheck.exitCode(for: error).isSuccess {
      _ = StandardOutput().write(message + "\n")
      ExitStatus.pass.exit()
    }
    complain(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message)
    ExitStatus.failure.exit()
  }
}

import ArgumentParser
import Reporting

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
        lanecheck trace bundle/ vm1 vm2
        lanecheck init bundle/
        lanecheck inspect bundle/compute1/eth1.pcap
        lanecheck explain wrong-vni

      \(ExitStatus.help)
      """,
    version: lanecheckVersion,
    subcommands: [
      VerifyCommand.self, PathCommand.self, CheckCommand.self, TraceCommand.self, SimulateCommand.self,
      TestCommand.self, InitCommand.self, InspectCommand.self, ExplainCommand.self, RulesCommand.self,
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

  /// What to say of a first word that is no command; nil where it is one, or an option.
  private static func unknownCommand() -> String? {
    guard CommandLine.arguments.count > 1 else { return nil }
    let word = CommandLine.arguments[1]
    let names = Lanecheck.configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard !word.hasPrefix("-"), !names.contains(word) else { return nil }
    let near = names.filter { name in
      let shared = zip(name, word).prefix { $0 == $1 }.count
      return shared >= 2 || Set(name) == Set(word)
    }
    let hint = near.first.map { "; did you mean '\($0)'?" } ?? ""
    return "unknown command '\(terminalText(word))'\(hint)\nCommands: \(names.joined(separator: ", "))"
  }

  /// Help, version and completion scripts are results; everything else is a usage error, whose status is 2.
  private static func leave(after error: any Error) -> Never {
    let message = Lanecheck.fullMessage(for: error)
    if Lanecheck.exitCode(for: error).isSuccess {
      _ = StandardOutput().write(message + "\n")
      ExitStatus.pass.exit()
    }
    if let unknown = unknownCommand() {
      complain(unknown)
      ExitStatus.failure.exit()
    }
    complain(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message)
    ExitStatus.failure.exit()
  }
}

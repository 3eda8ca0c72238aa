import Foundation
import Testing
import Verification

@testable import Jobs

/// Recorded bundles of which parts are missing: what the rest says, and no more.
@Suite("Bundles with parts missing") struct PartialEvidenceTests {
  enum Part: String, CaseIterable, Sendable {
    case state, flows, records, tunnels
    /// Whether a file of a bundle belongs to it.
    func has(_ file: String) -> Bool {
      let name = file.split(separator: "/").last ?? ""
      let isPort = ["tap", "qvo", "qvb", "qr-"].contains(name.prefix(3))
      return switch self {
      case .state: !Bundles.isCapture(file)
      case .flows: name.hasSuffix(".flows")
      case .records: name.hasPrefix("ovsdb-")
      case .tunnels: Bundles.isCapture(file) && !isPort
      }
    }
  }

  private func causes(_ bundle: String, without parts: Part...) throws -> [Finding] {
    let report = try Bundles.verify(bundle, keeping: { file in !parts.contains { $0.has(file) } })
    return report.findings.filter { $0.role == .cause && $0.severity > .info }
  }

  @Test(arguments: Part.allCases)
  func healthyOnesStayHealthy(part: Part) throws {
    for bundle in ["clean/trunk", "clean/router", "clean/mixed-tunnels", "learning/migration"] {
      #expect(try causes(bundle, without: part).map(\.message) == [], "\(bundle)")
    }
  }

  /// A guest that moved is on its old host still, for all that the state tells.
  @Test func aGuestMovesAfterTheStateWasRead() throws {
    let report = try Bundles.verify("learning/migration", keeping: { !$0.contains("/after/") })
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict == .pass)
  }

  @Test func anUntaggedPortIsTheOneCauseWithoutTheTunnels() throws {
    #expect(try causes("isolation/untagged-port", without: .tunnels).map(\.rule) == ["untagged-port"])
  }

  /// Its own tag is unknown then, and that something is wrong is not.
  @Test func anUntaggedPortIsSuspiciousWithoutState() throws {
    #expect(try !causes("isolation/untagged-port", without: .state).isEmpty)
  }

  @Test(arguments: [Part.flows, .tunnels])
  func aCopyToAnotherTenantIsNoTranslation(part: Part) throws {
    let causes = try causes("isolation/copied-to-another-tenant", without: part)
    #expect(causes.map(\.rule) == ["cross-network-delivery"])
    #expect((causes.first?.cause != nil) == (part == .tunnels))
  }

  @Test func aFlowIsNamedThoughOnlyPortsWereCaptured() throws {
    let causes = try causes("translation/wrong-vlan-in-br-int", without: .tunnels)
    #expect(causes.map(\.rule) == ["wrong-local-vlan"])
    #expect(causes.first?.cause?.table == 60)
  }

  @Test func withoutFlowsAWrongLaneIsWhatIsKnown() throws {
    #expect(try causes("translation/wrong-vlan-in-br-int", without: .flows).map(\.rule) == ["wrong-vni"])
  }

  /// A sender whose own NIC was not captured.
  @Test func malformedPacketsOfOneSenderAreOneFinding() throws {
    let sender = "encapsulation/malformed-vxlan"
    let hosts = Set(Bundles.files(sender).compactMap { $0.split(separator: "/").first.map(String.init) }.filter { !$0.contains(".") })
    for host in hosts {
      let report = try Bundles.verify(sender, keeping: { !($0.hasPrefix(host + "/") && Part.tunnels.has($0)) })
      let found = report.findings.filter { $0.rule == "malformed-encapsulation" && $0.role == .cause }
      #expect(found.count == 1)
      #expect(found.first?.host != host)
    }
  }
}

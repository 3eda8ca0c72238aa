import Foundation
import Testing
import Verification

@testable import Jobs

/// Captures that show half of what passes: one direction (`tcpdump -Q`), or one host of several.
@Suite("Half of what passes") struct OneDirectionTests {
  /// Healthy, with captures of one direction only on some hosts: what a host receives at an interface, or what it sends.
  @Test(arguments: ["in", "out"], [[0], [1, 2], [0, 1, 2]])
  func whatWentTheOtherWayIsNotMissed(way: String, hosts: [Int]) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.loses = { seen in
      guard hosts.contains(seen.host) else { return false }
      let isReceived =
        switch seen.place {
        case .tap(let guest), .qvo(let guest): guest == seen.sender
        case .out: false
        case .in: true
        }
      return isReceived != (way == "in")
    }
    MadeFaultsTests.talk(&overlay)
    let half = Set(hosts.map { overlay.hosts[$0] })
    let files = Dictionary(
      uniqueKeysWithValues: overlay.files().map { file, data in
        (half.contains { file.hasPrefix($0 + "/") } ? file.replacing(".pcap", with: ".\(way).pcap") : file, data)
      })
    let report = try Bundles.verify(files: files)
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict != .fail)
    #expect(report.findings.contains { $0.rule == "point-not-covered" && $0.message.contains("one direction only") })
  }

  /// Unicast is flooded again after an agent's restart; the one NIC that was captured shows the copy that it was not for.
  @Test func aCopyOfAFloodIsNoWrongPlace() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ["birch/eth1", "cedar/eth1"]
    // Guests of red have their host's number in their MAC's last octet.
    var time: Int64 = 0
    for round in 0..<60 {
      let isFlooding = round > 40
      overlay.receivers = { seen in
        let own = [0, 1, 2, 0, 1][seen.sender]
        return isFlooding || seen.frame[0] & 1 == 1 ? [0, 1, 2].filter { $0 != own } : [Int(seen.frame[5] & 3)]
      }
      for (a, b) in [(1, 2), (2, 1), (1, 0), (0, 2)] {
        overlay.send(overlay.datagram(a, to: b, round * 10 + a * 3 + b), from: a, at: time)
        time += 20_000_000
      }
      time += 60_000_000
    }
    let report = try overlay.verify()
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict == .pass)
  }

  /// What is changed on the way from several hosts is nobody's forgery.
  @Test func whatIsChangedOnItsWayFromSeveralHostsIsNotForged() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.alters = { seen in
      guard seen.host == 2, case .in = seen.place, seen.frame.count > 60 else { return [seen.frame] }
      var frame = seen.frame
      frame[frame.count - 3] ^= 0x55
      return [frame]
    }
    MadeFaultsTests.talk(&overlay)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(Set(causes.map(\.rule)) == ["frame-modified"])
    #expect(causes.count == 2)
  }
}

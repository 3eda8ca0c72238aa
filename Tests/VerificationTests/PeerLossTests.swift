import Testing
import Verification
import Wire

@testable import Jobs

/// Frames that reach a host and vanish there, of one sender only; frames that are late.
@Suite("Losses of one sender") struct PeerLossTests {
  /// Guest 2 lives on the third host; guests 0 and 1 on the others.
  static func overlay(_ isLost: @escaping (MadeOverlay.Sighting) -> Bool) -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    overlay.drops = { if case .qvo(2) = $0.place { return $0.sender != 2 && isLost($0) } else { return false } }
    return overlay
  }

  @Test func aHostThatLosesAllOfOnePeerIsFound() throws {
    var overlay = Self.overlay { $0.sender == 0 }
    MadeFaultsTests.talk(&overlay, rounds: 8)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.host == "cedar")
    #expect(causes.first?.message.contains("from ash for red-2") == true)
  }

  /// Then the guest may have left.
  @Test func whatComesWhenOthersAreSilentProvesNothing() throws {
    var overlay = Self.overlay { $0.sender == 0 }
    for number in 0..<20 {
      overlay.send(overlay.datagram(1, to: 2, number), from: 1, at: Int64(number) * 20_000_000)
      overlay.send(overlay.datagram(2, to: 1, 100 + number), from: 2, at: Int64(number) * 20_000_000 + 5_000_000)
    }
    for number in 0..<20 {
      overlay.send(overlay.datagram(0, to: 2, 200 + number), from: 0, at: 2_000_000_000 + Int64(number) * 20_000_000)
    }
    let report = try overlay.verify()
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }

  @Test func securityGroupsMayNameSenders() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.drops = { sighting in
      guard case .tap(2) = sighting.place, sighting.sender == 0 else { return false }
      return sighting.frame[12] == 8 && sighting.frame[13] == 0
    }
    MadeFaultsTests.talk(&overlay, rounds: 8)
    let report = try overlay.verify()
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }

  @Test(arguments: [true, false])
  func framesThatOvertakeOthersAreARemark(isLate: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ["cedar/\(overlay.guests[2].tap)", "cedar/\(overlay.guests[2].qvo)"]
    var held: [Int: [UInt8]] = [:]
    overlay.drops = { if case .in(0) = $0.place { return isLate && $0.host == 2 && $0.serial % 5 == 4 && $0.serial > 19 } else { return false } }
    for number in 0..<100 {
      let frame = overlay.datagram(0, to: 2, number)
      if isLate, number % 5 == 4, number > 19 { held[number] = frame }
      overlay.send(frame, from: 0, at: Int64(number) * 10_000_000)
    }
    for (number, frame) in held {
      let packet = overlay.encapsulated(
        frame, vni: 0x2711, from: overlay.vtep(0), to: overlay.vtep(2), station: overlay.nic(0), nextHop: overlay.nic(2))
      overlay.show(packet, at: "cedar/eth1.pcap", Int64(number) * 10_000_000 + 25_000_000)
    }
    let report = try overlay.verify()
    #expect(report.findings.contains { $0.rule == "frame-reordered" && $0.host == "ash" } == isLate)
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }

  /// One remark for all points that lost a little, with the rate of each.
  @Test func manyPointsThatLostALittleAreOneRemark() throws {
    var overlay = MadeFaultsTests.overlay()
    let dice = DiceBox(11)
    overlay.loses = { _ in dice.chance(3) }
    MadeFaultsTests.talk(&overlay, rounds: 40)
    let report = try overlay.verify()
    let gaps = report.findings.filter { $0.rule == "capture-gap" }
    #expect(gaps.count == 1)
    guard case .list(let points)? = gaps.first?.observed.first(where: { $0.key == "points" })?.value else {
      Issue.record("the remark names no points")
      return
    }
    #expect(points.count > 8)
    #expect(points.contains { $0.hasPrefix("ash/eth1: ") })
  }
}

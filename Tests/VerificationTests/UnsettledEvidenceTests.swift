import Testing
import Verification
import Wire

@testable import Jobs

/// What the other captures tell where the one that would show a fault is missing.
@Suite("Faults that a missing capture would show") struct UnsettledEvidenceTests {
  static let stranger = MACAddress(rawValue: 0x0200_0000_6609)

  private static func causes(_ report: Report) -> [Finding] { MadeFaultsTests.causes(report) }

  /// Floods and what is for a guest on the third host vanish on their way there; the sender's tunnel shows nothing.
  @Test(arguments: [true, false], [true, false])
  func floodsThatReachOneHostAndNotAnotherAreFound(isGuestCaptured: Bool, hasFlows: Bool) throws {
    for isLost in [true, false] {
      var overlay = MadeFaultsTests.overlay()
      overlay.hasFlows = hasFlows
      overlay.uncaptured = ["ash/eth1"]
      if !isGuestCaptured { overlay.uncaptured.formUnion(["ash/\(overlay.guests[0].tap)", "ash/\(overlay.guests[0].qvo)"]) }
      overlay.drops = { isLost && $0.place == .in(0) && $0.host == 2 }
      MadeFaultsTests.talk(&overlay, rounds: 4)
      for number in 0..<6 {
        overlay.send(overlay.question(0, about: 0x0a07_0040 + UInt32(number)), from: 0, at: 105_000_000 + Int64(number) * 70_000_000)
      }
      let report = try overlay.verify()
      let found = Self.causes(report)
      guard isLost else {
        #expect(report.verdict == .pass)
        #expect(found.map(\.message) == [])
        continue
      }
      #expect(report.verdict == .fail)
      #expect(Set(found.map(\.rule)) == ["frame-lost"])
      let flood = found.first { $0.message.contains("floods of red that left ash and reached others shows on cedar") }
      #expect(flood?.certainty == .likely)
      #expect(flood?.message.contains("leaves it out") == !hasFlows)
    }
  }

  /// A flow hands a network's broadcasts to another's port.
  @Test(arguments: [true, false]) func aLeakToAPortWithoutACaptureIsFoundWhereFramesMetIt(areSent: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    let victim = overlay.guests[4]
    overlay.uncaptured = ["birch/\(victim.tap)", "birch/\(victim.qvo)"]
    overlay.editFlows = { host, bridge, lines in
      let flow = "0, n_packets=0, n_bytes=0, priority=50,dl_vlan=5,dl_dst=ff:ff:ff:ff:ff:ff actions=NORMAL,pop_vlan,output:\"\(victim.qvo)\""
      return host == 1 && bridge == "br-int" ? lines + [flow] : lines
    }
    if areSent {
      MadeFaultsTests.talk(&overlay, rounds: 2)
    } else {
      for number in 0..<20 { overlay.send(overlay.datagram(0, to: 2, number), from: 0, at: Int64(number) * 5_000_000) }
    }
    let report = try overlay.verify()
    let found = Self.causes(report)
    #expect(report.verdict == (areSent ? .fail : .pass))
    #expect(found.map(\.rule) == (areSent ? ["cross-network-delivery"] : []))
    guard areSent else { return }
    #expect(found.first?.host == "birch" && found.first?.network == "red")
    #expect(found.first?.certainty == .likely)
    #expect(found.first?.cause?.text.contains("pop_vlan,output") == true)
  }

  /// Frames in the name of a host whose tunnel interface was not captured, of a guest that lives elsewhere.
  @Test(arguments: [true, false]) func aStationThatIsNoneOfAHostsIsSuspected(isStranger: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ["birch/eth1"]
    MadeFaultsTests.talk(&overlay, rounds: 3)
    for number in 0..<5 {
      let inner = overlay.datagram(2, to: 0, 900 + number)
      let frame = overlay.encapsulated(
        inner, vni: 0x2711, from: overlay.vtep(1), to: overlay.vtep(0), station: isStranger ? Self.stranger : overlay.nic(1),
        nextHop: overlay.nic(0))
      overlay.show(frame, at: "ash/eth1.pcap", 300_000_000 + Int64(number) * 10_000_000)
    }
    let report = try overlay.verify()
    #expect(report.verdict == (isStranger ? .inconclusive : .pass))
    let found = Self.causes(report)
    #expect(found.map(\.rule) == (isStranger ? ["forged-tunnel-frame"] : []))
    #expect(found.allSatisfy { $0.certainty == .suspected && $0.host == "ash" && $0.message.contains("\(Self.stranger)") })
  }

  /// Frames at a port that no capture of the guest shows which they name.
  @Test(arguments: [true, false]) func framesThatNobodySentAreSuspected(isSenderCaptured: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ["ash/eth1"]
    if !isSenderCaptured { overlay.uncaptured.insert("cedar/eth1") }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    for number in 0..<5 {
      let (frame, time) = (overlay.datagram(2, to: 0, 900 + number), 300_000_000 + Int64(number) * 10_000_000)
      overlay.show(frame, at: "ash/\(overlay.guests[0].qvo).pcap", time)
      overlay.show(frame, at: "ash/\(overlay.guests[0].tap).pcap", time + 20_000)
    }
    let report = try overlay.verify()
    #expect(report.verdict == (isSenderCaptured ? .inconclusive : .pass))
    let found = Self.causes(report)
    #expect(found.map(\.rule) == (isSenderCaptured ? ["forged-tunnel-frame"] : []))
    #expect(found.allSatisfy { $0.certainty == .suspected && $0.host == "ash" && $0.count == 5 })
  }
}

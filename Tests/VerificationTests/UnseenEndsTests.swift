import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Where only the tunnels were captured, copies tell what entered; where only ports were, flows tell where it went.
@Suite("Frames whose ends were not captured") struct UnseenEndsTests {
  private static func ports(of overlay: MadeOverlay, on hosts: Range<Int> = 0..<3) -> Set<String> {
    Set(
      overlay.guests.filter { hosts.contains($0.host) }.flatMap {
        ["\(overlay.hosts[$0.host])/\($0.tap)", "\(overlay.hosts[$0.host])/\($0.qvo)"]
      })
  }

  private static let tunnels: Set = ["ash/eth1", "birch/eth1", "cedar/eth1"]

  private static func tunnelsOnly() -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ports(of: overlay)
    return overlay
  }

  /// Replaces text in the lines of one table of a host's br-tun.
  private static func edit(_ overlay: inout MadeOverlay, _ host: Int, _ table: String, _ old: String, _ new: String) {
    overlay.editFlows = { at, bridge, lines in
      lines.map { at == host && bridge == "br-tun" && $0.hasPrefix(table + ",") ? $0.replacing(old, with: new) : $0 }
    }
  }

  private static func isFlood(_ sighting: MadeOverlay.Sighting) -> Bool { sighting.frame[0] & 1 == 1 }

  // MARK: Only tunnels

  @Test(arguments: [true, false])
  func healthyOnesPass(hasFlows: Bool) throws {
    var overlay = Self.tunnelsOnly()
    overlay.hasFlows = hasFlows
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.filter { $0.rule != "point-not-covered" }.map(\.message) == [])
  }

  /// A host of which nothing was captured sends in another lane: dumps prove it, and without any it is a suspicion.
  @Test(arguments: [true, false])
  func aWrongLaneShowsWhereItArrives(hasFlows: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.hasFlows = hasFlows
    overlay.uncaptured = Self.ports(of: overlay, on: 0..<1).union(["ash/eth1"])
    overlay.lane = { $0.sender == 0 ? 0x2712 : $0.vni }
    Self.edit(&overlay, 0, "22", "0x2711", "0x2712")
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == (hasFlows ? .fail : .inconclusive))
    let cause = try #require(MadeFaultsTests.causes(report).first { $0.rule == "wrong-vni" })
    #expect(cause.host == "ash" && cause.network == "red")
    #expect(hasFlows == (cause.cause?.kind == .flow))
  }

  /// The flow says so, or there are many.
  @Test(arguments: [true, false])
  func aFloodWithoutAPeerIsFound(isInstalled: Bool) throws {
    var overlay = Self.tunnelsOnly()
    let guests = overlay.guests
    overlay.receivers = { sighting in
      let destination = sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
      if Self.isFlood(sighting) { return sighting.sender == 0 ? [1] : (0..<3).filter { $0 != sighting.host } }
      return guests.filter { $0.mac.rawValue == destination }.map(\.host)
    }
    if isInstalled { Self.edit(&overlay, 0, "22", ",output:\"\(overlay.tunnelName(2))\"", "") }
    MadeFaultsTests.talk(&overlay)
    overlay.send(overlay.question(0, about: 1), from: 0, at: 4_000_000_000)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["incomplete-flood"])
    #expect(causes.first?.host == "ash" && causes.first?.network == "red")
    #expect(causes.first?.message.contains("no copy for cedar") == true)
    #expect((causes.first?.cause?.table == 22) == isInstalled)
  }

  /// A capture that was told to show one peer only shows no copies to others.
  @Test(arguments: [true, false])
  func aCaptureOfOnePeerOnlyIsNoIncompleteFlood(isReceiverCaptured: Bool) throws {
    var overlay = Self.tunnelsOnly()
    overlay.loses = { sighting in
      if case .out(2) = sighting.place { return sighting.host == 0 }
      if case .in(2) = sighting.place { return sighting.host == 0 }
      return false
    }
    if !isReceiverCaptured { overlay.uncaptured.insert("cedar/eth1") }
    MadeFaultsTests.talk(&overlay)
    for number in 0..<4 { overlay.send(overlay.question(0, about: UInt32(number)), from: 0, at: 4_000_000_000 + Int64(number) * 90_000_000) }
    let report = try overlay.verify()
    #expect(!report.findings.contains { $0.rule == "incomplete-flood" && $0.severity == .error })
    if !isReceiverCaptured {
      #expect(report.verdict == .inconclusive)
      #expect(report.findings.contains { $0.rule == "incomplete-flood" && $0.certainty == .suspected })
    }
  }

  @Test func aFlowForAMACThatLeadsToTheWrongHostIsFound() throws {
    var overlay = Self.tunnelsOnly()
    let guests = overlay.guests
    let flow =
      "20, n_packets=0, n_bytes=0, priority=2,dl_vlan=3,dl_dst=\(overlay.guests[2].mac) "
      + "actions=pop_vlan,set_field:0x2711->tun_id,output:\"\(overlay.tunnelName(1))\""
    overlay.editFlows = { host, bridge, lines in host == 0 && bridge == "br-tun" ? lines + [flow] : lines }
    overlay.receivers = { sighting in
      let destination = sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
      if Self.isFlood(sighting) { return (0..<3).filter { $0 != sighting.host } }
      let home = guests.filter { $0.mac.rawValue == destination }.map(\.host)
      return sighting.host == 0 && home == [2] ? [1] : home
    }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["stale-location"])
    #expect(causes.first?.cause?.text.contains("dl_dst=\(overlay.guests[2].mac)") == true)
  }

  /// What was sent again after its host had learned better went elsewhere: that is no flood.
  @Test(arguments: [true, false])
  func unicastToSeveralHostsIsFloodedOnlyIfItIsOneFrame(isFlood: Bool) throws {
    var overlay = Self.tunnelsOnly()
    let guests = overlay.guests
    overlay.hasFlows = false
    // Of a datagram that is sent twice, each goes to one host.
    overlay.receivers = { sighting in
      if Self.isFlood(sighting) { return (0..<3).filter { $0 != sighting.host } }
      let destination = sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
      let home = guests.filter { $0.mac.rawValue == destination }.map(\.host)
      guard sighting.sender == 0, home == [2] else { return home }
      return isFlood ? [1, 2] : sighting.serial % 2 == 0 ? [1] : [2]
    }
    MadeFaultsTests.talk(&overlay, rounds: 1)
    for number in 0..<8 {
      let time = 4_000_000_000 + Int64(number) * 1_000_000_000
      overlay.send(overlay.datagram(2, to: 0, 100 + number), from: 2, at: time)
      overlay.send(overlay.datagram(0, to: 2, 200 + number), from: 0, at: time + 300_000_000)
      if !isFlood { overlay.send(overlay.datagram(0, to: 2, 200 + number), from: 0, at: time + 370_000_000) }
      overlay.send(overlay.datagram(1, to: 0, 300 + number), from: 1, at: time + 600_000_000)
      if isFlood { overlay.send(overlay.datagram(1, to: 0, 400 + number), from: 1, at: time + 700_000_000) }
    }
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule).contains("flooded-after-learned") == isFlood, "\(causes.map(\.message))")
  }

  /// Of the sender nothing was captured: its floods arrive at others, and not where its flow lacks a copy.
  @Test func aFloodWithoutAPeerShowsWhereItArrives() throws {
    var overlay = MadeFaultsTests.overlay()
    let guests = overlay.guests
    overlay.uncaptured = Self.ports(of: overlay, on: 0..<1).union(["ash/eth1"])
    overlay.receivers = { sighting in
      let destination = sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
      if Self.isFlood(sighting) { return sighting.sender == 0 ? [1] : (0..<3).filter { $0 != sighting.host } }
      return guests.filter { $0.mac.rawValue == destination }.map(\.host)
    }
    Self.edit(&overlay, 0, "22", ",output:\"\(overlay.tunnelName(2))\"", "")
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["incomplete-flood"])
    #expect(causes.first?.host == "ash" && causes.first?.cause?.table == 22)
  }

  // MARK: Only ports

  /// Where frames for a host go by its flows: to a VLAN that no port there has, to none.
  @Test(arguments: ["4107", nil])
  func whatShowsAtNoPortOfItsHostMetTheFlowThatIsWrong(vid: String?) throws {
    for isPortCaptured in [true, false] {
      var overlay = MadeFaultsTests.overlay()
      overlay.uncaptured = Self.tunnels.union(isPortCaptured ? [] : Self.ports(of: overlay, on: 2..<3))
      overlay.inbound = { $0.host == 2 && $0.vni == 0x2711 ? nil : $0.vni == 0x2711 ? 0 : 1 }
      overlay.editFlows = { host, bridge, lines in
        guard host == 2, bridge == "br-tun" else { return lines }
        return vid.map { vid in lines.map { $0.replacing("set_field:4100->vlan_vid", with: "set_field:\(vid)->vlan_vid") } }
          ?? lines.filter { !$0.contains("tun_id=0x2711 ") }
      }
      MadeFaultsTests.talk(&overlay, rounds: 2)
      let report = try overlay.verify()
      let causes = MadeFaultsTests.causes(report)
      #expect(report.verdict == (isPortCaptured ? .fail : .inconclusive))
      #expect(causes.map(\.rule) == [vid == nil ? "unmapped-vni" : "wrong-local-vlan"])
      #expect(causes.first?.host == "cedar")
      #expect(causes.first?.cause?.text.contains("tun_id=0x2711") == true)
    }
  }

  /// The dump is of another time: frames came through.
  @Test func whatComesThroughMetNoFlowThatIsWrong() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = Self.tunnels
    Self.edit(&overlay, 2, "4", "set_field:4100->vlan_vid", "set_field:4107->vlan_vid")
    MadeFaultsTests.talk(&overlay, rounds: 2)
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.contains { $0.rule == "mapping-conflict" && $0.severity == .info })
  }

  // MARK: Tunnels of two kinds

  /// Ranges of VNIs are by kind of tunnel.
  @Test(arguments: [true, false])
  func networksOfTwoKindsMayHaveOneNumber(isCrossed: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    let guests = overlay.guests
    overlay.networks[1].vni = 0x2711
    overlay.networks[1].kind = "gre"
    if isCrossed {
      overlay.inbound = { $0.host == 1 ? 0 : guests[$0.sender].network }
      Self.edit(&overlay, 1, "3", "set_field:4099->vlan_vid", "set_field:4101->vlan_vid")
    }
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    if isCrossed {
      let causes = MadeFaultsTests.causes(report)
      #expect(causes.map(\.rule) == ["wrong-local-vlan"])
      #expect(causes.first?.host == "birch" && causes.first?.network == "blue")
      #expect(causes.first?.cause?.table == 3)
    } else {
      #expect(report.verdict == .pass)
      #expect(report.findings.map(\.message) == [])
      #expect(report.coverage.allSatisfy { $0.out > 0 && $0.in > 0 })
    }
  }

  // MARK: Learning

  /// Where unicast is dropped, no flow floods it, learned or not.
  @Test(arguments: [true, false])
  func flowsThatLearnAreNotCalledOtherwiseWhereUnicastIsDropped(doesLearn: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    let drop = "2, n_packets=0, n_bytes=0, priority=9,dl_vlan=4,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=drop"
    overlay.editFlows = { host, bridge, lines in
      guard host == 2, bridge == "br-tun" else { return lines }
      return lines.map { doesLearn || !$0.hasPrefix("10,") ? $0 : "10, n_packets=0, n_bytes=0, priority=1 actions=output:\"patch-int\"" }
        + [drop]
    }
    for number in 0..<5 { overlay.send(overlay.datagram(3, to: 4, number), from: 3, at: Int64(number) * 5_000_000) }
    let report = try overlay.verify()
    #expect(MadeFaultsTests.causes(report).map(\.rule) == [])
    #expect(report.findings.contains { $0.message.contains("learn nothing") } != doesLearn)
  }
}

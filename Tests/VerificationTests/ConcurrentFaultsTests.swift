import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Faults that begin or end while frames are captured, and two at once that have nothing to do with each other.
@Suite("Faults for a while, and several at once") struct ConcurrentFaultsTests {
  private static let second: Int64 = 1_000_000_000

  private static func isFlood(_ sighting: MadeOverlay.Sighting) -> Bool { sighting.frame[0] & 1 == 1 }

  /// Where the overlay sends a frame by itself.
  private static func receivers(_ overlay: MadeOverlay, _ sighting: MadeOverlay.Sighting) -> [Int] {
    let guest = overlay.guests[sighting.sender]
    let destination = MACAddress(rawValue: sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) })
    return overlay.hosts.indices.filter { host in
      host != guest.host
        && (destination.isGroup || overlay.guests.contains { $0.host == host && $0.mac == destination && $0.network == guest.network })
    }
  }

  /// Guests ask for somebody each half second.
  private static func ask(_ overlay: inout MadeOverlay, _ rounds: Range<Int>, guests: [Int]? = nil) {
    for round in rounds {
      for guest in guests ?? Array(overlay.guests.indices) {
        overlay.send(
          overlay.question(guest, about: 0x0a07_0100 + UInt32(round)), from: guest,
          at: Int64(round) * second / 2 + Int64(guest) * 10_000_000)
      }
    }
  }

  private static func leaveOut(_ overlay: inout MadeOverlay) {
    let plain = overlay
    overlay.receivers = { sighting in
      receivers(plain, sighting).filter { !(isFlood(sighting) && sighting.sender == 0 && $0 == 2) }
    }
  }

  // MARK: For a while

  @Test(arguments: [true, false])
  func aFloodThatLacksAHostFromSomeTimeOnOrUntilThenIsFound(begins: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    if !begins { Self.leaveOut(&overlay) }
    Self.ask(&overlay, 0..<(begins ? 6 : 12))
    if begins { Self.leaveOut(&overlay) } else { overlay.receivers = nil }
    Self.ask(&overlay, begins ? 6..<18 : 12..<18)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["incomplete-flood"])
    #expect(causes.first?.host == "ash" && causes.first?.network == "red" && causes.first?.count == 12)
    #expect(causes.first?.message.contains(begins ? "from some time on" : "until some time") == true)
  }

  /// The dumped flow says so, too: a few frames are enough, and it is the cause.
  @Test func aFloodFlowThatLacksAHostIsTheCauseThoughItWasRightBefore() throws {
    var overlay = MadeFaultsTests.overlay()
    let tunnel = ",output:\"\(overlay.tunnelName(2))\""
    overlay.editFlows = { host, bridge, lines in
      lines.map { host == 0 && $0.contains("priority=1,dl_vlan=3 ") ? $0.replacing(tunnel, with: "") : $0 }
    }
    Self.ask(&overlay, 0..<6)
    Self.leaveOut(&overlay)
    Self.ask(&overlay, 6..<10)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["incomplete-flood"])
    #expect(causes.first?.cause?.table == 22)
    #expect(!report.findings.contains { $0.message.contains("no frame of these captures shows it") })
  }

  /// Flows that are put in anew miss a host for a moment; and a host whose guests are silent may have none any more.
  @Test(arguments: [true, false])
  func aFloodThatLacksAHostForAMomentOrAHostOfSilentGuestsIsNoFault(isShort: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    Self.ask(&overlay, 0..<6)
    Self.leaveOut(&overlay)
    Self.ask(&overlay, 6..<(isShort ? 10 : 18), guests: isShort ? nil : [0])
    #expect(MadeFaultsTests.causes(try overlay.verify()).map(\.message) == [])
  }

  /// Frames of a kind that came only after all were lost count, too.
  @Test func whatIsLostFromSomeTimeOnIsCountedWhole() throws {
    var overlay = MadeFaultsTests.overlay()
    Self.ask(&overlay, 0..<6)
    let start = 4 * Self.second
    for number in 0..<20 { overlay.send(overlay.datagram(0, to: 1, number), from: 0, at: start + Int64(number) * 100_000_000) }
    overlay.drops = { sighting in
      if case .qvo(1) = sighting.place { return sighting.sender != 1 }
      return false
    }
    for number in 20..<40 {
      overlay.send(overlay.datagram(0, to: 1, number), from: 0, at: start + Int64(number) * 100_000_000)
      overlay.send(overlay.datagram(2, to: 1, 500 + number), from: 2, at: start + Int64(number) * 100_000_000 + 30_000_000)
    }
    // Its captures go on.
    Self.ask(&overlay, 17..<20, guests: [1])
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.count == 40, "\(causes.map(\.message))")
  }

  /// A host of which there is nothing but the tunnels to it, and the frames of its guest.
  @Test(arguments: [true, false])
  func aFloodWithoutAHostThatNobodyCapturedIsFound(isLeftOut: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    if isLeftOut { Self.leaveOut(&overlay) }
    Self.ask(&overlay, 0..<8)
    let tunnel = ",output:\"\(overlay.tunnelName(2))\""
    overlay.editFlows = { host, bridge, lines in
      lines.map { isLeftOut && host == 0 && $0.contains("priority=1,dl_vlan=3 ") ? $0.replacing(tunnel, with: "") : $0 }
    }
    let files = overlay.files().filter { !$0.key.hasPrefix("cedar/") && $0.key != "lanecheck.yaml" }
    let report = try Bundles.verify(files: files)
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == (isLeftOut ? ["incomplete-flood"] : []), "\(causes.map(\.message))")
    if isLeftOut {
      #expect(causes.first?.host == "ash" && causes.first?.cause?.table == 22)
      #expect(causes.first?.message.contains("\(overlay.vtep(2))") == true)
    }
  }

  // MARK: Several at once

  /// What a port without a tag sends is in no network's lane.
  @Test func whatAnUntaggedPortSendsIsNoLossOfItsOwn() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests[4].tag = ""
    overlay.lane = { $0.sender == 4 ? nil : $0.vni }
    overlay.strays = { sighting, network in sighting.host == 1 && network == 0 && Self.isFlood(sighting) ? [4] : [] }
    MadeFaultsTests.talk(&overlay, rounds: 4)
    let report = try overlay.verify()
    #expect(MadeFaultsTests.causes(report).map(\.rule) == ["untagged-port"])
    #expect(report.findings.contains { $0.rule == "frame-lost" && $0.role == .consequence })
  }

  /// The second mends what the first breaks, for one host: both are there, and no capture lacks anything.
  @Test func twoWrongTranslationsThatMakeOneRightAreBothFound() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests.append(.init("blue-2", host: 2, network: 1, mac: 0xfa16_3e00_2002, address: 0x0a07_0003))
    overlay.lane = { $0.sender == 0 && Self.isFlood($0) ? 0x2712 : $0.vni }
    overlay.inbound = { $0.vni == 0x2711 || $0.host == 1 ? 0 : 1 }
    overlay.editFlows = { host, bridge, lines in
      lines.map { line in
        if host == 0, line.contains("priority=1,dl_vlan=3 ") { return line.replacing("set_field:0x2711->", with: "set_field:0x2712->") }
        if host == 1, line.contains("tun_id=0x2712 ") { return line.replacing("set_field:4099->", with: "set_field:4101->") }
        return line
      }
    }
    Self.ask(&overlay, 0..<12)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(Set(causes.map(\.rule)) == ["wrong-vni", "wrong-local-vlan"] && causes.count == 2, "\(causes.map(\.message))")
    #expect(!report.findings.contains { $0.rule == "capture-gap" })
  }

  /// One flow does it to all networks.
  @Test func aTableThatLearnsNothingIsOneCause() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.editFlows = { host, bridge, lines in
      lines.map { line in
        guard host == 0, line.hasPrefix("10, ") else { return line }
        return "10, n_packets=0, n_bytes=0, priority=1 actions=output:\"patch-int\""
      }
    }
    let plain = overlay
    overlay.receivers = { sighting in sighting.host == 0 ? [1, 2] : Self.receivers(plain, sighting) }
    MadeFaultsTests.talk(&overlay, rounds: 30)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["flooded-after-learned"])
    #expect(causes.first?.host == "ash" && causes.first?.network == nil && causes.first?.cause?.table == 10)
    #expect(causes.first?.message.contains("red and blue") == true || causes.first?.message.contains("blue and red") == true)
  }

  /// Nothing else drops them, whichever host they come from.
  @Test func whatAFlowDropsIsCountedFromAllHosts() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.editFlows = { host, bridge, lines in
      host == 1 && bridge == "br-int"
        ? lines + ["0, n_packets=0, n_bytes=0, priority=50,dl_dst=\(overlay.guests[1].mac) actions=drop"] : lines
    }
    overlay.drops = { sighting in
      if case .qvo(1) = sighting.place { return sighting.sender != 1 && !Self.isFlood(sighting) }
      return false
    }
    Self.ask(&overlay, 0..<4)
    for number in 0..<4 {
      let time = 3 * Self.second + Int64(number) * 100_000_000
      // To all: the flow takes no kind of frames from others.
      overlay.send(Array(repeating: 0xff, count: 6) + overlay.datagram(0, to: 1, 20 + number).dropFirst(6), from: 0, at: time - 50_000_000)
      overlay.send(overlay.datagram(0, to: 1, number), from: 0, at: time)
      overlay.send(overlay.datagram(2, to: 1, 50 + number), from: 2, at: 4 * Self.second + Int64(number) * 100_000_000)
    }
    Self.ask(&overlay, 12..<16)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.count == 8 && causes.first?.message.contains("from ash and cedar") == true, "\(causes.map(\.message))")
  }

  // MARK: Overheard

  /// A switch of the underlay shows a host what others send each other: it received nothing, and learned nothing.
  @Test(arguments: ["eth1.pcap", "eth1.in.pcap"])
  func whatAHostOverhearsItDidNotReceive(file: String) throws {
    var overlay = MadeFaultsTests.overlay()
    let plain = overlay
    overlay.receivers = { sighting in sighting.host == 2 ? [0, 1] : Self.receivers(plain, sighting) }
    for number in 0..<30 {
      let time = Int64(number) * 300_000_000
      let frame = overlay.datagram(1, to: 0, number)
      overlay.send(frame, from: 1, at: time)
      overlay.show(
        overlay.encapsulated(
          frame, vni: 0x2711, from: overlay.vtep(1), to: overlay.vtep(0), station: overlay.nic(1), nextHop: overlay.nic(0)),
        at: "cedar/eth1.pcap", time + 60_000)
      overlay.send(overlay.datagram(2, to: 1, 100 + number), from: 2, at: time + 100_000_000)
    }
    var files = overlay.files()
    files["cedar/\(file)"] = files.removeValue(forKey: "cedar/eth1.pcap")
    let report = try Bundles.verify(files: files)
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }

  /// Two hosts' tunnel captures lie in each other's directory.
  @Test func exchangedCapturesAreTold() throws {
    var overlay = MadeFaultsTests.overlay()
    MadeFaultsTests.talk(&overlay, rounds: 4)
    var files = overlay.files()
    (files["ash/eth1.pcap"], files["birch/eth1.pcap"]) = (files["birch/eth1.pcap"], files["ash/eth1.pcap"])
    let report = try Bundles.verify(files: files)
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
    #expect(report.findings.contains { $0.message.contains("the tunnel capture of ash looks like one of birch") })
    #expect(report.findings.contains { $0.message.contains("the tunnel capture of birch looks like one of ash") })
  }

  @Test func thePathOfAFindingLeavesOutWhoOverheard() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.lane = { $0.sender == 0 ? 0x2712 : $0.vni }
    for number in 0..<10 {
      let time = Int64(number) * 300_000_000
      let frame = overlay.datagram(0, to: 1, number)
      overlay.send(frame, from: 0, at: time)
      overlay.show(
        overlay.encapsulated(
          frame, vni: 0x2712, from: overlay.vtep(0), to: overlay.vtep(1), station: overlay.nic(0), nextHop: overlay.nic(1)),
        at: "cedar/eth1.pcap", time + 60_000)
      overlay.send(overlay.datagram(2, to: 1, 100 + number), from: 2, at: time + 100_000_000)
    }
    let wrong = try #require(try overlay.verify().findings.first { $0.rule == "wrong-vni" })
    #expect(wrong.path.count > 2)
    #expect(!wrong.path.contains { $0.place.hasPrefix("cedar") }, "\(wrong.path.map(\.place))")
  }
}

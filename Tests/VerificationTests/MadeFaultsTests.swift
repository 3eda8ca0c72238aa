import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// One fault at a time in an overlay of three hosts.
@Suite("Faults in made overlays") struct MadeFaultsTests {
  /// Guests 0 to 2 of `red` on the three hosts, 3 and 4 of `blue` on the first two.
  static func overlay() -> MadeOverlay {
    var overlay = MadeOverlay()
    overlay.networks = [
      .init(name: "red", vni: 0x2711, vlans: [3, 5, 4]), .init(name: "blue", vni: 0x2712, vlans: [5, 3, 6]),
    ]
    for host in 0..<3 {
      overlay.guests.append(
        .init("red-\(host)", host: host, network: 0, mac: 0xfa16_3e00_1000 + UInt64(host), address: 0x0a07_0001 + UInt32(host)))
    }
    for host in 0..<2 {
      overlay.guests.append(
        .init("blue-\(host)", host: host, network: 1, mac: 0xfa16_3e00_2000 + UInt64(host), address: 0x0a07_0001 + UInt32(host)))
    }
    return overlay
  }

  /// Every guest asks for the others, they answer, and data flows.
  static func talk(_ overlay: inout MadeOverlay, rounds: Int = 20) {
    var time: Int64 = 0
    for round in 0..<rounds {
      for a in overlay.guests.indices {
        for b in overlay.guests.indices where a != b && overlay.guests[a].network == overlay.guests[b].network {
          if round == 0 {
            overlay.send(
              overlay.question(a, about: UInt32(truncatingIfNeeded: overlay.guests[b].address.low)), from: a, at: time)
            overlay.send(overlay.answer(b, to: a), from: b, at: time + 3_000_000)
          }
          overlay.send(overlay.datagram(a, to: b, round * 100 + a * 10 + b), from: a, at: time + 6_000_000)
          time += 10_000_000
        }
      }
      time += 100_000_000
    }
  }

  static func causes(_ report: Report) -> [Finding] {
    report.findings.filter { $0.role == .cause && $0.severity > .info }
  }

  @Test func healthyOverlaysPass() throws {
    var overlay = Self.overlay()
    Self.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.map(\.message) == [])
    #expect(report.trajectories.unjudged == 0)
  }

  // MARK: What no capture covers

  /// A wrong flow from VNI to VLAN where only the tunnels were captured.
  @Test func aWrongFlowThatFramesCrossedIsFoundThoughNoGuestWasCaptured() throws {
    var overlay = Self.overlay()
    overlay.uncaptured = Set(overlay.guests.flatMap { ["\(overlay.hosts[$0.host])/\($0.tap)", "\(overlay.hosts[$0.host])/\($0.qvo)"] })
    overlay.editFlows = { host, bridge, lines in
      lines.map { host == 1 && bridge == "br-tun" ? $0.replacing("tun_id=0x2711 actions=push_vlan:0x8100,set_field:4101", with: "tun_id=0x2711 actions=push_vlan:0x8100,set_field:4099") : $0 }
    }
    Self.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let causes = Self.causes(report)
    #expect(causes.map(\.rule) == ["wrong-local-vlan"])
    #expect(causes.first?.host == "birch")
    #expect(causes.first?.certainty == .likely)
    #expect(causes.first?.count ?? 0 > 20)
    #expect(causes.first?.cause?.text.contains("tun_id=0x2711") == true)
  }

  /// The same flow, and no frame that meets it.
  @Test func aWrongFlowThatNoFrameMetIsARemark() throws {
    var overlay = Self.overlay()
    overlay.editFlows = { host, bridge, lines in
      lines.map { host == 1 && bridge == "br-tun" ? $0.replacing("tun_id=0x2711 actions=push_vlan:0x8100,set_field:4101", with: "tun_id=0x2711 actions=push_vlan:0x8100,set_field:4099") : $0 }
    }
    for number in 0..<30 {
      overlay.send(overlay.datagram(3, to: 4, number), from: 3, at: Int64(number) * 5_000_000)
    }
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.contains { $0.rule == "mapping-conflict" && $0.severity == .info && $0.host == "birch" })
  }

  @Test func aHostThatSendsNothingIsFoundThoughItsTunnelWasNotCaptured() throws {
    for hasFlows in [true, false] {
      var overlay = Self.overlay()
      overlay.hasFlows = hasFlows
      overlay.uncaptured = ["birch/eth1"]
      overlay.drops = { sighting in
        if case .out = sighting.place { return sighting.host == 1 }
        return false
      }
      Self.talk(&overlay)
      let report = try overlay.verify()
      #expect(report.verdict == .fail)
      let causes = Self.causes(report)
      #expect(causes.map(\.rule) == ["frame-lost", "frame-lost"])
      #expect(Set(causes.map(\.host)) == ["birch"])
    }
  }

  // MARK: Many of a kind

  @Test(arguments: ["addresses", "stations", "VNIs", "MACs"])
  func whatAnAttackerVariesIsOneFinding(varied: String) throws {
    var overlay = Self.overlay()
    overlay.isComplete = true
    Self.talk(&overlay)
    for number in 0..<6000 {
      let own = UInt64(number)
      var inner = FrameBuilder()
      inner.ethernet(
        to: overlay.guests[1].mac,
        from: MACAddress(rawValue: varied == "MACs" ? 0x0200_0000_0000 + own : 0x0200_0000_7777))
      inner.ipv4(from: IPAddress(v4: 0x0a07_0099), to: overlay.guests[1].address) {
        $0.udp(from: 9, to: 9) { $0.append(UInt32(number)) }
      }
      let frame = overlay.encapsulated(
        inner.bytes, vni: varied == "VNIs" ? 0x5000 + UInt32(number) : 0x2711,
        from: varied == "addresses" ? IPAddress(v4: 0x0b00_0000 + UInt32(number)) : overlay.vtep(0), to: overlay.vtep(1),
        station: MACAddress(rawValue: varied == "stations" ? 0x0266_0000_0000 + own : 0x0266_6666_6666),
        nextHop: overlay.nic(1))
      overlay.show(frame, at: "birch/eth1.pcap", 500_000_000 + Int64(number) * 100_000)
    }
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    #expect(report.findings.count <= 3, "\(report.findings.map(\.message))")
    let causes = Self.causes(report)
    #expect(causes.map(\.rule) == [varied == "addresses" ? "unknown-vtep" : "forged-tunnel-frame"])
    #expect(causes.first?.count == 6000)
    if varied == "addresses" || varied == "stations" {
      #expect(causes.first?.message.contains("more") == true)
    }
  }

  @Test(arguments: [100, 6000])
  func malformedHeadersBeyondTheBoundAreTold(count: Int) throws {
    var overlay = Self.overlay()
    Self.talk(&overlay, rounds: 2)
    for number in 0..<count {
      var frame = overlay.encapsulated(
        overlay.datagram(0, to: 1, number), vni: 0x2711, from: overlay.vtep(0), to: overlay.vtep(1),
        station: overlay.nic(0), nextHop: overlay.nic(1))
      // The I flag of VXLAN.
      frame[42] = 0
      overlay.show(frame, at: "birch/eth1.pcap", 500_000_000 + Int64(number) * 100_000)
    }
    let found = try overlay.verify().findings.filter { $0.rule == "malformed-encapsulation" }
    #expect(found.count == 1)
    #expect(found.first?.message.contains("1904 more") == (count == 6000))
  }

  // MARK: Hosts cut off

  @Test func aHostThatNothingReachesIsOneFinding() throws {
    var overlay = Self.overlay()
    overlay.drops = { sighting in
      if case .in = sighting.place { return sighting.host == 2 }
      return false
    }
    Self.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let causes = Self.causes(report)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.host == "cedar")
    #expect(causes.first?.message.contains("ash and birch") == true)
  }

  /// No frame relates its clock to the others': what it lacks is not held against anybody, and the report says why.
  @Test func aHostCutOffBothWaysIsNotPassedOver() throws {
    var overlay = Self.overlay()
    overlay.drops = { sighting in
      if case .in(let sender) = sighting.place { return sighting.host == 2 || sender == 2 }
      return false
    }
    Self.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    #expect(Self.causes(report).map(\.rule) == ["frame-lost"])
    let cause = Self.causes(report).first
    #expect(cause?.host == "cedar" && cause?.certainty == .likely)
    #expect(cause?.message.hasPrefix("cedar is cut off") == true)
    #expect(report.findings.contains { $0.rule == "clock-uncertain" && $0.host == "cedar" })
  }

  /// Then by its clock its captures are of another time.
  @Test(arguments: [3_600_000_000_000, -20_000_000_000] as [Int64])
  func aHostCutOffWhoseClockIsFarOffCannotBeJudged(ahead: Int64) throws {
    var overlay = Self.overlay()
    overlay.drops = { sighting in
      if case .in(let sender) = sighting.place { return sighting.host == 2 || sender == 2 }
      return false
    }
    overlay.ahead = [2: ahead]
    Self.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.contains { $0.contains("cedar") && $0.contains("clocks could not be aligned") })
  }

  @Test func aHostWhoseClockIsFarOffIsNotCutOff() throws {
    for ahead in [1_500_000_000, -3_600_000_000_000] as [Int64] {
      var overlay = Self.overlay()
      overlay.ahead = [2: ahead]
      Self.talk(&overlay)
      let report = try overlay.verify()
      #expect(report.verdict == .pass)
      #expect(report.findings.map(\.message) == [])
    }
  }

  @Test func onePairWithoutALinkIsThatPairs() throws {
    var overlay = Self.overlay()
    overlay.drops = { sighting in
      if case .in(let sender) = sighting.place { return sighting.host == 2 && sender == 0 }
      return false
    }
    Self.talk(&overlay)
    let causes = Self.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.message.contains("from ash to cedar") == true)
  }

  // MARK: Guests that bridge

  @Test(arguments: [false, true])
  func aGuestThatBridgesOthersIsNoDuplicate(isAllowed: Bool) throws {
    var overlay = Self.overlay()
    let nested = MACAddress(rawValue: 0x5254_0077_0001)
    if isAllowed {
      for guest in 0..<2 { overlay.guests[guest].manifest = ", allowed: [\"\(nested)\", 10.7.0.99]" }
    }
    Self.talk(&overlay, rounds: 3)
    // The nested guest is seen behind both, in turn.
    for number in 0..<20 {
      overlay.send(
        overlay.datagram(number % 2, to: 2, 5000 + number, source: nested), from: number % 2,
        at: 3_000_000_000 + Int64(number) * 200_000_000)
    }
    let report = try overlay.verify()
    #expect(!report.findings.contains { $0.rule == "duplicate-address" })
    #expect(report.verdict == .pass)
  }

  @Test func twoGuestsWithOneMACAreADuplicate() throws {
    var overlay = Self.overlay()
    overlay.guests[1].mac = overlay.guests[0].mac
    for number in 0..<20 {
      overlay.send(
        overlay.datagram(number % 2, to: 2, number), from: number % 2, at: Int64(number) * 200_000_000)
    }
    let report = try overlay.verify()
    let found = report.findings.filter { $0.rule == "duplicate-address" }
    #expect(found.count == 1)
    #expect(found.first?.message.contains("ash and birch") == true || found.first?.message.contains("birch and ash") == true)
  }
}

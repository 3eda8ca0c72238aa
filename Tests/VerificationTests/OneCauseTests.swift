import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// One thing that is wrong and shows in several ways is one cause, and it is named.
@Suite("One cause of many signs") struct OneCauseTests {
  private static func isFlood(_ sighting: MadeOverlay.Sighting) -> Bool { sighting.frame[0] & 1 == 1 }

  /// Both networks have guests on all hosts.
  private static func overlay() -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests.append(.init("blue-2", host: 2, network: 1, mac: 0xfa16_3e00_2002, address: 0x0a07_0003))
    return overlay
  }

  /// Nothing goes between the two hosts then, in any network.
  @Test func aTunnelPortThatLeadsElsewhereIsOneCause() throws {
    var overlay = Self.overlay()
    let (own, other) = ("remote_ip=\"\(overlay.vtep(2))\"", "remote_ip=\"198.51.100.99\"")
    overlay.editShow = { host, text in host == 0 ? text.replacing(own, with: other) : text }
    // What goes by it goes to that address.
    overlay.distorts = { sighting, packet in
      guard sighting.host == 0, sighting.place == .out(2) else { return packet }
      return packet[..<30] + [198, 51, 100, 99] + packet[34...]
    }
    overlay.drops = { $0.host == 2 && $0.place == .in(0) }
    overlay.inbound = { sighting in
      if case .in(2) = sighting.place, sighting.host == 0 { return nil }
      return sighting.vni == 0x2711 ? 0 : 1
    }
    MadeFaultsTests.talk(&overlay, rounds: 4)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["incomplete-flood"])
    #expect(causes.first?.host == "ash" && causes.first?.network == nil)
    #expect(causes.first?.cause?.kind == .tunnel)
    #expect(causes.first?.cause?.text.contains("leads to 198.51.100.99") == true)
  }

  /// Causes where tunnel packets lack the I flag of VXLAN at some places, and nothing comes out of them.
  private static func causesWithoutFlag(_ isHit: @escaping (MadeOverlay.Sighting) -> Bool) throws -> [Finding] {
    var overlay = Self.overlay()
    overlay.distorts = { sighting, packet in
      var packet = packet
      if isHit(sighting) { packet[42] = 0 }
      return packet
    }
    overlay.inbound = { isHit($0) ? nil : $0.vni == 0x2711 ? 0 : 1 }
    MadeFaultsTests.talk(&overlay, rounds: 4)
    return MadeFaultsTests.causes(try overlay.verify())
  }

  /// The sender's own capture shows them whole, and at the others nothing comes out of them.
  @Test func whatIsChangedOnItsWayIsNotLostAsWell() throws {
    let causes = try Self.causesWithoutFlag { $0.place == .in(1) && $0.vni == 0x2711 }
    #expect(causes.map(\.rule) == ["malformed-encapsulation"])
    #expect(causes.first?.message.contains("changed on the way") == true)
  }

  /// What leaves a host malformed is not lost inside it as well.
  @Test func whatIsMalformedByItsSenderIsNotLostAsWell() throws {
    let causes = try Self.causesWithoutFlag { sighting in
      switch sighting.place {
      case .out: sighting.host == 0 && sighting.vni == 0x2711
      case .in(0): sighting.vni == 0x2711
      default: false
      }
    }
    #expect(causes.map(\.rule) == ["malformed-encapsulation"])
    #expect(causes.first?.host == "ash")
  }

  /// The port of `red` on the first host is on the VLAN of `blue` between two moments; no dump shows that.
  @Test(arguments: [true, false])
  func aTagThatWasAnotherForAWhileIsOneCause(areTunnelsCaptured: Bool) throws {
    var overlay = Self.overlay()
    if !areTunnelsCaptured { overlay.uncaptured = ["ash/eth1", "birch/eth1", "cedar/eth1"] }
    MadeFaultsTests.talk(&overlay, rounds: 2)
    // Meanwhile it is a port of the other network.
    overlay.lane = { $0.sender == 0 ? 0x2712 : $0.vni }
    overlay.strays = { sighting, network in
      if sighting.host == 0, network == 1, Self.isFlood(sighting) { return [0] }
      return network == 0 && sighting.sender == 0 ? [3] : []
    }
    overlay.inbound = { $0.vni == 0x2711 ? 0 : 1 }
    overlay.drops = { sighting in
      if case .qvo(0) = sighting.place { return sighting.sender != 0 && sighting.vni == 0x2711 }
      return false
    }
    for number in 0..<6 {
      let time = 2_000_000_000 + Int64(number) * 100_000_000
      overlay.send(overlay.question(0, about: 0x0a07_0040 + UInt32(number)), from: 0, at: time)
      overlay.send(overlay.question(3, about: 0x0a07_0050 + UInt32(number)), from: 3, at: time + 30_000_000)
      overlay.send(overlay.question(5, about: 0x0a07_0060 + UInt32(number)), from: 5, at: time + 60_000_000)
    }
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["port-tag-mismatch"], "\(causes.map(\.message))")
    #expect(causes.first?.port == "red-0" && causes.first?.certainty == .likely)
    #expect(causes.first?.cause?.kind == .portTag)
    #expect(causes.first?.count ?? 0 >= 12)
  }

  /// A mirror of br-int copies what is on one network's VLAN into the other's.
  @Test(arguments: ["[]", "3", "6"])
  func aMirrorIntoAnotherVLANIsNamed(selected: String) throws {
    var overlay = Self.overlay()
    overlay.strays = { sighting, network in sighting.host == 0 && network == 0 ? [3] : [] }
    overlay.state["ash/ovsdb-mirror.json"] =
      #"{"headings":["_uuid","name","output_port","output_vlan","select_all","select_vlan","select_src_port","select_dst_port"],"#
      + #""data":[[["uuid","00000000-0000-4000-8000-0000000000aa"],"span",["set",[]],5,true,"#
      + (selected == "[]" ? #"["set",[]]"# : selected) + #",["set",[]],["set",[]]]]}"#
    overlay.state["ash/ovsdb-bridge.json"] =
      #"{"headings":["_uuid","name","mirrors"],"data":[[["uuid","00000000-0000-4000-8000-0000000000bb"],"br-int","#
      + #"["uuid","00000000-0000-4000-8000-0000000000aa"]]]}"#
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(Set(causes.map(\.rule)) == ["cross-network-delivery"])
    if selected == "6" {
      // That VLAN is none of the frames'.
      #expect(!causes.contains { $0.cause?.kind == .mirror })
    } else {
      #expect(causes.count == 1)
      #expect(causes.first?.cause?.kind == .mirror)
      #expect(causes.first?.cause?.text.contains("output_vlan=5") == true)
    }
  }

  /// Of two tunnel ports to one host, the one for this VNI alone takes its frames, and no flow takes them from it.
  @Test func theTunnelPortThatTakesTheFramesIsNamed() throws {
    var overlay = Self.overlay()
    let remote = overlay.vtep(0)
    overlay.editShow = { host, text in
      guard host == 2 else { return text }
      return text + "        Port vxlan-extra\n            Interface vxlan-extra\n                type: vxlan\n"
        + "                options: {in_key=\"10001\", out_key=flow, remote_ip=\"\(remote)\"}\n"
    }
    overlay.inbound = { sighting in
      if case .in(0) = sighting.place, sighting.host == 2, sighting.vni == 0x2711 { return nil }
      return sighting.vni == 0x2711 ? 0 : 1
    }
    MadeFaultsTests.talk(&overlay, rounds: 4)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.cause?.text.contains("in_port=vxlan-extra (in_key=10001)") == true, "\(causes.map { $0.cause?.text ?? "" })")
  }

  // MARK: What is no fault

  /// An answer in another's name that its own host drops; the other goes on answering.
  @Test(arguments: [true, false], [true, false])
  func aFalseAnswerThatItsHostStopsIsNoDispute(isStopped: Bool, areTunnelsCaptured: Bool) throws {
    var overlay = Self.overlay()
    if !areTunnelsCaptured { overlay.uncaptured = ["ash/eth1", "birch/eth1", "cedar/eth1"] }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let victim = overlay.guests[1].address
    var claim = FrameBuilder()
    claim.ethernet(to: overlay.guests[2].mac, from: overlay.guests[0].mac)
    claim.arp(
      operation: 2, senderMAC: overlay.guests[0].mac, sender: victim, targetMAC: overlay.guests[2].mac,
      target: overlay.guests[2].address)
    let bytes = claim.bytes
    overlay.drops = { sighting in
      if case .out = sighting.place { return isStopped && sighting.frame == bytes }
      return false
    }
    for number in 0..<10 {
      let time = 3_000_000_000 + Int64(number) * 400_000_000
      overlay.send(bytes, from: 0, at: time)
      overlay.send(overlay.answer(1, to: 2), from: 1, at: time + 200_000_000)
      overlay.send(overlay.datagram(0, to: 2, 7000 + number), from: 0, at: time + 250_000_000)
    }
    let report = try overlay.verify()
    #expect(report.findings.contains { $0.rule == "duplicate-address" } == !isStopped)
    #expect(!report.findings.contains { $0.rule == "frame-lost" }, "\(report.findings.map(\.message))")
  }

  /// Devices between tap and qvo cut and join what a guest sends, elsewhere than the guest did.
  @Test func segmentsThatADeviceCutsAreNotHeldBack() throws {
    var overlay = Self.overlay()
    let (from, to) = (overlay.guests[0], overlay.guests[2])
    func segment(_ number: Int, _ first: Int, _ count: Int) -> [UInt8] {
      var frame = FrameBuilder()
      frame.ethernet(to: to.mac, from: from.mac)
      var fields = FrameBuilder.IPFields()
      fields.identification = UInt16(truncatingIfNeeded: number * 7 + first / 100)
      frame.ipv4(from: from.address, to: to.address, fields: fields) {
        $0.tcp(from: 41_000, to: 80, sequence: UInt32(number * 3000 + first)) {
          $0.append((first..<(first + count)).map { UInt8(truncatingIfNeeded: $0 * 7 + number) })
        }
      }
      return frame.bytes
    }
    var pieces: [[UInt8]: [[UInt8]]] = [:]
    for number in 0..<12 {
      pieces[segment(number, 0, 1500)] = [segment(number, 0, 1000)]
      pieces[segment(number, 1500, 1500)] = [segment(number, 1000, 1000), segment(number, 2000, 1000)]
    }
    let cut = pieces
    overlay.alters = { sighting in
      if case .qvo(0) = sighting.place { return cut[sighting.frame] ?? [sighting.frame] }
      return [sighting.frame]
    }
    MadeFaultsTests.talk(&overlay, rounds: 2)
    for number in 0..<24 {
      overlay.send(segment(number / 2, number % 2 * 1500, 1500), from: 0, at: 2_000_000_000 + Int64(number) * 10_000_000)
    }
    let report = try overlay.verify()
    #expect(report.findings.map(\.message) == [])
  }

  /// A port that only captures know had gone when the flows were dumped, and the mapping of its network with it.
  @Test func aPortThatHadGoneNeedsNoMapping() throws {
    var overlay = Self.overlay()
    overlay.guests[5].isListed = false
    overlay.editFlows = { host, bridge, lines in
      host == 2 && bridge == "br-tun" ? lines.filter { !$0.contains("tun_id=0x2712 ") && !$0.contains("dl_vlan=6 ") } : lines
    }
    MadeFaultsTests.talk(&overlay, rounds: 2)
    overlay.inbound = { $0.host == 2 && $0.vni == 0x2712 ? nil : $0.vni == 0x2711 ? 0 : 1 }
    for number in 0..<5 {
      overlay.send(overlay.question(3, about: 0x0a07_0040 + UInt32(number)), from: 3, at: 3_000_000_000 + Int64(number) * 50_000_000)
    }
    let report = try overlay.verify()
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }
}

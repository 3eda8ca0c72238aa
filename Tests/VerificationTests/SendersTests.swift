import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Who sends, and who gets what is not theirs.
@Suite("Senders and ports") struct SendersTests {
  static let stranger = MACAddress(rawValue: 0x0200_00ab_cdef)

  /// br-int admits of each guest's port only its own MAC, as Neutron's protection does.
  static func guarded(_ manifest: String = "", allowing extra: MACAddress? = nil) -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests[0].manifest = manifest
    let guests = overlay.guests
    overlay.editFlows = { host, bridge, lines in
      guard bridge == "br-int" else { return lines }
      var result = lines
      for guest in guests where guest.host == host {
        result.append("0, n_packets=0, n_bytes=0, priority=9,in_port=\"\(guest.qvo)\" actions=goto_table:25")
        for mac in [guest.mac] + (guest.name == "red-0" ? [extra].compactMap { $0 } : []) {
          result.append(
            "25, n_packets=0, n_bytes=0, priority=2,in_port=\"\(guest.qvo)\",dl_src=\(mac) actions=goto_table:60")
        }
      }
      result.append("60, n_packets=0, n_bytes=0, priority=3 actions=NORMAL")
      return result
    }
    return overlay
  }

  static func spoof(_ overlay: inout MadeOverlay) {
    MadeFaultsTests.talk(&overlay, rounds: 3)
    for number in 0..<8 {
      overlay.send(
        overlay.datagram(0, to: 2, 9000 + number, source: stranger), from: 0,
        at: 3_000_000_000 + Int64(number) * 50_000_000)
    }
  }

  @Test func aForeignMACThatLeftItsHostIsSpoofed() throws {
    var overlay = Self.guarded()
    Self.spoof(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["spoofed-source-mac"])
    #expect(causes.first?.port == "red-0")
    #expect(causes.first?.count == 8)
  }

  @Test func aForeignMACThatEndsInItsHostIsARemark() throws {
    var overlay = Self.guarded()
    overlay.drops = { sighting in
      guard sighting.frame[6..<12].elementsEqual([0x02, 0x00, 0x00, 0xab, 0xcd, 0xef]) else { return false }
      if case .out = sighting.place { return true }
      return false
    }
    Self.spoof(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.map(\.rule) == ["spoof-blocked"])
  }

  @Test func anAllowedMACIsNoSpoof() throws {
    var overlay = Self.guarded(", allowed: [\"\(Self.stranger)\"]", allowing: Self.stranger)
    Self.spoof(&overlay)
    let report = try overlay.verify()
    #expect(report.findings.map(\.message) == [])
  }

  @Test(arguments: ["", "3"])
  func aPortWithoutATagGetsEveryNetwork(tag: String) throws {
    var overlay = MadeFaultsTests.overlay()
    // Guest 0 is of red, whose VLAN on the first host is 3.
    overlay.guests[0].tag = tag
    if tag.isEmpty { overlay.strays = { sighting, network in sighting.host == 0 && network == 1 ? [0] : [] } }
    overlay.alters = { sighting in
      guard case .qvo(0) = sighting.place, sighting.vni == 0x2712, sighting.sender != 0 else { return [sighting.frame] }
      return [sighting.frame.prefix(12) + [0x81, 0x00, 0x00, 0x05] + sighting.frame.dropFirst(12)].map(Array.init)
    }
    MadeFaultsTests.talk(&overlay, rounds: 5)
    let report = try overlay.verify()
    if tag.isEmpty {
      let causes = MadeFaultsTests.causes(report)
      #expect(causes.map(\.rule) == ["untagged-port"])
      #expect(causes.first?.port == "red-0")
      #expect(causes.first?.cause?.kind == .portTag)
    } else {
      #expect(report.findings.map(\.message) == [])
    }
  }

  @Test(arguments: [true, false], [1_000_000_000, 70_000_000, 2_000_000] as [Int64])
  func twoGuestsThatAnswerForOneAddressAreADuplicate(isDisputed: Bool, pause: Int64) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests[1].address = overlay.guests[0].address
    for number in 0..<12 {
      // Taking turns is a dispute; taking over is not.
      let speaker = isDisputed ? number % 2 : number / 6
      overlay.send(overlay.answer(speaker, to: 2), from: speaker, at: 5_000_000_000 + Int64(number) * pause)
    }
    let report = try overlay.verify()
    // Within so short a time clocks tell no order.
    #expect(report.findings.contains { $0.rule == "duplicate-address" } == (isDisputed && pause > 5_000_000))
  }
}

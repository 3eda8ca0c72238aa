import Testing
import Verification
import Wire

@testable import Jobs

/// Tunnel headers that are others where they arrive.
@Suite("VNIs that change on the underlay") struct ChangedVNITests {
  /// From ash to birch, what red sends arrives on another VNI.
  static func overlay(to vni: UInt32, every: Int = 1) -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    func isChanged(_ sighting: MadeOverlay.Sighting) -> Bool {
      sighting.host == 1 && sighting.place == .in(0) && sighting.vni == 0x2711 && sighting.serial % every == 0
    }
    overlay.distorts = { sighting, packet in
      guard isChanged(sighting) else { return packet }
      var changed = packet
      for (place, shift) in [(46, 16), (47, 8), (48, 0)] { changed[place] = UInt8(truncatingIfNeeded: vni >> UInt32(shift)) }
      return changed
    }
    overlay.inbound = { sighting in
      let lane = isChanged(sighting) ? vni : sighting.vni
      return lane == 0x2711 ? 0 : lane == 0x2712 ? 1 : nil
    }
    return overlay
  }

  @Test(arguments: [UInt32(0x2712), 0x777], [1, 3]) func theUnderlayIsNamed(vni: UInt32, every: Int) throws {
    var overlay = Self.overlay(to: vni, every: every)
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["frame-modified"])
    let cause = try #require(causes.first)
    #expect(cause.host == "birch" && cause.network == "red" && cause.cause?.kind == .underlay)
    #expect(cause.message.contains("VNI 10001 (0x2711) arrive at birch on VNI \(vni)"))
    let leaks = report.findings.contains { $0.rule == "cross-network-delivery" && $0.role == .consequence }
    #expect(leaks == (vni == 0x2712))
  }

  /// Two tenants send the same bytes, and each capture misses those of another: nothing was changed.
  @Test func lostFramesOfClonedTenantsAreNotChanged() throws {
    var overlay = MadeFaultsTests.overlay()
    for guest in 3..<5 { overlay.guests[guest].mac = overlay.guests[guest - 3].mac }
    MadeFaultsTests.talk(&overlay)
    overlay.loses = {
      switch $0.place {
      case .out(1): $0.host == 0 && $0.vni == 0x2711
      case .in(0): $0.host == 1 && $0.vni == 0x2712
      default: false
      }
    }
    for round in 0..<5 {
      let time = 10_000_000_000 + Int64(round) * 100_000_000
      overlay.send(overlay.datagram(0, to: 1, 7_000 + round), from: 0, at: time)
      overlay.send(overlay.datagram(3, to: 4, 7_000 + round), from: 3, at: time + 1_000_000)
    }
    overlay.loses = { _ in false }
    MadeFaultsTests.talk(&overlay)
    #expect(try overlay.verify().findings.filter { $0.severity > .info }.map(\.message) == [])
  }
}

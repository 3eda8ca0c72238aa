import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Two tenants whose guests have the same MACs and addresses, and send the same bytes at the same time.
@Suite("Cloned tenants") struct ClonedTenantsTests {
  struct Leak: CustomTestStringConvertible, Sendable {
    enum Side: Sendable { case none, sender, receiver }
    var side: Side
    /// Of a hundred frames of the one tenant, how many go to the other.
    var share: Int
    /// Of a hundred sightings, how many the captures lose.
    var loss: Int
    var uncaptured: Set<String> = []
    var hasFlows = true
    var testDescription: String {
      "\(side) \(share) %, loss \(loss) %, without \(uncaptured.sorted()), flows \(hasFlows)"
    }
  }

  /// In the order of `guests`: the red pair, and its blue clones.
  static func overlay(
    _ leak: Leak, seed: UInt64 = 1, changing: (inout [MadeOverlay.Network]) -> Void = { _ in }
  ) -> MadeOverlay {
    var overlay = MadeOverlay()
    overlay.networks = [
      .init(name: "red", vni: 0x2711, vlans: [3, 5, 4]), .init(name: "blue", vni: 0x2712, vlans: [5, 3, 6]),
    ]
    changing(&overlay.networks)
    for (number, name) in ["red", "blue"].enumerated() {
      overlay.guests.append(
        .init("\(name)-a", host: 0, network: number, mac: 0xfa16_3e00_0a01, address: 0x0a07_0001))
      overlay.guests.append(
        .init("\(name)-b", host: 1, network: number, mac: 0xfa16_3e00_0b01, address: 0x0a07_0002))
    }
    overlay.hasFlows = leak.hasFlows
    overlay.uncaptured = Set(
      leak.uncaptured.map { name in
        let parts = name.split(separator: " ")
        guard parts.count == 2, let guest = overlay.guests.first(where: { $0.name == parts[0] }) else { return name }
        return "\(overlay.hosts[guest.host])/\(parts[1] == "tap" ? guest.tap : guest.qvo)"
      })
    func leaks(_ sighting: MadeOverlay.Sighting) -> Bool {
      sighting.serial % 2 == 0 && (sighting.serial / 2 * 37) % 100 < leak.share
    }
    if leak.side == .sender { overlay.lane = { leaks($0) && $0.sender == 0 ? 0x2712 : $0.vni } }
    if leak.side == .receiver {
      overlay.inbound = { $0.vni == 0x2711 && $0.host == 1 && !leaks($0) ? 0 : 1 }
      overlay.inbound = { sighting in
        if sighting.vni == 0x2712 { return 1 }
        return sighting.host == 1 && sighting.sender == 0 && leaks(sighting) ? 1 : 0
      }
    }
    let dice = DiceBox(seed)
    overlay.loses = { _ in dice.chance(leak.loss) }
    for number in 0..<200 {
      let time = Int64(number) * 700_000_000
      let isQuestion = number % 10 == 0
      for clone in [0, 2] {
        let frame = isQuestion ? overlay.question(clone, about: 0x0a07_0002) : overlay.datagram(clone, to: clone + 1, number)
        overlay.send(frame, from: clone, at: time + Int64(clone) * 60_000)
      }
      for clone in [1, 3] {
        overlay.send(
          overlay.datagram(clone, to: clone - 1, 1000 + number), from: clone, at: time + 9_000_000 + Int64(clone) * 50_000)
      }
    }
    return overlay
  }

  static let sides: [Leak.Side] = [.sender, .receiver]
  static let leaks = sides.flatMap { side in
    [100, 20].flatMap { share in
      [0, 10].flatMap { loss in
        [Set<String>(), ["red-a tap", "blue-a tap", "red-b tap", "blue-b tap"]].map {
          Leak(side: side, share: share, loss: loss, uncaptured: $0)
        }
      }
    }
  }

  @Test(arguments: leaks)
  func aLeakBetweenThemIsFound(leak: Leak) throws {
    let report = try Self.overlay(leak).verify()
    let rule = leak.side == .sender ? "wrong-vni" : "wrong-local-vlan"
    let host = leak.side == .sender ? "ash" : "birch"
    #expect(report.verdict == .fail)
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(causes.map(\.rule) == [rule], "\(causes.map(\.message))")
    #expect(causes.first?.host == host)
    #expect(causes.first?.network == "red")
  }

  /// Without the tunnel interfaces only what enters and what is delivered can be counted.
  @Test(arguments: [100, 20], [0, 10])
  func aLeakIsFoundByCountingAtThePorts(share: Int, loss: Int) throws {
    let leak = Leak(side: .receiver, share: share, loss: loss, uncaptured: ["ash/eth1", "birch/eth1"])
    let report = try Self.overlay(leak).verify()
    #expect(report.verdict == .fail)
    #expect(report.findings.contains { $0.rule == "cross-network-delivery" || $0.rule == "wrong-local-vlan" })
  }

  static let taps: Set<String> = ["red-a tap", "blue-a tap", "red-b tap", "blue-b tap"]
  static let tunnels: Set<String> = ["ash/eth1", "birch/eth1"]

  @Test(
    arguments: [0, 10, 30],
    [
      Set<String>(), taps, tunnels, ["ash/eth1"], ["birch/eth1"], tunnels.union(taps), ["red-a tap", "red-a qvo"],
      ["blue-b tap", "blue-b qvo"], ["red-b tap", "red-b qvo"],
    ])
  func captureLossAloneIsNoLeak(loss: Int, uncaptured: Set<String>) throws {
    for seed: UInt64 in 1...3 {
      for hasFlows in [true, false] {
        let quiet = Leak(side: .none, share: 0, loss: loss, uncaptured: uncaptured, hasFlows: hasFlows)
        let report = try Self.overlay(quiet, seed: seed).verify()
        #expect(report.verdict != .fail)
        #expect(faults(report).map(\.message) == [])
      }
    }
  }
}

/// Dice that closures share.
final class DiceBox {
  private var dice: Dice
  init(_ seed: UInt64) { dice = Dice(seed) }
  func chance(_ percent: Int) -> Bool { dice.chance(percent) }
}

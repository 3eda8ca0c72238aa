import Testing
import Verification
import Wire

@testable import Jobs

/// Flows of which nothing arrives while others pass: one of several paths drops what it gets.
@Suite("Losses of whole flows") struct FlowLossTests {
  static let lostPort: UInt16 = 41_003

  static func isOf(_ port: UInt16, _ frame: [UInt8]) -> Bool {
    frame.count > 36 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17 && frame[34] == UInt8(port >> 8)
      && frame[35] == UInt8(port & 255)
  }

  /// Ten flows from guest 0 to guest 2 beside the talk of all.
  static func flows(_ overlay: inout MadeOverlay, rounds: Int = 8, apart: Int64 = 30_000_000) {
    MadeFaultsTests.talk(&overlay, rounds: 8)
    for round in 0..<rounds {
      for flow in 0..<10 {
        let number = 5000 + round * 10 + flow
        let time = 200_000_000 + Int64(round * 10 + flow) * apart
        overlay.send(overlay.datagram(0, to: 2, number, port: 41_000 + UInt16(flow)), from: 0, at: time)
      }
    }
  }

  @Test(arguments: [true, false])
  func aFlowThatIsLostOnTheUnderlayIsFound(areGuestsCaptured: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    if !areGuestsCaptured { overlay.uncaptured = ["cedar/\(overlay.guests[2].tap)", "cedar/\(overlay.guests[2].qvo)"] }
    overlay.drops = { if case .in = $0.place { $0.host == 2 && Self.isOf(Self.lostPort, $0.frame) } else { false } }
    Self.flows(&overlay)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.host == "ash")
    #expect(causes.first?.count == 8)
    #expect(causes.first?.message.contains("of a flow of red from ash to cedar are lost on the underlay") == true)
    #expect(causes.first?.certainty == (areGuestsCaptured ? .proven : .likely))
    #expect(report.verdict == .fail)
  }

  /// Floods pass, and what the other guest sends: all that one sends to another is a class.
  @Test(arguments: [true, false]) func allThatAGuestAnswersIsLost(areEchoes: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    let route = Array(overlay.answer(2, to: 0).prefix(12))
    overlay.drops = { sighting in
      guard case .in = sighting.place, sighting.host == 0 else { return false }
      return Array(sighting.frame.prefix(12)) == route
    }
    MadeFaultsTests.talk(&overlay, rounds: areEchoes ? 1 : 8)
    for number in 0..<20 where areEchoes {
      let time = 300_000_000 + Int64(number) * 50_000_000
      overlay.send(Self.echo(overlay, from: 0, to: 2, number, type: 8), from: 0, at: time)
      overlay.send(Self.echo(overlay, from: 2, to: 0, number, type: 0), from: 2, at: time + 2_000_000)
      overlay.send(overlay.question(2, about: 0x0a00_00f0), from: 2, at: time + 20_000_000)
    }
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.severity == .error)
    #expect(causes.first?.message.contains("from cedar to ash are lost on the underlay") == true)
    #expect(report.verdict == .fail)
  }

  private static func echo(_ overlay: MadeOverlay, from guest: Int, to other: Int, _ number: Int, type: UInt8) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: overlay.guests[other].mac, from: overlay.guests[guest].mac)
    var fields = FrameBuilder.IPFields()
    fields.identification = UInt16(number + 1)
    frame.ipv4(from: overlay.guests[guest].address, to: overlay.guests[other].address, fields: fields) {
      $0.icmp(type: type, rest: UInt32(number)) { $0.append(repeatElement(UInt8(3), count: 40)) }
    }
    return frame.bytes
  }

  @Test func aFlowThatIsLostInsideItsHostIsFound() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.drops = { if case .out = $0.place { $0.host == 0 && Self.isOf(Self.lostPort, $0.frame) } else { false } }
    Self.flows(&overlay)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.port == "red-0")
    #expect(causes.first?.message.contains("must leave ash are lost inside ash") == true)
  }

  /// Security groups drop flows in the Linux bridge, behind the tap.
  @Test func whatATapAloneShowsMayBePolicy() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = ["ash/\(overlay.guests[0].qvo)"]
    overlay.drops = { if case .qvo(0) = $0.place { Self.isOf(Self.lostPort, $0.frame) } else { false } }
    Self.flows(&overlay)
    #expect(MadeFaultsTests.causes(try overlay.verify()).map(\.message) == [])
  }

  /// A capture that loses frames in bursts loses all of a flow at times; and one frame that passes is enough.
  @Test(arguments: ["burst", "part", "few"]) func whatMayBeChanceIsNoLoss(how: String) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.loses = { sighting in
      guard case .in = sighting.place, sighting.host == 2 else { return false }
      return switch how {
      case "burst": Self.isOf(41_900, sighting.frame)
      case "part": Self.isOf(Self.lostPort, sighting.frame) && sighting.serial % 20 != 3
      default: Self.isOf(41_901, sighting.frame)
      }
    }
    Self.flows(&overlay)
    for number in 0..<6 {
      let time = 1_000_000_000 + Int64(number) * 10_000
      if how == "burst" { overlay.send(overlay.datagram(0, to: 2, 9000 + number, port: 41_900), from: 0, at: time) }
    }
    for number in 0..<2 where how == "few" {
      overlay.send(overlay.datagram(0, to: 2, 9000 + number, port: 41_901), from: 0, at: 1_000_000_000 + Int64(number) * 100_000_000)
    }
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.filter { $0.message.contains("flow") }.map(\.message) == [])
  }
}

import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Frames lost, doubled or held back on one stretch of the path, and captures that only look like it.
@Suite("Delivery") struct DeliveryTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    /// Of a hundred frames.
    var share = 20
    var change: @Sendable (inout MadeOverlay, @escaping (MadeOverlay.Sighting) -> Bool) -> Void
    var rule = ""
    var host = ""
    var says = ""
    var severity = Severity.warning
    var testDescription: String { "\(name), \(share) %" }
  }

  /// Data frames of which a part is hit, with address resolution left alone.
  static func run(_ fault: Case, seed: UInt64 = 1) throws -> Report {
    var overlay = MadeFaultsTests.overlay()
    let isHit: (MadeOverlay.Sighting) -> Bool = { sighting in
      var hash = (UInt64(sighting.serial) &+ seed &* 7919) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 29
      return (hash &* 0xbf58_476d_1ce4_e5b9) >> 40 % 100 < UInt64(fault.share) && sighting.frame[12] == 8
        && sighting.frame[13] == 0
    }
    fault.change(&overlay, isHit)
    MadeFaultsTests.talk(&overlay, rounds: 40)
    return try overlay.verify()
  }

  static let losses = [
    Case(
      name: "the underlay loses frames",
      change: { overlay, isHit in
        overlay.drops = { if case .in(0) = $0.place { return $0.host == 2 && isHit($0) } else { return false } }
      }, rule: "frame-lost", host: "ash", says: "from ash to cedar are lost on the underlay"),
    Case(
      name: "a host loses what it sends",
      change: { overlay, isHit in
        overlay.drops = { if case .out = $0.place { return $0.host == 0 && isHit($0) } else { return false } }
      }, rule: "frame-lost", host: "ash", says: "are lost inside ash"),
    Case(
      name: "a host loses what it receives",
      change: { overlay, isHit in
        overlay.drops = { if case .qvo(2) = $0.place { return $0.sender != 2 && isHit($0) } else { return false } }
      }, rule: "frame-lost", host: "cedar", says: "reached cedar for red-2 are lost inside cedar"),
    Case(
      name: "the underlay loses frames and captures do", share: 20,
      change: { overlay, isHit in
        let dice = DiceBox(5)
        overlay.loses = { _ in dice.chance(5) }
        overlay.drops = { if case .in(0) = $0.place { return $0.host == 2 && isHit($0) } else { return false } }
      }, rule: "frame-lost", host: "ash", says: "from ash to cedar are lost on the underlay"),
    Case(
      name: "security groups hold frames back",
      change: { overlay, isHit in
        overlay.drops = { if case .tap(2) = $0.place { return $0.sender != 2 && isHit($0) } else { return false } }
      }, rule: "dropped-by-policy", host: "cedar", says: "for red-2 on cedar end between its tap and br-int", severity: .info),
    Case(
      name: "a host sends twice", share: 40,
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .out = sighting.place, sighting.host == 0, isHit(sighting) { return [sighting.frame, sighting.frame] }
          return [sighting.frame]
        }
      }, rule: "frame-duplicated", host: "ash", says: "more than once"),
    Case(
      name: "the underlay doubles frames", share: 40,
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .in(0) = sighting.place, isHit(sighting) { return [sighting.frame, sighting.frame] }
          return [sighting.frame]
        }
      }, rule: "frame-duplicated", host: "birch", says: "arrive there more than once"),
    Case(
      name: "a host hands on twice", share: 40,
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .qvo(2) = sighting.place, sighting.sender != 2, isHit(sighting) { return [sighting.frame, sighting.frame] }
          return [sighting.frame]
        }
      }, rule: "frame-duplicated", host: "cedar", says: "to red-2 more than once"),
    Case(
      name: "the underlay changes frames",
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .in(0) = sighting.place, sighting.host == 2, isHit(sighting) { return [spoilt(sighting.frame)] }
          return [sighting.frame]
        }
      }, rule: "frame-modified", host: "cedar", says: "other content than ash sent", severity: .error),
    Case(
      name: "a host changes what it sends",
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .out = sighting.place, sighting.host == 0, isHit(sighting) { return [spoilt(sighting.frame)] }
          return [sighting.frame]
        }
      }, rule: "frame-modified", host: "ash", says: "other content than its guests sent", severity: .error),
    Case(
      name: "a host changes all that it hands on", share: 100,
      change: { overlay, isHit in
        overlay.alters = { sighting in
          if case .qvo(2) = sighting.place, sighting.sender != 2, isHit(sighting) { return [spoilt(sighting.frame)] }
          return [sighting.frame]
        }
      }, rule: "frame-modified", host: "cedar", says: "other content than it received", severity: .error),
  ]

  static func spoilt(_ frame: [UInt8]) -> [UInt8] {
    var frame = frame
    if frame.count > 60 { frame[60] ^= 0x20 }
    return frame
  }

  @Test(arguments: losses)
  func isToldWithItsStretch(fault: Case) throws {
    let report = try Self.run(fault)
    let found = report.findings.filter { $0.rule == fault.rule }
    #expect(found.contains { $0.host == fault.host && $0.message.contains(fault.says) }, "\(report.findings.map(\.message))")
    #expect(found.allSatisfy { $0.severity == fault.severity })
    let causes = report.findings.filter { $0.severity > .info && $0.role == .cause }
    #expect(causes.allSatisfy { $0.rule == fault.rule }, "\(causes.map(\.message))")
    #expect(report.verdict == (fault.severity == .error ? .fail : .pass))
  }

  static let close = [
    Case(name: "the tunnel capture of the receiver loses frames") { overlay, isHit in
      overlay.loses = { if case .in = $0.place { return $0.host == 2 && isHit($0) } else { return false } }
    },
    Case(name: "the tunnel capture of the sender loses frames") { overlay, isHit in
      overlay.loses = { if case .out = $0.place { return $0.host == 0 && isHit($0) } else { return false } }
    },
    Case(name: "the capture of a port loses frames") { overlay, isHit in
      overlay.loses = { if case .qvo(2) = $0.place { return isHit($0) } else { return false } }
    },
    Case(name: "the capture of a tap loses frames") { overlay, isHit in
      overlay.loses = { if case .tap(2) = $0.place { return isHit($0) } else { return false } }
    },
    Case(name: "all captures lose frames", share: 0) { overlay, _ in
      let dice = DiceBox(3)
      overlay.loses = { _ in dice.chance(10) }
    },
    Case(name: "all captures lose many frames", share: 0) { overlay, _ in
      let dice = DiceBox(4)
      overlay.loses = { _ in dice.chance(30) }
    },
    Case(name: "all captures lose frames that share an identification", share: 0) { overlay, _ in
      overlay.identification = 7
      let dice = DiceBox(6)
      overlay.loses = { _ in dice.chance(15) }
    },
    Case(name: "all captures write frames twice now and then", share: 0) { overlay, _ in
      let dice = DiceBox(5)
      overlay.doubles = { _ in dice.chance(5) }
    },
    Case(name: "one capture writes all frames twice", share: 100) { overlay, isHit in
      overlay.doubles = { if case .in = $0.place { return $0.host == 2 } else { return false } }
    },
    Case(name: "a guest sends everything twice", share: 100) { overlay, _ in
      overlay.alters = { sighting in
        if case .tap(0) = sighting.place, sighting.sender == 0 { return [sighting.frame, sighting.frame] }
        return [sighting.frame]
      }
    },
  ]

  @Test(arguments: close, [1, 2, 3] as [UInt64])
  func capturesAloneProveNothing(quiet: Case, seed: UInt64) throws {
    let report = try Self.run(quiet, seed: seed)
    #expect(report.verdict == .pass)
    let capture: Set = ["capture-gap", "point-not-covered"]
    #expect(report.findings.filter { !capture.contains($0.rule) }.map(\.message) == [])
  }

  @Test func theLossOfACaptureIsStatedWithItsRate() throws {
    let report = try Self.run(
      Case(name: "", share: 20) { overlay, isHit in
        overlay.loses = { if case .qvo(2) = $0.place { return isHit($0) } else { return false } }
      })
    let gaps = report.findings.filter { $0.rule == "capture-gap" }
    #expect(gaps.count == 1)
    #expect(gaps.first?.point?.hasPrefix("cedar/qvo") == true)
    #expect(gaps.first?.message.contains("%") == true)
  }
}

import Clocks
import Testing

@Suite("Offset and drift") struct OffsetTests {
  struct Case: CustomTestStringConvertible {
    var offset: Int64
    var drift: Int64
    var seconds: Double
    var testDescription: String { "\(offset) ns, \(drift) ppb over \(seconds) s" }
  }

  static let cases = [
    Case(offset: 0, drift: 0, seconds: 10),
    Case(offset: 50_000_000, drift: 0, seconds: 5),
    Case(offset: 2_000_000_000, drift: 100_000, seconds: 60),
    Case(offset: 10_000_000_000, drift: -100_000, seconds: 20),
    Case(offset: -10_000_000_000, drift: 40_000, seconds: 3600),
    Case(offset: 3_600_000_000_000, drift: 500_000, seconds: 600),
    Case(offset: -1_600_000_000_000_000_000, drift: 0, seconds: 30),
  ]

  @Test(arguments: cases, [20, 400])
  func areFoundAndTheBoundCoversTheTruth(_ clock: Case, frames: Int) throws {
    for seed in UInt64(1)...8 {
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: clock.offset, drift: clock.drift)], seed: seed)
      traffic.exchange(frames, 0, 1, between: 0..<clock.seconds)
      let clocks = estimateClocks(hosts: 2, samples: traffic.samples)
      #expect(clocks[0].reference == 0 && clocks[0].offset == 0)
      let estimate = clocks[1]
      #expect(estimate.reference == 0)
      #expect(estimate.grade == .accurate)
      #expect(estimate.steps.isEmpty)
      for part in [0.05, 0.3, 0.5, 0.8, 0.95] {
        let time = clock.seconds * part
        #expect(abs(traffic.error(of: estimate, at: time)) <= traffic.bound(of: estimate, at: time))
      }
      #expect(abs(estimate.drift - clock.drift) <= estimate.driftUncertainty + 1000)
      // With many frames the quickest of them pin the offset down; the bound is not just wide.
      // A drift that no clock has by itself may as well be one that was set a little between two frames.
      if frames == 400 { #expect(estimate.uncertainty < (abs(clock.drift) > 120_000 ? 6_000_000 : 1_000_000)) }
    }
  }

  @Test func clocksThatMayAgreeAreLeftAlone() {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 5_000)])
    traffic.exchange(200, 0, 1, between: 0..<10)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.toReference(12_345) == 12_345)
    #expect(clock.uncertainty >= 5_000)
  }

  @Test(arguments: [(0, 1), (1, 0)])
  func oneDirectionIsSaidAndCovers(sender: Int, receiver: Int) {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 2_000_000_000)])
    traffic.send(200, from: sender, to: receiver, between: 0..<10)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.grade == .oneDirection)
    #expect(abs(traffic.error(of: clock, at: 5)) <= clock.uncertainty)
    #expect(abs(traffic.error(of: clock, at: 5)) < 1_000_000)
  }

  @Test func trafficThatTurnsRoundIsNoStep() {
    // Slow both ways: first only one way, then only the other.
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 500_000_000)])
    traffic.send(100, from: 0, to: 1, between: 0..<5, delay: 30_000_000)
    traffic.send(100, from: 1, to: 0, between: 5..<10, delay: 30_000_000)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.steps.isEmpty)
    #expect(clock.grade == .accurate)
    #expect(abs(traffic.error(of: clock, at: 5)) <= clock.uncertainty)
  }

  @Test func singleFramesStillBound() {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: -7_000_000_000)])
    traffic.exchange(1, 0, 1, between: 0..<5)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.grade == .accurate)
    #expect(abs(traffic.error(of: clock, at: 2.5)) <= clock.uncertainty)
    #expect(clock.uncertainty < 100_000_000)
  }

  @Test func anUnsteadyClockWidensTheBound() {
    // Slewed by 300 ppm one way and then the other.
    let slewed: SimulatedTraffic.Clock = { time in
      let elapsed = time - SimulatedTraffic.start
      let half: Int64 = 300_000_000_000
      return time + min(elapsed, half) * 3 / 10_000 - max(0, elapsed - half) * 3 / 10_000
    }
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), slewed])
    traffic.exchange(2000, 0, 1, between: 0..<600)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.grade <= .approximate)
    #expect(clock.steps.isEmpty)
    for time in stride(from: 10.0, to: 600, by: 10) {
      #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time))
      #expect(traffic.bound(of: clock, at: time) < 30_000_000)
    }
  }
}

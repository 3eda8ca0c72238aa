import Clocks
import Testing

@Suite("Clocks that are set") struct StepTests {
  @Test(arguments: [10_000_000_000, -10_000_000_000, 2_000_000_000, -2_000_000_000, 50_000_000, -50_000_000] as [Int64],
    [0, 1])
  func theStepIsFoundOnWhicheverHost(size: Int64, host: Int) throws {
    for seed in UInt64(1)...4 {
      var hosts = [SimulatedTraffic.clock(), SimulatedTraffic.clock(), SimulatedTraffic.clock()]
      hosts[host] = SimulatedTraffic.clock(offset: 300_000_000, drift: 20_000, steps: [(at: 30, by: size)])
      var traffic = SimulatedTraffic(hosts, seed: seed)
      for (a, b) in [(0, 1), (0, 2), (1, 2)] { traffic.exchange(300, a, b, between: 0..<60) }
      let clocks = estimateClocks(hosts: 3, samples: traffic.samples)
      let stepped = clocks[host].steps + clocks.filter { $0.host != host }.flatMap(\.steps)
      let relative = clocks.filter { $0.reference == host && $0.host != host }
      // The host that was set is never the reference when it was set back.
      if size < -1_000_000_000 { #expect(relative.isEmpty) }
      #expect(!stepped.isEmpty)
      if relative.isEmpty {
        #expect(clocks[host].steps.count == 1)
        let step = try #require(clocks[host].steps.first)
        #expect(abs(step.size - size) < 1_000_000)
        let truth = SimulatedTraffic.start + 30_300_600_000
        #expect(step.before <= truth && step.after >= min(truth, truth + size))
      }
      // Away from the step every time is right; a clock that was set back shows the time around it twice.
      for time in [2.0, 10, 15, 45, 55, 58] {
        for clock in clocks where size > 0 || abs(time - 30) > 11 {
          #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time) + 1_000)
        }
      }
    }
  }

  @Test func aHostSetTwiceHasThreeStretches() {
    var traffic = SimulatedTraffic([
      SimulatedTraffic.clock(),
      SimulatedTraffic.clock(steps: [(at: 20, by: 5_000_000_000), (at: 40, by: 3_000_000_000)]),
    ])
    traffic.exchange(400, 0, 1, between: 0..<60)
    let clocks = estimateClocks(hosts: 2, samples: traffic.samples)
    #expect(clocks[1].steps.map { ($0.size + 500_000) / 1_000_000 } == [5000, 3000])
    for time in [5.0, 19, 21, 30, 39, 41, 55] {
      #expect(abs(traffic.error(of: clocks[1], at: time)) <= traffic.bound(of: clocks[1], at: time))
    }
  }

  /// How long nothing was captured while it was set back only frames of others tell.
  @Test(arguments: [true, false]) func aSettingBackThatOnlyTheCapturesShowWasByThatMuchAtLeast(areFramesSeenAfter: Bool) {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock()])
    traffic.exchange(300, 0, 1, between: 0..<30)
    if areFramesSeenAfter { traffic.exchange(300, 0, 1, between: 31..<60) }
    let (cut, back) = (SimulatedTraffic.start + 30_500_000_000, Int64(5_000_000_000))
    var clock = estimateClocks(
      hosts: 2, pairs: estimatePairs(hosts: 2, samples: traffic.samples), folds: [[], [cut...(cut + 1)]])[1]
    clock.fold({ $0 > cut ? back : 0 }, end: { _, _ in cut })
    #expect(clock.steps.map { ($0.size - 500_000) / 1_000_000 } == [-5000])
    #expect(clock.steps.map(\.isLeast) == [!areFramesSeenAfter])
  }

  /// What the clock in between showed twice is told apart by the jump that both pairs show.
  @Test(arguments: [-3_000_000_000, -25_000_000_000, 3_000_000_000] as [Int64], [1, 2])
  func aHostBehindOneThatWasSetHasAnEvenClock(size: Int64, hosts: Int) {
    for seed in UInt64(1)...8 {
      var traffic = SimulatedTraffic(
        [
          SimulatedTraffic.clock(), SimulatedTraffic.clock(steps: [(at: 30, by: size)]),
          SimulatedTraffic.clock(offset: 70_000_000, drift: 10_000),
          SimulatedTraffic.clock(offset: -70_000_000),
        ], seed: seed)
      traffic.exchange(300, 0, 1, between: 0..<60)
      for host in 2..<(2 + hosts) { traffic.exchange(300, 1, host, between: 0..<60) }
      for clock in estimateClocks(hosts: 4, samples: traffic.samples)[2..<(2 + hosts)] {
        #expect(clock.reference != 1)
        #expect(clock.grade == .accurate)
        #expect(clock.steps.isEmpty)
        for time in [2.0, 15, 28, 32, 45, 58] {
          #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time) + 1_000)
        }
      }
    }
  }

  @Test(arguments: [1_000_000_000, -1_000_000_000, 10_000_000_000, -20_000_000_000, 50_000_000] as [Int64], [6, 12])
  func aStepIsFoundThoughFewFramesCameAfterIt(size: Int64, frames: Int) {
    for seed in UInt64(1)...8 {
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(), SimulatedTraffic.clock(steps: [(at: 30, by: size)])], seed: seed)
      traffic.exchange(150, 0, 1, between: 0..<30)
      traffic.exchange(frames, 0, 1, between: 30..<60)
      let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
      #expect(clock.steps.count == 1)
      #expect(clock.steps.allSatisfy { abs($0.size - size) < 20_000_000 })
    }
  }

  @Test func aLastingQueueIsNoStep() {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock()])
    traffic.exchange(100, 0, 1, between: 0..<10)
    traffic.send(100, from: 0, to: 1, between: 10..<20, delay: 80_000_000)
    traffic.send(100, from: 1, to: 0, between: 10..<20)
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.steps.isEmpty)
    #expect(abs(traffic.error(of: clock, at: 15)) <= clock.uncertainty)
  }

  /// Frames that the one host sends show nothing of the other's clock that was set forward: they may as well be late.
  @Test(arguments: [50_000_000, 2_000_000_000] as [Int64])
  func aStepThatFewLateFramesMayShowIsLeftOpen(size: Int64) {
    for seed in UInt64(1)...8 {
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(), SimulatedTraffic.clock(steps: [(at: 30, by: size)])], seed: seed)
      traffic.exchange(100, 0, 1, between: 0..<30)
      traffic.send(2, from: 0, to: 1, between: 31..<32)
      let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
      #expect(clock.doubts.contains { $0.upperBound == .max && $0.lowerBound < SimulatedTraffic.start + 31_000_000_000 })
      for time in [2.0, 15, 28] { #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time)) }
    }
  }

  @Test(arguments: [1_000_000_000, -1_000_000_000, 3_600_000_000_000] as [Int64])
  func aStepThatNoPairShowsIsFoundByWhatTwoWaysRoundTell(size: Int64) {
    for seed in UInt64(1)...4 {
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(steps: [(at: 30, by: size)]), SimulatedTraffic.clock(), SimulatedTraffic.clock()], seed: seed)
      traffic.exchange(60, 0, 1, between: 0..<25)
      traffic.exchange(60, 0, 2, between: 35..<60)
      traffic.exchange(60, 1, 2, between: 0..<60)
      let clocks = estimateClocks(hosts: 3, samples: traffic.samples)
      #expect(clocks[0].steps.count == 1)
      #expect(clocks[0].steps.allSatisfy { abs($0.size - size) < 1_000_000 })
      for time in [5.0, 15, 45, 55] {
        for clock in clocks { #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time)) }
      }
    }
  }

  /// One was set forward, or the other back; the captures of the other would show that.
  @Test(arguments: [0, 1], [2_000_000_000, 3_600_000_000_000] as [Int64])
  func ofTwoHostsTheOneWasSetWhoseCapturesNeedNotShowIt(host: Int, size: Int64) {
    for seed in UInt64(1)...4 {
      var clocks = Array(repeating: SimulatedTraffic.clock(), count: 3)
      clocks[host] = SimulatedTraffic.clock(steps: [(at: 20, by: size)])
      var traffic = SimulatedTraffic(clocks, seed: seed)
      traffic.exchange(100, 0, 1, between: 0..<40)
      // The third host was heard by one of them only, and only before.
      traffic.exchange(60, 1 - host, 2, between: 0..<15)
      let found = estimateClocks(
        hosts: 3, pairs: estimatePairs(hosts: 3, samples: traffic.samples), leastShown: Array(repeating: 200_000_000, count: 3))
      #expect(found.map { $0.steps.count } == (0..<3).map { $0 == host ? 1 : 0 })
      for clock in found { #expect(abs(traffic.error(of: clock, at: 8)) <= traffic.bound(of: clock, at: 8)) }
    }
  }

  /// Before the clock was set all frames were slow: none shows that it was. What is stated is of a time that frames tell.
  @Test(arguments: [5_000_000, 2_000_000] as [Int64], [true, false])
  func whatIsStatedHoldsThoughASettingIsHidden(size: Int64, isAtStart: Bool) throws {
    for seed in UInt64(1)...8 {
      let at = isAtStart ? 40.0 : 20.0
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(), SimulatedTraffic.clock(steps: [(at: at, by: isAtStart ? size : -size)])], seed: seed)
      traffic.send(30, from: 0, to: 1, between: isAtStart ? 0..<40 : 20..<60, delay: 8_000_000)
      traffic.exchange(60, 0, 1, between: isAtStart ? 40..<60 : 0..<20)
      let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
      let time = try #require(clock.offsetTime)
      let isPast = time >= SimulatedTraffic.start + Int64(at * 1e9)
      let truth = isPast ? (isAtStart ? size : -size) : 0
      #expect(abs(clock.offset - truth) <= clock.offsetUncertainty + 1_000)
    }
  }

  @Test func twoHostsThatAreSetHaveTheirOwnSteps() {
    for seed in UInt64(1)...4 {
      var traffic = SimulatedTraffic(
        [
          SimulatedTraffic.clock(), SimulatedTraffic.clock(steps: [(at: 20, by: 86_400_000_000_000)]),
          SimulatedTraffic.clock(offset: 5_000_000, steps: [(at: 40, by: 700_000_000)]),
        ], seed: seed)
      for (a, b) in [(0, 1), (0, 2), (1, 2)] { traffic.exchange(100, a, b, between: 0..<60) }
      let clocks = estimateClocks(hosts: 3, samples: traffic.samples)
      #expect(clocks.map { $0.steps.count } == [0, 1, 1])
      for time in [5.0, 15, 25, 35, 45, 55] {
        for clock in clocks { #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time)) }
      }
    }
  }
}

import Clocks
import Observations
import Testing

@Suite("Samples that are wrong") struct HostileSampleTests {
  @Test(arguments: [1, 5, 40])
  func aMinorityOfFalseMatchesChangesNothing(count: Int) {
    for seed in UInt64(1)...8 {
      var traffic = SimulatedTraffic(
        [SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 1_000_000_000, drift: 30_000)], seed: seed)
      traffic.exchange(250, 0, 1, between: 0..<60)
      for _ in 0..<count {
        // Frames that seem to arrive long before they were sent, or long after.
        let time = SimulatedTraffic.start + traffic.random(0..<60_000_000_000)
        let wrong = traffic.random(-5_000_000_000..<5_000_000_000)
        let sender = Int(traffic.random(0..<2))
        traffic.add(ClockSample(sender: sender, receiver: 1 - sender, sent: time, received: time + wrong))
      }
      let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
      #expect(clock.grade <= .approximate)
      #expect(clock.steps.isEmpty)
      for time in [1.0, 30, 59] {
        #expect(abs(traffic.error(of: clock, at: time)) <= traffic.bound(of: clock, at: time))
      }
      #expect(clock.uncertainty < 1_000_000)
    }
  }

  @Test func aRunOfFalseMatchesIsNoStep() {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 1_000_000_000)])
    traffic.exchange(250, 0, 1, between: 0..<60)
    for index in Int64(0)..<10 {
      let time = SimulatedTraffic.start + 30_000_000_000 + index * 1_000_000
      traffic.add(ClockSample(sender: 0, receiver: 1, sent: time, received: time + 4_000_000_000))
      traffic.add(ClockSample(sender: 1, receiver: 0, sent: time + 4_000_000_000, received: time))
    }
    let clock = estimateClocks(hosts: 2, samples: traffic.samples)[1]
    #expect(clock.steps.isEmpty)
    #expect(abs(traffic.error(of: clock, at: 50)) <= traffic.bound(of: clock, at: 50))
  }

  @Test func timesAtTheEndsOfTheRangeDoNoHarm() {
    let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max, SimulatedTraffic.start]
    var samples: [ClockSample] = []
    for sent in extremes {
      for received in extremes {
        samples.append(ClockSample(sender: 0, receiver: 1, sent: sent, received: received))
        samples.append(ClockSample(sender: 1, receiver: 0, sent: sent, received: received))
        for clocks in [estimateClocks(hosts: 2, samples: samples), estimateClocks(hosts: 2, samples: [samples[samples.count - 1]])] {
          for clock in clocks {
            for time in extremes {
              _ = clock.toReference(time)
              #expect(clock.uncertainty(at: time) >= 0)
            }
            #expect(clock.uncertainty >= 0)
          }
        }
      }
    }
  }

  @Test func randomTimesDoNoHarm() {
    var traffic = SimulatedTraffic([])
    for round in 0..<200 {
      let hosts = 2 + round % 4
      let samples = (0..<60).map { _ in
        let shift = traffic.random(0..<63)
        return ClockSample(
          sender: Int(traffic.random(-1..<Int64(hosts + 1))), receiver: Int(traffic.random(-1..<Int64(hosts + 1))),
          sent: traffic.random(.min / 2 ..< .max / 2) >> shift, received: traffic.random(.min / 2 ..< .max / 2) >> shift)
      }
      let clocks = estimateClocks(hosts: hosts, samples: samples)
      #expect(clocks.count == hosts)
      #expect(clocks.allSatisfy { $0.uncertainty >= 0 && $0.bounds.count == $0.correction.pieces.count })
    }
  }

  @Test func equalTimesAreOneSample() {
    let sample = ClockSample(sender: 0, receiver: 1, sent: 1_000, received: 5_000)
    let back = ClockSample(sender: 1, receiver: 0, sent: 5_000, received: 1_000)
    let clock = estimateClocks(hosts: 2, samples: Array(repeating: sample, count: 500) + Array(repeating: back, count: 500))[1]
    #expect(clock.offset == 0 || abs(clock.offset - 4_000) <= clock.uncertainty)
    #expect(clock.grade == .accurate)
  }

  @Test func moreSamplesThanAreKeptAreThinnedOut() {
    var traffic = SimulatedTraffic([SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 1_000_000_000)])
    traffic.exchange(18_000, 0, 1, between: 0..<60)
    let pair = estimatePairs(hosts: 2, samples: traffic.samples)[0]
    #expect(pair.used <= 32_768)
    #expect(pair.grade == .accurate)
  }
}

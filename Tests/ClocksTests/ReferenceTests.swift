import Clocks
import Testing

@Suite("Reference host") struct ReferenceTests {
  @Test func isTheBestConnectedAndTheOthersAreReachedOverIt() {
    // A star around host 2, and a poor link between 0 and 1.
    let offsets: [Int64] = [400_000_000, -9_000_000_000, 0, 70_000_000]
    var traffic = SimulatedTraffic(offsets.map { SimulatedTraffic.clock(offset: $0, drift: $0 / 100_000) })
    for host in [0, 1, 3] { traffic.exchange(200, host, 2, between: 0..<20) }
    traffic.send(50, from: 0, to: 1, between: 0..<20)
    let clocks = estimateClocks(hosts: 4, samples: traffic.samples)
    for clock in clocks {
      #expect(clock.reference == 2)
      #expect(clock.grade == .accurate)
      #expect(abs(traffic.error(of: clock, at: 10)) <= clock.uncertainty)
    }
  }

  @Test func boundsAddUpAlongAChain() {
    var traffic = SimulatedTraffic((0..<5).map { SimulatedTraffic.clock(offset: $0 * 1_000_000_000, drift: $0 * 20_000) })
    for host in 0..<4 { traffic.exchange(200, host, host + 1, between: 0..<20) }
    let clocks = estimateClocks(hosts: 5, samples: traffic.samples)
    #expect(clocks.allSatisfy { $0.reference == 1 && $0.grade == .accurate })
    #expect(clocks[4].uncertainty > clocks[3].uncertainty && clocks[3].uncertainty > clocks[2].uncertainty)
    for clock in clocks { #expect(abs(traffic.error(of: clock, at: 10)) <= traffic.bound(of: clock, at: 10)) }
  }

  @Test func hostsOutOfReachAreKnownAmongThemselves() {
    var traffic = SimulatedTraffic((0..<6).map { SimulatedTraffic.clock(offset: $0 * 1_000_000_000) })
    traffic.exchange(100, 0, 1, between: 0..<20)
    traffic.exchange(100, 1, 2, between: 0..<20)
    traffic.exchange(100, 3, 4, between: 0..<20)
    let clocks = estimateClocks(hosts: 6, samples: traffic.samples)
    #expect(clocks.map(\.reference) == [1, 1, 1, 3, 3, 5])
    #expect(clocks.map(\.grade) == [.accurate, .accurate, .accurate, .accurate, .accurate, .none])
    #expect(clocks[5].uncertainty == .max)
  }

  @Test func theOrderOfTheSamplesMakesNoDifference() {
    var traffic = SimulatedTraffic([
      SimulatedTraffic.clock(), SimulatedTraffic.clock(offset: 77_000_000, drift: 9_000),
      SimulatedTraffic.clock(steps: [(at: 10, by: 1_500_000_000)]),
    ])
    for (a, b) in [(0, 1), (0, 2), (1, 2)] { traffic.exchange(100, a, b, between: 0..<20) }
    let clocks = estimateClocks(hosts: 3, samples: traffic.samples)
    #expect(clocks == estimateClocks(hosts: 3, samples: traffic.samples.reversed()))
    #expect(clocks == estimateClocks(hosts: 3, samples: traffic.samples.sorted { $0.received % 1013 < $1.received % 1013 }))
  }
}

import Clocks

/// Hosts with clocks that are known, and traffic between them.
struct SimulatedTraffic {
  /// What a clock shows at a true time, in nanoseconds.
  typealias Clock = (Int64) -> Int64

  static let start: Int64 = 1_700_000_000_000_000_000

  var clocks: [Clock]
  private var state: UInt64
  private(set) var samples: [ClockSample] = []

  init(_ clocks: [Clock], seed: UInt64 = 1) {
    self.clocks = clocks
    state = seed
  }

  /// A clock with an offset in nanoseconds and a drift in parts per billion.
  static func clock(offset: Int64 = 0, drift: Int64 = 0, steps: [(at: Double, by: Int64)] = []) -> Clock {
    { time in
      let elapsed = time - start
      var shown = time + offset + elapsed / 1000 * drift / 1_000_000
      for step in steps where Double(elapsed) >= step.at * 1e9 { shown += step.by }
      // Captures cut times down to microseconds.
      return shown / 1000 * 1000
    }
  }

  mutating func random(_ range: Range<Int64>) -> Int64 {
    // SplitMix64.
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    z ^= z >> 31
    return range.lowerBound + Int64(z % UInt64(range.upperBound - range.lowerBound))
  }

  /// Sends frames from a host to another at random true times; one in eight is held up in a queue.
  mutating func send(
    _ count: Int, from sender: Int, to receiver: Int, between: Range<Double>, delay: Int64 = 30_000
  ) {
    for _ in 0..<count {
      let span = Int64(between.lowerBound * 1e9)..<Int64(between.upperBound * 1e9)
      let sent = SimulatedTraffic.start + random(span)
      var held = delay + random(0..<(delay * 2))
      if random(0..<8) == 0 { held += random(0..<20_000_000) }
      samples.append(
        ClockSample(
          sender: sender, receiver: receiver, sent: clocks[sender](sent), received: clocks[receiver](sent + held)))
    }
  }

  mutating func exchange(_ count: Int, _ a: Int, _ b: Int, between: Range<Double>) {
    send(count, from: a, to: b, between: between)
    send(count, from: b, to: a, between: between)
  }

  mutating func add(_ sample: ClockSample) { samples.append(sample) }

  /// How far an estimate is from the truth at a true time, in seconds from the start.
  func error(of clock: HostClock, at seconds: Double) -> Int64 {
    let time = SimulatedTraffic.start + Int64(seconds * 1e9)
    return clock.toReference(clocks[clock.host](time)) - clocks[clock.reference](time)
  }

  /// The bound that is stated for the same time.
  func bound(of clock: HostClock, at seconds: Double) -> Int64 {
    clock.uncertainty(at: clocks[clock.host](SimulatedTraffic.start + Int64(seconds * 1e9)))
  }
}

import OpenFlow

/// When the flows of a host were there, as its dumps and their ages tell. Times are nanoseconds since the epoch.
///
/// A flow began at the time of its dump minus its duration, and was last changed or refreshed at that time minus
/// its hard age: between that and the dump it was there, as it is written. A flow that only the earlier dump has may
/// have gone at any time until the later; one that only the later has was not there before it began.
public struct InstalledTimeline: Sendable {
  public enum Presence: Sendable { case yes, no, maybe }

  /// What the dumps tell of one flow.
  public struct Span: Hashable, Sendable {
    /// It was there for certain.
    public var certain: [ClosedRange<Int64>] = []
    /// Until this, and then, it was not there; nil where nothing tells.
    public var absentBefore: Int64?
    /// From this on it was not there.
    public var absentFrom: Int64?

    /// One of which nothing is known.
    public init() {}

    public func presence(at time: Int64) -> Presence {
      if certain.contains(where: { $0.contains(time) }) { return .yes }
      if let absentBefore, time <= absentBefore { return .no }
      if let absentFrom, time >= absentFrom { return .no }
      return .maybe
    }

    /// Whether it may have been there at some time of a stretch.
    public func mayOverlap(_ stretch: ClosedRange<Int64>) -> Bool {
      if certain.contains(where: { $0.overlaps(stretch) }) { return true }
      if let absentBefore, stretch.upperBound <= absentBefore { return false }
      if let absentFrom, stretch.lowerBound >= absentFrom { return false }
      return true
    }
  }

  /// A flow without a timeout that was put in after the earlier dump, or of which no earlier dump tells.
  public struct Installation: Hashable, Sendable {
    public var bridge: String
    public var flow: Flow
    public var time: Int64
  }

  /// In order of time.
  public private(set) var installations: [Installation] = []
  /// When the flows of each bridge were dumped first.
  public private(set) var firstDump: [String: Int64] = [:]

  /// What makes two lines of dumps the same flow: cookies, which each start of an agent chooses anew, do not.
  private struct Key: Hashable {
    var bridge: String
    var table: UInt8
    var priority: UInt16
    var match: Match
    var actions: [Action]
  }

  /// What a table has one flow of: with other actions it replaces what was there.
  private struct Place: Hashable {
    var table: UInt8
    var priority: UInt16
    var match: Match

    init(_ flow: Flow) { (table, priority, match) = (flow.table, flow.priority, flow.match) }
  }

  /// Commands take a while, and some note their time to the second only.
  private static func slack(_ taken: Double) -> Int64 { taken == taken.rounded() ? 1_000_000_000 : 200_000_000 }

  private var spans: [Key: Span] = [:]

  private struct Dump {
    var flows: [Flow]
    var time: Int64
    var slack: Int64
  }

  /// - Parameter toReference: from the host's own clock, by which dumps were taken, to the clock of all times here. Ages
  ///   of flows count on steadily, whatever is done to the host's clock.
  /// Told whether the dump is one of those taken first: a clock that is set back shows some times twice.
  public init(before: HostState?, after: HostState?, toReference: (Int64, Bool) -> Int64 = { time, _ in time }) {
    for name in Set([before, after].compactMap { $0 }.flatMap(\.bridges).map(\.name)).sorted() {
      let dumps = [(before, true), (after, false)].compactMap { state, isFirst -> Dump? in
        guard let bridge = state?.bridges.first(where: { $0.name == name }), let flows = bridge.flows?.flows,
          let taken = bridge.flowsTaken, let time = Int64(exactly: (taken * 1e9).rounded())
        else { return nil }
        return Dump(flows: flows, time: toReference(time, isFirst), slack: InstalledTimeline.slack(taken))
      }.sorted { $0.time < $1.time }
      add(name, dumps)
    }
    installations.sort { ($0.time, $0.bridge, $0.flow.table, $0.flow.text) < ($1.time, $1.bridge, $1.flow.table, $1.flow.text) }
  }

  private mutating func add(_ bridge: String, _ dumps: [Dump]) {
    guard let first = dumps.first else { return }
    firstDump[bridge] = first.time
    var earlier: [Place: Key] = [:]
    for (number, dump) in dumps.enumerated() {
      var present: Set<Key> = []
      let known = earlier
      for flow in dump.flows {
        let key = Key(
          bridge: bridge, table: flow.table, priority: flow.priority, match: flow.match, actions: flow.actions)
        present.insert(key)
        earlier[Place(flow)] = key
        let replaced = known[Place(flow)].flatMap { $0 == key ? nil : $0 }
        let isOld = spans[key] != nil
        var span = spans[key] ?? Span()
        guard let age = InstalledTimeline.age(flow) else {
          span.certain.append(dump.time...dump.time)
          spans[key] = span
          continue
        }
        var start = dump.time.subtractingSaturating(age)
        if let replaced, number > 0 {
          if start > dumps[number - 1].time {
            let gone = min(start.subtractingSaturating(-dump.slack), dump.time)
            let known = spans[replaced]?.absentFrom ?? gone
            spans[replaced]?.absentFrom = min(known, gone)
          } else {
            // Changed in place, at a time that its age does not tell.
            start = dump.time
          }
        }
        span.certain.append(start...dump.time)
        // There at both ends, and not begun in between: it never went.
        if let last = span.certain.first, isOld, start <= last.upperBound {
          span.certain = [min(last.lowerBound, start)...dump.time]
        }
        let began = dump.time.subtractingSaturating(Int64(clamping: flow.durationNanoseconds ?? 0))
        if !isOld, number > 0 {
          // The earlier dump, too, shows that it was not there.
          span.absentBefore = max(began.subtractingSaturating(dump.slack), first.time)
        }
        if flow.idleTimeout == 0, flow.hardTimeout == 0, number > 0 ? began > first.time : dumps.count == 1 {
          installations.append(Installation(bridge: bridge, flow: flow, time: began))
        }
        spans[key] = span
      }
      guard number > 0 else { continue }
      for key in spans.keys where key.bridge == bridge && !present.contains(key) {
        let known = spans[key]?.absentFrom ?? dump.time
        spans[key]?.absentFrom = min(known, dump.time)
      }
    }
  }

  /// Nanoseconds since a flow was put in, changed or refreshed; nil where its dump does not tell.
  private static func age(_ flow: Flow) -> Int64? {
    guard let duration = flow.durationNanoseconds else { return nil }
    let hard = flow.hardAge.map { UInt64($0) * 1_000_000_000 }
    return Int64(clamping: min(duration, hard ?? duration))
  }

  /// What is known of a flow of a bridge; of one that no dump has, nothing.
  public func span(of flow: Flow, bridge: String) -> Span {
    spans[
      Key(bridge: bridge, table: flow.table, priority: flow.priority, match: flow.match, actions: flow.actions)]
      ?? Span()
  }
}

extension Int64 {
  fileprivate func subtractingSaturating(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other > 0 ? .min : .max) : difference
  }
}

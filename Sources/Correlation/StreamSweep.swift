import Observations

/// Cuts the sightings of one flow at all places where one of them begins or ends.
struct StreamSweep: Sendable {
  /// Places to cut at.
  private var cuts: [Int64] = []
  /// Sightings that cover the piece at hand, as places among the entries; those of it that belong together.
  private var covering: [Int] = []
  private var group: [Observation] = []
  /// For each sighting that is still young: where what was not handed on of it begins.
  private var open: [Int64] = []
  /// Linux cuts no superframe into more datagrams (UDP_MAX_SEGMENTS).
  private static var mostDatagrams: Int64 { 128 }
  /// Places count datagrams, not octets.
  private var isDatagram = false
  private static var nowhere: Int64 { .min }

  /// Hands on each piece that a sighting up to `horizon` covers; returns what is left of the others. What a hostile
  /// flow makes of it is bounded: where far more pieces than frames come out, frames stay as they are.
  mutating func cut(
    _ unsorted: [SegmentJoiner.Entry], horizon: Int64, gap: Int64, longest: UInt32,
    _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> [SegmentJoiner.Entry] {
    isDatagram = false
    let differing = contentDiffers(in: unsorted, gap: gap)
    guard !differing.isEmpty else {
      return cutAll(unsorted, horizon: horizon, gap: gap, longest: longest, body)
    }
    // Other data at the same place of the stream: what differs stays as it was seen.
    var alike: [SegmentJoiner.Entry] = []
    var apart: [SegmentJoiner.Entry] = []
    for (index, entry) in unsorted.enumerated() {
      if differing.contains(index) { apart.append(entry) } else { alike.append(entry) }
    }
    let rest = handOnWhole(apart, horizon: horizon, gap: gap, isPiece: false, body)
    return rest + cutAll(alike, horizon: horizon, gap: gap, longest: longest, body)
  }

  private struct Place: Hashable {
    var point: UInt16
    var start: Int64
  }

  /// Sightings whose data is not that of the sightings at another point which cover the same part of the stream
  /// together. Only where the payload was captured whole, and each place was seen once.
  private func contentDiffers(in entries: [SegmentJoiner.Entry], gap: Int64) -> Set<Int> {
    guard entries.contains(where: { $0.content != nil }) else { return [] }
    var places: [Place: Int] = [:]
    var points: [UInt16] = []
    for (index, entry) in entries.enumerated() {
      let place = Place(point: entry.observation.point, start: entry.start)
      if !points.contains(place.point) { points.append(place.point) }
      // Sent again, or seen in several copies.
      places[place] = places[place] == nil ? index : -1
    }
    var differing: Set<Int> = []
    // Hostile streams may have any number of parts.
    var budget = 16 * entries.count + 4096
    for (index, entry) in entries.enumerated() {
      guard let content = entry.content else { continue }
      for point in points where point != entry.observation.point {
        var at = entry.start
        var sum: UInt64 = 0
        while at < entry.end, let next = places[Place(point: point, start: at)], next >= 0,
          let part = entries[next].content, entries[next].end <= entry.end,
          abs(entries[next].observation.time &- entry.observation.time) <= gap
        {
          sum &+= part
          at = entries[next].end
          budget -= 1
          guard budget > 0 else { return differing }
        }
        if at == entry.end, sum != content { differing.insert(index) }
      }
    }
    return differing
  }

  // MARK: Datagrams

  /// The same for UDP. Datagrams have no sequence numbers; the IPv4 identification counts on from one to the next, and
  /// a superframe covers as many as have its octets together. Where they do not count, superframes cannot be placed:
  /// nothing of the flow can then be missed.
  mutating func cutDatagrams(
    _ unplaced: [SegmentJoiner.Entry], horizon: Int64, gap: Int64, longest: UInt32,
    _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> [SegmentJoiner.Entry] {
    isDatagram = true
    var entries = unplaced
    var lengths: [Int64: UInt32] = [:]
    var isAmbiguous = false
    var hasSuperframes = false
    for entry in entries where entry.observation.length <= longest {
      if let known = lengths[entry.start], known != entry.payload { isAmbiguous = true }
      lengths[entry.start] = entry.payload
    }
    for index in entries.indices where entries[index].observation.length > longest {
      hasSuperframes = true
      var end = entries[index].start
      var sum: UInt32 = 0
      while sum < entries[index].payload, end - entries[index].start < StreamSweep.mostDatagrams,
        let length = lengths[end], length > 0
      {
        sum = sum.addingReportingOverflow(length).partialValue
        end += 1
      }
      if sum == entries[index].payload {
        entries[index].end = end
      } else if entries[index].observation.time <= horizon {
        isAmbiguous = true
      }
    }
    guard hasSuperframes, !isAmbiguous else {
      return handOnWhole(entries, horizon: horizon, gap: gap, isPiece: hasSuperframes, body)
    }
    return cutAll(entries, horizon: horizon, gap: gap, longest: longest, body)
  }

  private mutating func cutAll(
    _ unsorted: [SegmentJoiner.Entry], horizon: Int64, gap: Int64, longest: UInt32,
    _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> [SegmentJoiner.Entry] {
    let entries = unsorted.sorted {
      ($0.start, $0.end, $0.observation.time, $0.observation.capture, $0.observation.frame)
        < ($1.start, $1.end, $1.observation.time, $1.observation.capture, $1.observation.frame)
    }
    cuts.removeAll(keepingCapacity: true)
    for entry in entries {
      cuts.append(entry.start)
      cuts.append(entry.end)
    }
    cuts.sort()
    guard workload(entries) <= 32 * entries.count + 4096 else {
      return handOnWhole(entries, horizon: horizon, gap: gap, isPiece: true, body)
    }
    open.removeAll(keepingCapacity: true)
    open.append(contentsOf: repeatElement(StreamSweep.nowhere, count: entries.count))
    covering.removeAll(keepingCapacity: true)
    var rest: [SegmentJoiner.Entry] = []
    var next = 0
    for at in cuts.indices.dropLast() where cuts[at] < cuts[at + 1] {
      let from = cuts[at]
      let to = cuts[at + 1]
      for index in covering where entries[index].end <= from { leave(index, at: from, entries, &rest) }
      covering.removeAll { entries[$0].end <= from }
      while next < entries.count, entries[next].start <= from {
        covering.append(next)
        next += 1
      }
      handOnPiece(entries, from: from, to: to, horizon: horizon, gap: gap, longest: longest, &rest, body)
    }
    for index in covering { leave(index, at: entries[index].end, entries, &rest) }
    return rest
  }

  /// How many sightings all pieces have together.
  private func workload(_ entries: [SegmentJoiner.Entry]) -> Int {
    let ends = entries.map(\.end).sorted()
    var total = 0
    var begun = 0
    var ended = 0
    for at in cuts.indices.dropLast() where cuts[at] < cuts[at + 1] {
      while begun < entries.count, entries[begun].start <= cuts[at] { begun += 1 }
      while ended < ends.count, ends[ended] <= cuts[at] { ended += 1 }
      total += begun - ended
    }
    return total
  }

  private mutating func handOnPiece(
    _ entries: [SegmentJoiner.Entry], from: Int64, to: Int64, horizon: Int64, gap: Int64, longest: UInt32,
    _ rest: inout [SegmentJoiner.Entry], _ body: ([Observation], _ isPiece: Bool) -> Void
  ) {
    let members = covering.sorted {
      let (a, b) = (entries[$0].observation, entries[$1].observation)
      return (a.time, a.capture, a.frame) < (b.time, b.capture, b.frame)
    }
    var start = 0
    for end in members.indices.map({ $0 + 1 }) {
      let time = entries[members[end - 1]].observation.time
      guard end == members.count || entries[members[end]].observation.time &- time > gap else { continue }
      // The first is the oldest: where that is young, all are.
      let isDue = entries[members[start]].observation.time <= horizon
      if isDue {
        group.removeAll(keepingCapacity: true)
        var isPiece = false
        for index in members[start..<end] {
          var observation = entries[index].observation
          let length = UInt32(clamping: to - from).addingReportingOverflow(entries[index].header).partialValue
          observation.length = min(observation.length, longest, isDatagram ? longest : max(length, 60))
          group.append(observation)
          if entries[index].isPiece { isPiece = true }
        }
        body(group, isPiece)
      }
      for index in members[start..<end] where entries[index].observation.time > horizon {
        if isDue {
          leave(index, at: from, entries, &rest)
        } else if open[index] == StreamSweep.nowhere {
          open[index] = from
        }
      }
      start = end
    }
  }

  /// Keeps what was not handed on of a young sighting up to a place.
  private mutating func leave(
    _ index: Int, at place: Int64, _ entries: [SegmentJoiner.Entry], _ rest: inout [SegmentJoiner.Entry]
  ) {
    guard open[index] != StreamSweep.nowhere else { return }
    var entry = entries[index]
    entry.start = open[index]
    entry.end = place
    // Its sum is that of the whole.
    entry.content = nil
    rest.append(entry)
    open[index] = StreamSweep.nowhere
  }

  /// Hands on frames as they were seen, by digest.
  private mutating func handOnWhole(
    _ entries: [SegmentJoiner.Entry], horizon: Int64, gap: Int64, isPiece: Bool,
    _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> [SegmentJoiner.Entry] {
    let sorted = entries.sorted {
      ($0.observation.digest, $0.observation.time, $0.observation.capture, $0.observation.frame)
        < ($1.observation.digest, $1.observation.time, $1.observation.capture, $1.observation.frame)
    }
    // Digests are seeded: the order of what comes out must not show it.
    var groups: [[Observation]] = []
    var rest: [SegmentJoiner.Entry] = []
    var last: Observation?
    for entry in sorted {
      let seen = entry.observation
      if let last, last.digest == seen.digest, seen.time &- last.time <= gap, !groups.isEmpty {
        groups[groups.count - 1].append(seen)
      } else if seen.time <= horizon {
        groups.append([seen])
      } else {
        rest.append(entry)
        continue
      }
      last = seen
    }
    groups.sort {
      ($0[0].time, $0[0].capture, $0[0].frame) < ($1[0].time, $1[0].capture, $1[0].frame)
    }
    for group in groups { body(group, isPiece) }
    return rest
  }
}

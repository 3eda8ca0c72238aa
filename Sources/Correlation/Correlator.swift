import Observations

/// Collects the sightings of each frame: observations of equal digest that lie close in time.
///
/// Streaming: a group is handed on and forgotten when every capture has moved past it, so memory
/// depends on the window and the rate of frames, not on the size of the captures. Observations may
/// come in any order within `disorder` of the watermark.
public struct Correlator: ~Copyable, Sendable {
  /// Sightings of one frame are no further apart than this, in nanoseconds.
  public let gap: Int64
  /// Frames that are repeated without a pause are handed on in pieces of at most this many sightings.
  public let largest: Int

  /// The first sightings lie in the group itself: a frame has few, and they load side by side.
  fileprivate struct Group: BitwiseCopyable {
    var digest: UInt64
    var first: Int64
    var last: Int64
    var nodes = InlineArray<8, UInt32>(repeating: 0)
    var count: UInt32 = 0
    /// Those behind the first eight, as a chain.
    var more = Correlator.nothing

    init(digest: UInt64, time: Int64) {
      self.digest = digest
      first = time
      last = time
    }
  }
  private struct Node: BitwiseCopyable {
    var observation: Observation
    var next: UInt32
  }
  /// Of the hash table; a digest is never 0.
  private struct Slot: BitwiseCopyable {
    var digest: UInt64 = 0
    var group: UInt32 = 0
  }
  fileprivate static var nothing: UInt32 { .max }

  private var nodes: [Node] = []
  private var freeNodes: [UInt32] = []
  private var groups: [Group] = []
  private var freeGroups: [UInt32] = []
  /// For each capture the groups that it began, in the order of time: the next to close is at the front. Captures are
  /// read one after the other, each up to where it may be; in a common queue a young group of one would hold up older
  /// ones of the next, and they would be judged too late.
  private var queues: [GroupQueue] = []
  /// Groups that were looked at and go on.
  private var goingOn = GroupQueue()
  private var queueCount = 0
  private var made: [UInt32] = []
  private var closedUpTo = Int64.min
  /// Open addressing, linear probing.
  private var slots: [Slot]
  private var mask: Int
  private var scratch: [Observation] = []
  /// Groups that were looked at and go on: up to where they were settled then, and whether what came before was
  /// handed on though the frames had no pause.
  private var unfinished: [UInt32: (settled: Int64, isTorn: Bool)] = [:]

  /// Sightings of one frame are no further apart than this, unless told otherwise, in nanoseconds.
  public static var sightingGap: Int64 { 500_000_000 }

  /// `largest` must hold all sightings of one frame.
  public init(gap: Int64 = Correlator.sightingGap, largest: Int = 256) {
    self.gap = gap
    self.largest = max(2, largest)
    slots = Array(repeating: Slot(), count: 4096)
    mask = 4095
  }

  /// How many groups are waiting.
  public var waiting: Int { queueCount }

  /// Adds observations of one capture, in the order of time.
  public mutating func add(_ observations: [Observation]) {
    guard let any = observations.first else { return }
    makeRoom(for: observations.count, like: any)
    made.removeAll(keepingCapacity: true)
    Correlator.insert(observations, mask: mask, &made, &nodes, &freeNodes, &groups, &freeGroups, &slots)
    while queues.count <= Int(any.capture) { queues.append(GroupQueue()) }
    queues[Int(any.capture)].append(made)
    queueCount += made.count
  }

  /// Adds observations for which there is room. The arrays are lent once for all, not checked for other owners with
  /// every access.
  private static func insert(
    _ observations: [Observation], mask: Int, _ made: inout [UInt32], _ nodeArray: inout [Node],
    _ freeNodes: inout [UInt32], _ groupArray: inout [Group], _ freeGroups: inout [UInt32], _ slotArray: inout [Slot]
  ) {
    var nodes = nodeArray.mutableSpan
    var groups = groupArray.mutableSpan
    var slots = slotArray.mutableSpan
    var nodesLeft = freeNodes.count
    var groupsLeft = freeGroups.count
    for observation in observations {
      nodesLeft &-= 1
      let node = freeNodes[nodesLeft]
      var at = Int(truncatingIfNeeded: observation.digest) & mask
      while slots[at].digest != 0, slots[at].digest != observation.digest { at = (at &+ 1) & mask }
      if slots[at].digest == 0 {
        groupsLeft &-= 1
        let group = freeGroups[groupsLeft]
        slots[at] = Slot(digest: observation.digest, group: group)
        groups[Int(group)] = Group(digest: observation.digest, time: observation.time)
        made.append(group)
      }
      let group = Int(slots[at].group)
      let next = groups[group].take(node, observation.time)
      nodes[Int(node)] = Node(observation: observation, next: next)
    }
    freeNodes.removeLast(freeNodes.count - nodesLeft)
    freeGroups.removeLast(freeGroups.count - groupsLeft)
  }

  /// Makes sure that so many observations fit, each in a group of its own.
  private mutating func makeRoom(for count: Int, like any: Observation) {
    if freeNodes.count < count {
      let more = max(count - freeNodes.count, nodes.count)
      for index in stride(from: nodes.count + more - 1, through: nodes.count, by: -1) {
        freeNodes.append(UInt32(truncatingIfNeeded: index))
      }
      nodes.append(contentsOf: repeatElement(Node(observation: any, next: Correlator.nothing), count: more))
    }
    if freeGroups.count < count {
      let more = max(count - freeGroups.count, groups.count)
      for index in stride(from: groups.count + more - 1, through: groups.count, by: -1) {
        freeGroups.append(UInt32(truncatingIfNeeded: index))
      }
      groups.append(contentsOf: repeatElement(Group(digest: 0, time: 0), count: more))
    }
    // Every group in the table waits in a queue, too.
    while (queueCount + count) * 2 > mask { growTable() }
  }

  /// Hands on every group that no observation at or behind `watermark` can still join; those that one capture began in
  /// the order of time. The flag tells a piece of frames that were repeated without a pause: sightings of a frame may
  /// lie in two pieces.
  public mutating func close(before watermark: Int64, _ body: ([Observation], _ isPiece: Bool) -> Void) {
    let settled = watermark &- gap
    // Portions of one capture after the other come while the slowest is where it was.
    guard settled > closedUpTo else { return }
    closedUpTo = settled
    for _ in 0..<goingOn.count {
      guard let index = goingOn.removeFirst() else { break }
      queueCount -= 1
      // What was looked at a moment ago and goes on: sorting it again for every batch would be quadratic.
      if let known = unfinished[index], groups[Int(index)].first > settled || settled < known.settled &+ gap / 4 {
        goOn(index)
      } else {
        settle(index, settled, body)
      }
    }
    for queue in queues.indices {
      while let index = queues[queue].first, groups[Int(index)].first <= settled {
        queues[queue].removeFirst()
        queueCount -= 1
        settle(index, settled, body)
      }
    }
  }

  /// Hands on what of a group has settled.
  private mutating func settle(_ index: UInt32, _ settled: Int64, _ body: ([Observation], _ isPiece: Bool) -> Void) {
    let known = unfinished.isEmpty ? nil : unfinished[index]
    collect(groups[Int(index)])
    var isTorn = known?.isTorn ?? false
    let kept = handOn(settled: settled, isTorn: &isTorn, body)
    if kept == scratch.count {
      if known != nil { unfinished[index] = nil }
      remove(groups[Int(index)].digest)
      freeGroups.append(index)
    } else {
      unfinished[index] = (settled, isTorn)
      keep(from: kept, in: index)
      goOn(index)
    }
  }

  private mutating func goOn(_ index: UInt32) {
    goingOn.append([index])
    queueCount += 1
  }

  /// Moves a group's observations to `scratch`, sorted, and frees its nodes.
  private mutating func collect(_ group: Group) {
    scratch.removeAll(keepingCapacity: true)
    for place in 0..<min(Int(group.count), group.nodes.count) {
      let node = group.nodes[place]
      scratch.append(nodes[Int(node)].observation)
      freeNodes.append(node)
    }
    var node = group.more
    while node != Correlator.nothing {
      scratch.append(nodes[Int(node)].observation)
      freeNodes.append(node)
      node = nodes[Int(node)].next
    }
    sortScratch()
  }

  private mutating func sortScratch() {
    if scratch.count > 32 {
      scratch.sort(by: Correlator.precedes)
      return
    }
    var i = 1
    while i < scratch.count {
      if Correlator.precedes(scratch[i], scratch[i - 1]) {
        let moved = scratch[i]
        var j = i
        while j > 0, Correlator.precedes(moved, scratch[j - 1]) {
          scratch[j] = scratch[j - 1]
          j -= 1
        }
        scratch[j] = moved
      }
      i += 1
    }
  }

  private static func precedes(_ a: Observation, _ b: Observation) -> Bool {
    if a.time != b.time { return a.time < b.time }
    if a.capture != b.capture { return a.capture < b.capture }
    return a.frame < b.frame
  }

  /// Hands on `scratch` in parts that lie further apart than `gap`: the same bytes sent again. Returns where
  /// the part begins that may still grow.
  private func handOn(
    settled: Int64, isTorn: inout Bool, _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> Int {
    guard let first = scratch.first, let last = scratch.last else { return 0 }
    if last.time <= settled, last.time &- first.time <= gap, scratch.count <= largest, !isTorn {
      body(scratch, false)
      return scratch.count
    }
    var start = 0
    for end in 1...scratch.count {
      let isOver = end == scratch.count
      guard isOver ? last.time <= settled : scratch[end].time &- scratch[end - 1].time > gap else { continue }
      guard scratch[end - 1].time <= settled else { break }
      start = handPieces(from: start, to: end, isTorn: &isTorn, body)
      body(Array(scratch[start..<end]), isTorn)
      isTorn = false
      start = end
    }
    // Frames that are repeated without a pause never settle.
    var end = start
    while end < scratch.count, scratch[end].time <= settled { end += 1 }
    return handPieces(from: start, to: end, isTorn: &isTorn, body)
  }

  /// Hands on pieces while more than `largest` are left, each cut where the pause is longest. Returns where the
  /// rest begins.
  private func handPieces(
    from: Int, to end: Int, isTorn: inout Bool, _ body: ([Observation], _ isPiece: Bool) -> Void
  ) -> Int {
    var start = from
    while end - start > largest {
      var cut = start + largest
      var widest: Int64 = -1
      for at in (start + largest / 2)...(start + largest) {
        let width = scratch[at].time &- scratch[at - 1].time
        if width >= widest {
          widest = width
          cut = at
        }
      }
      isTorn = true
      body(Array(scratch[start..<cut]), true)
      start = cut
    }
    return start
  }

  /// Puts back the rest of `scratch`, whose nodes were just freed, as what the group holds.
  private mutating func keep(from start: Int, in index: UInt32) {
    var group = Group(digest: groups[Int(index)].digest, time: scratch[start].time)
    for at in start..<scratch.count {
      guard let node = freeNodes.popLast() else { break }
      let next = group.take(node, scratch[at].time)
      nodes[Int(node)] = Node(observation: scratch[at], next: next)
    }
    groups[Int(index)] = group
  }

  private mutating func growTable() {
    let old = slots
    mask = old.count * 2 - 1
    slots = Array(repeating: Slot(), count: mask + 1)
    for slot in old where slot.digest != 0 {
      var at = Int(truncatingIfNeeded: slot.digest) & mask
      while slots[at].digest != 0 { at = (at + 1) & mask }
      slots[at] = slot
    }
  }

  /// Removes a digest and moves back those behind it that would no longer be found.
  private mutating func remove(_ digest: UInt64) {
    let mask = mask
    var slots = slots.mutableSpan
    var hole = Int(truncatingIfNeeded: digest) & mask
    while slots[hole].digest != digest {
      if slots[hole].digest == 0 { return }
      hole = (hole &+ 1) & mask
    }
    var at = (hole &+ 1) & mask
    while slots[at].digest != 0 {
      let home = Int(truncatingIfNeeded: slots[at].digest) & mask
      if ((at &- home) & mask) >= ((at &- hole) & mask) {
        slots[hole] = slots[at]
        hole = at
      }
      at = (at &+ 1) & mask
    }
    slots[hole].digest = 0
  }
}

extension Correlator.Group {
  /// Takes a node in. Returns what the node must point at.
  @inline(__always)
  fileprivate mutating func take(_ node: UInt32, _ time: Int64) -> UInt32 {
    if time > last { last = time }
    if time < first { first = time }
    let place = Int(count)
    count &+= 1
    if place < nodes.count {
      nodes[place] = node
      return Correlator.nothing
    }
    let next = more
    more = node
    return next
  }
}

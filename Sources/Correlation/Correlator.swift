import Observations

/// Collects the sightings of each frame: observations of equal digest that lie close in time.
///
/// Streaming: a group is handed on and forgotten when every capture has moved past it, so memory
/// depends on the window and the rate of frames, not on the size of the captures. Observations may
/// come in any order within `disorder` of the watermark.
public struct Correlator: ~Copyable, Sendable {
  /// Sightings of one frame are no further apart than this, in nanoseconds.
  public let gap: Int64
  /// A group of ever-repeated frames is cut at its largest gap when it gets longer or larger than this.
  public let longest: Int64
  public let largest: Int

  private struct Group: BitwiseCopyable {
    var digest: UInt64
    var first: Int64
    var last: Int64
    var head: UInt32
    var tail: UInt32
    var count: UInt32
  }
  private struct Node: BitwiseCopyable {
    var observation: Observation
    var next: UInt32
  }
  private static var nothing: UInt32 { .max }

  private var nodes: [Node] = []
  private var freeNode = Correlator.nothing
  private var groups: [Group] = []
  private var freeGroups: [UInt32] = []
  /// Groups in the order of their making: the next to close is near the front.
  private var queue: [UInt32]
  private var queueHead = 0
  private var queueCount = 0
  /// Open addressing, linear probing: digest and group.
  private var keys: [UInt64]
  private var values: [UInt32]
  private var mask: Int
  private var used = 0
  private var scratch: [Observation] = []

  public init(gap: Int64 = 500_000_000, largest: Int = 4096) {
    self.gap = gap
    self.largest = largest
    longest = gap * 8
    queue = Array(repeating: 0, count: 1024)
    keys = Array(repeating: 0, count: 4096)
    values = Array(repeating: 0, count: 4096)
    mask = 4095
  }

  /// How many groups are waiting.
  public var waiting: Int { queueCount }

  public mutating func add(_ observations: [Observation]) {
    for observation in observations { add(observation) }
  }

  private mutating func add(_ observation: Observation) {
    let node = newNode(observation)
    var at = Int(truncatingIfNeeded: observation.digest) & mask
    while keys[at] != 0 {
      if keys[at] == observation.digest {
        let group = Int(values[at])
        nodes[Int(groups[group].tail)].next = node
        groups[group].tail = node
        groups[group].count &+= 1
        if observation.time > groups[group].last { groups[group].last = observation.time }
        if observation.time < groups[group].first { groups[group].first = observation.time }
        return
      }
      at = (at &+ 1) & mask
    }
    keys[at] = observation.digest
    values[at] = newGroup(observation, node)
    used += 1
    if used * 2 > mask { growTable() }
  }

  /// Hands on every group that no observation at or behind `watermark` can still join, sorted by time.
  public mutating func close(before watermark: Int64, _ body: ([Observation]) -> Void) {
    let settled = watermark &- gap
    var budget = queueCount
    while budget > 0 {
      budget -= 1
      let index = queue[queueHead]
      // The queue is in order of making, and what is put back is young: behind a young group all are.
      guard groups[Int(index)].first <= settled else { return }
      queueHead = (queueHead + 1) & (queue.count - 1)
      queueCount -= 1
      collect(groups[Int(index)])
      let kept = handOn(settled: settled, watermark: watermark, body)
      if kept == scratch.count {
        remove(groups[Int(index)].digest)
        freeGroups.append(index)
      } else {
        keep(from: kept, in: index)
        enqueue(index)
      }
    }
  }

  /// Hands on all that is left.
  public mutating func finish(_ body: ([Observation]) -> Void) {
    close(before: .max, body)
  }

  /// Moves a group's observations to `scratch`, sorted, and frees its nodes.
  private mutating func collect(_ group: Group) {
    scratch.removeAll(keepingCapacity: true)
    var node = group.head
    while node != Correlator.nothing {
      scratch.append(nodes[Int(node)].observation)
      let next = nodes[Int(node)].next
      nodes[Int(node)].next = freeNode
      freeNode = node
      node = next
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

  /// Hands on `scratch` in pieces that lie further apart than `gap`: the same bytes sent again. Returns where
  /// the piece begins that may still grow.
  private mutating func handOn(settled: Int64, watermark: Int64, _ body: ([Observation]) -> Void) -> Int {
    guard let first = scratch.first, let last = scratch.last else { return 0 }
    if last.time <= settled, last.time &- first.time <= gap {
      body(scratch)
      return scratch.count
    }
    var start = 0
    for end in 1...scratch.count {
      let isOver = end == scratch.count
      guard isOver ? last.time <= settled : scratch[end].time &- scratch[end - 1].time > gap else { continue }
      guard scratch[end - 1].time <= settled else { break }
      body(Array(scratch[start..<end]))
      start = end
    }
    guard start < scratch.count else { return start }
    // A frame that is repeated without a pause never settles: cut it where the pause is longest.
    let isLong = scratch[start].time < watermark &- longest || scratch.count - start > largest
    guard isLong, let cut = widestGap(from: start, before: settled) else { return start }
    body(Array(scratch[start..<cut]))
    return cut
  }

  private func widestGap(from start: Int, before limit: Int64) -> Int? {
    var best: Int?
    var widest: Int64 = -1
    var at = start + 1
    while at < scratch.count, scratch[at].time <= limit {
      let width = scratch[at].time &- scratch[at - 1].time
      if width >= widest {
        widest = width
        best = at
      }
      at += 1
    }
    return best
  }

  /// Puts back the rest of `scratch` as what the group holds.
  private mutating func keep(from start: Int, in index: UInt32) {
    var group = groups[Int(index)]
    group.head = Correlator.nothing
    group.tail = Correlator.nothing
    group.count = 0
    group.first = scratch[start].time
    group.last = scratch[scratch.count - 1].time
    for at in start..<scratch.count {
      let node = newNode(scratch[at])
      if group.head == Correlator.nothing { group.head = node } else { nodes[Int(group.tail)].next = node }
      group.tail = node
      group.count += 1
    }
    groups[Int(index)] = group
  }

  private mutating func newNode(_ observation: Observation) -> UInt32 {
    if freeNode != Correlator.nothing {
      let node = freeNode
      freeNode = nodes[Int(node)].next
      nodes[Int(node)] = Node(observation: observation, next: Correlator.nothing)
      return node
    }
    nodes.append(Node(observation: observation, next: Correlator.nothing))
    return UInt32(truncatingIfNeeded: nodes.count - 1)
  }

  private mutating func newGroup(_ observation: Observation, _ node: UInt32) -> UInt32 {
    let group = Group(
      digest: observation.digest, first: observation.time, last: observation.time, head: node, tail: node, count: 1)
    let index: UInt32
    if let free = freeGroups.popLast() {
      groups[Int(free)] = group
      index = free
    } else {
      groups.append(group)
      index = UInt32(truncatingIfNeeded: groups.count - 1)
    }
    enqueue(index)
    return index
  }

  private mutating func enqueue(_ index: UInt32) {
    if queueCount == queue.count {
      var larger = [UInt32]()
      larger.reserveCapacity(queue.count * 2)
      for i in 0..<queueCount { larger.append(queue[(queueHead + i) & (queue.count - 1)]) }
      larger.append(contentsOf: repeatElement(0, count: queue.count))
      queue = larger
      queueHead = 0
    }
    queue[(queueHead + queueCount) & (queue.count - 1)] = index
    queueCount += 1
  }

  private mutating func growTable() {
    let oldKeys = keys
    let oldValues = values
    mask = keys.count * 2 - 1
    keys = Array(repeating: 0, count: mask + 1)
    values = Array(repeating: 0, count: mask + 1)
    for i in oldKeys.indices where oldKeys[i] != 0 {
      var at = Int(truncatingIfNeeded: oldKeys[i]) & mask
      while keys[at] != 0 { at = (at + 1) & mask }
      keys[at] = oldKeys[i]
      values[at] = oldValues[i]
    }
  }

  /// Removes a key and moves back those behind it that would no longer be found.
  private mutating func remove(_ digest: UInt64) {
    var hole = Int(truncatingIfNeeded: digest) & mask
    while keys[hole] != digest {
      if keys[hole] == 0 { return }
      hole = (hole &+ 1) & mask
    }
    used -= 1
    var at = (hole &+ 1) & mask
    while keys[at] != 0 {
      let home = Int(truncatingIfNeeded: keys[at]) & mask
      if ((at &- home) & mask) >= ((at &- hole) & mask) {
        keys[hole] = keys[at]
        values[hole] = values[at]
        hole = at
      }
      at = (at &+ 1) & mask
    }
    keys[hole] = 0
  }
}

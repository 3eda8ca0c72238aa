/// Numbers of groups, first in, first out: a ring that grows.
struct GroupQueue: Sendable {
  private var ring: [UInt32] = []
  private var head = 0
  private(set) var count = 0

  var first: UInt32? { count > 0 ? ring[head] : nil }

  mutating func append(_ groups: [UInt32]) {
    while count + groups.count > ring.count { grow() }
    for group in groups {
      ring[(head &+ count) & (ring.count &- 1)] = group
      count &+= 1
    }
  }

  @discardableResult
  mutating func removeFirst() -> UInt32? {
    guard count > 0 else { return nil }
    let first = ring[head]
    head = (head &+ 1) & (ring.count &- 1)
    count &-= 1
    return first
  }

  private mutating func grow() {
    var larger: [UInt32] = []
    larger.reserveCapacity(max(16, ring.count * 2))
    for place in 0..<count { larger.append(ring[(head + place) & (ring.count - 1)]) }
    larger.append(contentsOf: repeatElement(0, count: max(16, ring.count * 2) - count))
    ring = larger
    head = 0
  }
}

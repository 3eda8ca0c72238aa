import Dispatch
import Synchronization

/// Passes values from one thread to another in their order. The giver waits when it is `capacity` values ahead.
final class Handover<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])
  private let free = DispatchSemaphore(value: 0)
  private let filled = DispatchSemaphore(value: 0)

  init(capacity: Int) {
    for _ in 0..<capacity { free.signal() }
  }

  func give(_ value: Value) {
    free.wait()
    values.withLock { $0.append(value) }
    filled.signal()
  }

  func take() -> Value {
    filled.wait()
    let value = values.withLock { $0.removeFirst() }
    free.signal()
    return value
  }
}

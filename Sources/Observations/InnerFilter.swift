import CaptureFiles
import Wire

/// A filter expression applied to the frame that guests exchange: inside the tunnel where there is one.
///
/// A frame passes if the expression matches it as it is, or without its VLAN tags: a tag that a fault left on a frame
/// must not hide it.
public struct InnerFilter: Sendable {
  private let filter: FrameFilter
  private var bytes: [UInt8] = []

  /// - Parameter filter: compiled for Ethernet.
  public init(_ filter: FrameFilter) { self.filter = filter }

  mutating func outcome(
    _ captured: Span<UInt8>, _ headers: FrameHeaders, wireLength: Int
  ) -> Observation.FilterOutcome {
    let start = min(Int(headers.start), captured.count)
    let network = min(Int(headers.networkOffset), captured.count)
    guard network >= start else { return .undecided }
    var outcome = Observation.FilterOutcome.rejected
    if headers.hasDestination {
      outcome = decide(captured.extracting(start..<captured.count), wireLength: wireLength - start)
      if outcome == .passes || headers.tags.count == 0 { return outcome }
    }
    // Without tags; a cooked header becomes Ethernet's, with no destination.
    bytes.removeAll(keepingCapacity: true)
    append(headers.destination)
    append(headers.source)
    bytes.append(UInt8(truncatingIfNeeded: headers.etherType >> 8))
    bytes.append(UInt8(truncatingIfNeeded: headers.etherType))
    for index in network..<captured.count { bytes.append(captured[index]) }
    let bare = decide(bytes.span, wireLength: max(bytes.count, wireLength - network + 14))
    return bare == .rejected ? outcome : bare
  }

  private mutating func append(_ address: MACAddress) {
    for shift in stride(from: 40 as UInt64, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: address.rawValue >> shift))
    }
  }

  private func decide(_ frame: Span<UInt8>, wireLength: Int) -> Observation.FilterOutcome {
    switch filter.outcome(frame, wireLength: wireLength) {
    case .matches: .passes
    case .differs: .rejected
    // What the frame does not have at all is no match.
    case .tooShort: frame.count < wireLength ? .undecided : .rejected
    }
  }
}

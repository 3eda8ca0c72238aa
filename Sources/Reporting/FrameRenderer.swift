import Wire

/// Renders frames one after the other into a buffer of its own, which the caller empties as it fills.
public protocol FrameRenderer {
  /// Bytes rendered and not yet removed, as UTF-8.
  var bytes: [UInt8] { get }
  var count: Int { get }
  mutating func append(_ frame: DecodedFrame, _ info: InspectedFrame)
  mutating func removeAll()
}

extension InspectText: FrameRenderer {}
extension InspectJSON: FrameRenderer {}

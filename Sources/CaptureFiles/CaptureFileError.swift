/// Why a capture file could not be read, or not to its end.
public struct CaptureFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// Cannot be opened or read.
    case unreadable
    /// Not a capture file that lanecheck knows.
    case notACapture
    /// The last record is cut: ordinary after a crash or a live copy.
    case truncated
    /// A record contradicts the format.
    case damaged
  }
  public var kind: Kind
  public var path: String
  /// Byte offset of the record that could not be read.
  public var offset: UInt64
  public var reason: String
  public var description: String { "\(path): offset \(offset): \(reason)" }

  public init(kind: Kind, path: String, offset: UInt64, reason: String) {
    self.kind = kind
    self.path = path
    self.offset = offset
    self.reason = reason
  }
}

/// What a file contradicts itself in without becoming unreadable; counted in frames.
public struct CaptureAnomalies: Hashable, Sendable {
  /// The record claims fewer bytes on the wire than it holds; the wire length was raised to the captured one.
  public var wireLengthRaised: UInt64 = 0
  /// More bytes were captured than the interface's snap length allows.
  public var longerThanSnapLength: UInt64 = 0
  /// The record has no time (pcapng simple packet block); 0 stands for it.
  public var withoutTime: UInt64 = 0
  /// The time does not fit in 64-bit nanoseconds; the nearest that fits stands for it.
  public var timeOutOfRange: UInt64 = 0
  public init() {}
}

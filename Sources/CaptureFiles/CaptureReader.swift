import Wire

/// One interface of a capture file (pcapng interface description; for pcap, the file header).
public struct CaptureInterface: Hashable, Sendable {
  /// LINKTYPE_ value (https://www.tcpdump.org/linktypes.html).
  public var linkType: UInt16
  /// 0 where the file sets no limit.
  public var snapLength: UInt32
  /// pcapng `if_name`; nil in pcap.
  public var name: String?
  public var description: String?
  /// pcapng `if_filter` as text, where the capture was filtered.
  public var filter: String?
  /// From interface statistics blocks, where there are any.
  public var received: UInt64?
  public var dropped: UInt64?

  public init(linkType: UInt16, snapLength: UInt32 = 0, name: String? = nil) {
    self.linkType = linkType
    self.snapLength = snapLength
    self.name = name
  }
}

/// One frame of a batch: where its bytes lie, and what the file said of it.
public struct FrameRecord: Sendable, BitwiseCopyable {
  public enum Direction: UInt8, Sendable, BitwiseCopyable { case unknown, inbound, outbound }
  /// Counted from 1 in the file, as other tools count.
  public var number: UInt64
  /// Nanoseconds since 1970-01-01 UTC.
  public var time: Int64
  /// Offset of the frame's bytes in the batch.
  public var start: Int
  public var capturedLength: Int
  public var wireLength: Int
  /// Index into the reader's `interfaces`.
  public var interface: Int
  /// pcapng packet flags, bits 0 and 1.
  public var direction: Direction

  public init(
    number: UInt64, time: Int64, start: Int, capturedLength: Int, wireLength: Int, interface: Int,
    direction: Direction
  ) {
    self.number = number
    self.time = time
    self.start = start
    self.capturedLength = capturedLength
    self.wireLength = wireLength
    self.interface = interface
    self.direction = direction
  }
}

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

/// A run of frames and the buffer that holds their bytes. Reused from batch to batch.
public struct FrameBatch: Sendable {
  public var bytes: [UInt8] = []
  public var frames: [FrameRecord] = []
  public init() {}
}

/// Reads a pcap or pcapng file from front to back, in batches.
public struct CaptureReader: ~Copyable {
  public let path: String
  /// Interfaces known so far; pcapng files may add to it as they are read.
  public private(set) var interfaces: [CaptureInterface] = []

  /// Opens the file and reads its header.
  public init(path: String) throws(CaptureFileError) {
    self.path = path
  }

  /// Fills `batch` with the next frames, at most about `limit` of them. Returns false at the end of the file.
  /// Damage is thrown only after all frames before it have been returned.
  public mutating func next(into batch: inout FrameBatch, limit: Int = 4096) throws(CaptureFileError) -> Bool {
    false
  }
}

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

/// A run of frames and the buffer that holds their bytes. Reused from batch to batch.
///
/// `bytes` holds the records as they lie in the file, and may be longer than what was read last: only the
/// ranges that `frames` name are meaningful.
public struct FrameBatch: Sendable {
  public var bytes: [UInt8] = []
  public var frames: [FrameRecord] = []
  public init() {}
}

/// One frame of a batch: where its bytes lie, and what the file said of it.
public struct FrameRecord: Sendable, BitwiseCopyable {
  public enum Direction: UInt8, Sendable, BitwiseCopyable { case unknown, inbound, outbound }
  /// Counted from 1 in the file, as other tools count.
  public var number: UInt64
  /// Nanoseconds since 1970-01-01 UTC; 0 where the record has none.
  public var time: Int64
  /// Offset of the frame's bytes in the batch.
  public var start: Int
  /// Neither length counts a frame check sequence, where the file says that there is one.
  public var capturedLength: Int
  public var wireLength: Int
  /// Index into the reader's `interfaces`.
  public var interface: Int
  /// pcapng packet flags, bits 0 and 1.
  public var direction: Direction
  /// False for pcapng simple packet blocks.
  public var hasTime: Bool

  public init(
    number: UInt64, time: Int64, start: Int, capturedLength: Int, wireLength: Int, interface: Int,
    direction: Direction, hasTime: Bool = true
  ) {
    self.number = number
    self.time = time
    self.start = start
    self.capturedLength = capturedLength
    self.wireLength = wireLength
    self.interface = interface
    self.direction = direction
    self.hasTime = hasTime
  }

  /// Takes a frame check sequence of so many bytes off the end of the frame.
  mutating func removeChecksum(_ length: Int) {
    wireLength = max(0, wireLength - length)
    capturedLength = min(capturedLength, wireLength)
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

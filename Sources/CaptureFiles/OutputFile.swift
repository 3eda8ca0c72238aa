#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Why a capture could not be written.
public struct CaptureWriteError: Error, Hashable, Sendable, CustomStringConvertible {
  public var path: String
  public var reason: String
  public var description: String { "\(path): \(reason)" }

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// A file being written, through a buffer.
struct OutputFile: ~Copyable, Sendable {
  private static let bufferLength = 1 << 18

  let path: String
  private var descriptor: CInt
  private var buffer: [UInt8] = []

  private init(path: String, descriptor: CInt) {
    self.path = path
    self.descriptor = descriptor
    buffer.reserveCapacity(2 * Self.bufferLength)
  }

  /// Creates the file, or empties the one that is there.
  static func creating(_ path: String) throws(CaptureWriteError) -> OutputFile {
    guard !path.utf8.contains(0) else {
      throw CaptureWriteError(path: path, reason: SystemError(code: EINVAL).text)
    }
    var descriptor: CInt = -1
    repeat {
      // SAFETY: the path is lent as a NUL-terminated string for the call only.
      descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { throw CaptureWriteError(path: path, reason: SystemError(code: errno).text) }
    return OutputFile(path: path, descriptor: descriptor)
  }

  mutating func put(_ value: UInt16) {
    buffer.append(UInt8(truncatingIfNeeded: value))
    buffer.append(UInt8(truncatingIfNeeded: value >> 8))
  }

  mutating func put(_ value: UInt32) {
    // SAFETY: the bytes of the value are copied while they are lent.
    unsafe withUnsafeBytes(of: value.littleEndian) { unsafe buffer.append(contentsOf: $0) }
  }

  mutating func put(_ bytes: Span<UInt8>) {
    // SAFETY: the bytes are copied while they are lent.
    unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
  }

  mutating func put(zeros count: Int) {
    for _ in 0..<count { buffer.append(0) }
  }

  /// Writes the buffer out once it is full. Called between records.
  @inline(__always)
  mutating func endRecord() throws(CaptureWriteError) {
    if buffer.count >= Self.bufferLength { try flush() }
  }

  mutating func flush() throws(CaptureWriteError) {
    var done = 0
    while done < buffer.count {
      // SAFETY: done < buffer.count, so base + done and the bytes after it lie within the array while it is lent.
      let written = unsafe buffer.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return 0 }
        return unsafe write(descriptor, base + done, bytes.count - done)
      }
      if written < 0 {
        if errno == EINTR { continue }
        let reason = SystemError(code: errno).text
        buffer.removeFirst(done)
        throw CaptureWriteError(path: path, reason: reason)
      }
      done += written
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes what is left and closes the file. Some systems report a full disk only here.
  mutating func finish() throws(CaptureWriteError) {
    guard descriptor >= 0 else { return }
    try flush()
    let result = close(descriptor)
    descriptor = -1
    guard result == 0 else { throw CaptureWriteError(path: path, reason: SystemError(code: errno).text) }
  }

  deinit {
    if descriptor >= 0 { _ = close(descriptor) }
  }
}

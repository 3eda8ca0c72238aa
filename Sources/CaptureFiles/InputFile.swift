#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A file open for reading; closed when the value goes.
final class InputFile: Sendable {
  private let descriptor: CInt
  /// False for pipes, devices and directories.
  let isRegular: Bool

  private init(descriptor: CInt, isRegular: Bool) {
    self.descriptor = descriptor
    self.isRegular = isRegular
  }

  /// - Parameter waiting: whether opening a pipe waits for its writer.
  static func opening(_ path: String, waiting: Bool = true) throws(SystemError) -> InputFile {
    // A string with a NUL would name another file once it is a C string.
    guard !path.utf8.contains(0) else { throw SystemError(code: EINVAL) }
    var descriptor: CInt = -1
    repeat {
      // SAFETY: the path is lent as a NUL-terminated string for the call only.
      descriptor = unsafe open(path, waiting ? O_RDONLY | O_CLOEXEC : O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { throw SystemError(code: errno) }
    var status = stat()
    // SAFETY: the descriptor is open, and status lives through the call.
    let known = unsafe fstat(descriptor, &status) == 0
    return InputFile(descriptor: descriptor, isRegular: known && status.st_mode & S_IFMT == S_IFREG)
  }

  /// The process's standard input, by a descriptor of its own.
  static func standardInput() throws(SystemError) -> InputFile {
    let descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw SystemError(code: errno) }
    return InputFile(descriptor: descriptor, isRegular: false)
  }

  /// Whether a person would have to type what is read.
  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Reads up to `count` bytes into `bytes` from `offset` on; both are held within the array. 0 at the end of the file.
  func take(into bytes: inout [UInt8], at offset: Int, count: Int) throws(SystemError) -> Int {
    guard offset >= 0, offset <= bytes.count else { throw SystemError(code: EINVAL) }
    let wanted = min(count, bytes.count - offset)
    guard wanted > 0 else { return 0 }
    while true {
      // SAFETY: offset + wanted <= bytes.count was established above, and the array is not resized while it is lent.
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe read(descriptor, base + offset, wanted)
      }
      if got >= 0 { return got }
      guard errno == EINTR else { throw SystemError(code: errno) }
    }
  }

  deinit { _ = close(descriptor) }
}

/// An `errno` value.
struct SystemError: Error, Hashable {
  let code: CInt
  /// The system's own words for it.
  var text: String {
    // SAFETY: strerror never returns NULL, and the text is copied at once.
    unsafe String(cString: strerror(code))
  }
}

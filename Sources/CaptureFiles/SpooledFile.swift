#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A copy of what can be read only once (standard input, a pipe), in a temporary file that has no name and is gone
/// when the value goes.
public final class SpooledFile: Sendable {
  private let descriptor: CInt
  /// Leads to the copy as long as the value lives; each opening reads from the beginning.
  public var path: String { "/proc/self/fd/\(descriptor)" }

  private init(descriptor: CInt) { self.descriptor = descriptor }

  deinit { _ = close(descriptor) }

  /// Copies standard input.
  /// - Parameter directory: where the copy lies.
  public static func standardInput(name: String, in directory: String) throws(CaptureFileError) -> SpooledFile {
    let input: InputFile
    do throws(SystemError) {
      input = try InputFile.standardInput()
    } catch {
      throw CaptureFileError(kind: .unreadable, path: name, offset: 0, reason: error.text)
    }
    guard !input.isTerminal else {
      throw CaptureFileError(
        kind: .unreadable, path: name, offset: 0, reason: "it is a terminal; a capture is wanted there (tcpdump -w -)")
    }
    return try copy(of: input, name: name, in: directory)
  }

  /// Copies what can be read at `path`.
  public static func copying(_ path: String, name: String, in directory: String) throws(CaptureFileError) -> SpooledFile {
    let input: InputFile
    do throws(SystemError) {
      input = try InputFile.opening(path)
    } catch {
      throw CaptureFileError(kind: .unreadable, path: name, offset: 0, reason: error.text)
    }
    return try copy(of: input, name: name, in: directory)
  }

  private static func copy(
    of input: InputFile, name: String, in directory: String
  ) throws(CaptureFileError) -> SpooledFile {
    var length: UInt64 = 0
    func failure(_ error: SystemError, _ doing: String) -> CaptureFileError {
      CaptureFileError(kind: .unreadable, path: name, offset: length, reason: "\(doing): \(error.text)")
    }
    let file: SpooledFile
    do throws(SystemError) {
      file = try nameless(in: directory)
    } catch {
      throw failure(error, "it can be read only once, and cannot be kept in \(directory) (see TMPDIR)")
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      var count = 0
      do throws(SystemError) {
        count = try input.take(into: &buffer, at: 0, count: buffer.count)
      } catch {
        throw failure(error, "cannot be read on")
      }
      guard count > 0 else { return file }
      do throws(SystemError) {
        try file.put(buffer, count: count)
      } catch {
        throw failure(
          error,
          "it can be read only once, and no more than \(length) bytes of it can be kept in \(directory) (see TMPDIR)")
      }
      length += UInt64(count)
    }
  }

  private static func nameless(in directory: String) throws(SystemError) -> SpooledFile {
    guard !directory.utf8.contains(0) else { throw SystemError(code: EINVAL) }
    var template = Array("\(directory)/lanecheck-XXXXXX".utf8CString)
    // SAFETY: the template is NUL-terminated, ends in six X, and is lent for each call only; unlink takes the name
    // that mkstemp left in it.
    let descriptor = unsafe template.withUnsafeMutableBufferPointer { name in
      guard let base = name.baseAddress else { return CInt(-1) }
      let descriptor = unsafe mkstemp(base)
      if descriptor >= 0 { _ = unsafe unlink(base) }
      return descriptor
    }
    guard descriptor >= 0 else { throw SystemError(code: errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return SpooledFile(descriptor: descriptor)
  }

  private func put(_ bytes: [UInt8], count: Int) throws(SystemError) {
    var done = 0
    while done < min(count, bytes.count) {
      // SAFETY: done < count <= bytes.count, and the array is lent for the call only.
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe buffer.baseAddress.map { unsafe write(descriptor, $0 + done, min(count, buffer.count) - done) } ?? 0
      }
      if written > 0 { done += written }
      guard written > 0 || errno == EINTR else { throw SystemError(code: written == 0 ? ENOSPC : errno) }
    }
  }
}

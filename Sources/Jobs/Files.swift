import Glibc

/// Whether a path names a directory.
func isDirectory(_ path: String) -> Bool {
  var status = stat()
  // SAFETY: `stat` writes only the struct that it is given.
  guard unsafe stat(path, &status) == 0 else { return false }
  return status.st_mode & S_IFMT == S_IFDIR
}

/// Size of a file in bytes; 0 where it cannot be told.
func fileSize(_ path: String) -> UInt64 {
  var status = stat()
  // SAFETY: as above.
  guard unsafe stat(path, &status) == 0 else { return 0 }
  return UInt64(clamping: status.st_size)
}

/// Which file a path leads to, whatever its name.
struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64

  /// nil where there is no such file.
  init?(_ path: String) {
    var status = stat()
    // SAFETY: `stat` writes only the struct that it is given.
    guard unsafe stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}

/// Makes a directory and those above it, where they are not there.
/// - Returns: why that failed; nil where it did not.
func makeDirectories(_ path: String) -> String? {
  guard !path.isEmpty, !path.utf8.contains(0) else { return "it is no name for a directory" }
  var end = path.startIndex
  while end < path.endIndex {
    end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
    let part = String(path[..<end])
    // SAFETY: the path is lent as a NUL-terminated string for the call only.
    if unsafe mkdir(part, 0o777) != 0, errno != EEXIST, !isDirectory(part) {
      // SAFETY: strerror gives a string that is valid until its next call in this thread; it is copied at once.
      return unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "it cannot be made"
    }
  }
  return isDirectory(path) ? nil : "it is no directory"
}

/// Whether a path leads to anything.
func exists(_ path: String) -> Bool {
  var status = stat()
  // SAFETY: `stat` writes only the struct that it is given.
  return unsafe stat(path, &status) == 0
}

/// Whether what a path leads to can be read from front to back only, once: a pipe, a socket, a device.
func isReadOnce(_ path: String) -> Bool {
  var status = stat()
  // SAFETY: `stat` writes only the struct that it is given.
  guard unsafe stat(path, &status) == 0 else { return false }
  let type = status.st_mode & S_IFMT
  return type == S_IFIFO || type == S_IFSOCK || type == S_IFCHR
}

/// Allows as many open files as the system lets this process have: every capture that is being read is one.
func raiseFileLimit() {
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  // SAFETY: both calls use only the struct that they are given.
  guard unsafe getrlimit(files, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
  limit.rlim_cur = limit.rlim_max
  _ = unsafe setrlimit(files, &limit)
}

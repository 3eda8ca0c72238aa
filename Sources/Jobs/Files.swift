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

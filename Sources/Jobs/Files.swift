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

/// Whether a path leads to anything.
func exists(_ path: String) -> Bool {
  var status = stat()
  // SAFETY: as above.
  return unsafe stat(path, &status) == 0
}

/// Whether what a path leads to can be read from front to back only, once: a pipe, a socket, a device.
func isReadOnce(_ path: String) -> Bool {
  var status = stat()
  // SAFETY: as above.
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

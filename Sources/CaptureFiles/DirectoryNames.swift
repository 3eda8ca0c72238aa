#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The names in a directory. Linux allows any octets in them; those that are not UTF-8 cannot be opened by name here.
public struct DirectoryNames: Sendable {
  public var names: [String] = []
  /// Names that are not UTF-8, with every octet outside of printable ASCII as `\xNN`.
  public var undecodable: [String] = []

  /// Lists a directory, without `.` and `..`, in no order; nil where it cannot be listed.
  public init?(path: String) {
    guard !path.utf8.contains(0) else { return nil }
    // SAFETY: the path is lent as a NUL-terminated string for the call only.
    guard let directory = unsafe opendir(path) else { return nil }
    // SAFETY: the stream is open, and is not used after this.
    defer { _ = unsafe closedir(directory) }
    // SAFETY: the entry lives until the next call of readdir on the stream, and its name is copied before that.
    while let entry = unsafe readdir(directory) {
      let octets = unsafe DirectoryNames.name(of: entry)
      if octets == [0x2e] || octets == [0x2e, 0x2e] { continue }
      if let name = String(validating: octets, as: UTF8.self) {
        names.append(name)
      } else {
        undecodable.append(DirectoryNames.escaped(octets))
      }
    }
  }

  private static func name(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    // SAFETY: d_name is an array of characters within the entry, and no more than its size is read.
    unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
  }

  private static func escaped(_ octets: [UInt8]) -> String {
    var text = ""
    for octet in octets {
      if (0x20...0x7e).contains(octet) {
        text.unicodeScalars.append(Unicode.Scalar(octet))
      } else {
        text += "\\x" + String(UInt16(octet) | 0x100, radix: 16).dropFirst()
      }
    }
    return text
  }
}

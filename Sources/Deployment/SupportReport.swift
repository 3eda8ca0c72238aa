import Foundation

/// The layout of a support report that `sos report` makes: one file for each command, in folders by plugin, named
/// as the command with `_` for spaces and `.` for slashes (sos, `report/plugins/openvswitch.py`, `networking.py`).
enum SupportReport {
  static let commands = "sos_commands"

  /// Folders with state, and which of their files to read.
  static let folders: [(name: String, wanted: @Sendable (String) -> Bool)] = [
    (
      "openvswitch",
      { file in
        ["ovs-vsctl", "ovs-ofctl", "ovs-appctl_fdb", "ovsdb-client"].contains { file.hasPrefix($0) }
          && !["-ports_", "groups", "_meter", "table_", "stats", "tlv", "dump-tables", "bundle"].contains {
            file.contains($0)
          }
      }
    ),
    (
      "networking",
      { file in ["ip_-d_addr", "ip_addr", "ip_-o_addr", "ip_-s_-d_link", "ip_-d_link", "ip_link"].contains { file.hasPrefix($0) } }
    ),
  ]

  /// The folder of commands of a report that lies in a directory.
  static func directory(in path: String) -> String? {
    let commands = "\(path)/\(commands)"
    return fileType(commands) == .typeDirectory ? commands : nil
  }

  /// What the host calls itself.
  static func hostName(commands: String) -> String? {
    for file in ["host/hostname", "general/hostname", "host/hostnamectl_hostname"] {
      guard let handle = FileHandle(forReadingAtPath: "\(commands)/\(file)") else { continue }
      defer { try? handle.close() }
      guard let bytes = try? handle.read(upToCount: 512) else { continue }
      let name = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(String.init)
      if let name, !name.isEmpty, !name.contains("/"), name.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) { return name }
    }
    return nil
  }
}

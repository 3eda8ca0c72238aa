import ArgumentParser
import Foundation

enum ColorChoice: String, ExpressibleByArgument, CaseIterable { case auto, always, never }
enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

/// What standard output can show.
struct Terminal {
  var color: Bool
  /// 0 where the output is not a terminal.
  var width: Int
  var unicode: Bool

  /// - Parameter toFile: the text goes to a file, not to standard output.
  init(_ choice: ColorChoice, toFile: Bool = false) {
    let environment = ProcessInfo.processInfo.environment
    let isTerminal = !toFile && isatty(STDOUT_FILENO) == 1
    color =
      switch choice {
      case .always: true
      case .never: false
      case .auto: !toFile && Terminal.wantsColor(isTerminal: isTerminal, environment)
      }
    width = isTerminal ? Terminal.columns(environment) : 0
    unicode = Terminal.isUTF8(environment)
  }

  /// https://no-color.org, and CLICOLOR_FORCE of https://bixense.com/clicolors.
  private static func wantsColor(isTerminal: Bool, _ environment: [String: String]) -> Bool {
    if let value = environment["NO_COLOR"], !value.isEmpty { return false }
    if let value = environment["CLICOLOR_FORCE"], !value.isEmpty, value != "0" { return true }
    return isTerminal && environment["TERM"] != "dumb"
  }

  private static func columns(_ environment: [String: String]) -> Int {
    if let value = environment["COLUMNS"].flatMap({ Int($0) }), value > 0 { return max(40, value) }
    var size = winsize()
    // SAFETY: TIOCGWINSZ writes one winsize, and size is one, lent for the call.
    let result = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
    return result == 0 && size.ws_col > 0 ? max(40, Int(size.ws_col)) : 80
  }

  /// By the locale's character set. Where no locale is set at all, marks are shown.
  private static func isUTF8(_ environment: [String: String]) -> Bool {
    for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
      guard let value = environment[name], !value.isEmpty else { continue }
      let lower = value.lowercased()
      return lower.contains("utf-8") || lower.contains("utf8")
    }
    return true
  }
}

/// Writes to a closed pipe then fail with EPIPE instead of ending the process by a signal.
func ignoreBrokenPipes() {
  _ = signal(SIGPIPE, SIG_IGN)
}

/// Standard output. Once its reader is gone, writes do nothing and say so.
struct StandardOutput {
  /// False where nobody reads any more.
  func write(_ text: String) -> Bool {
    write(Data(text.utf8))
  }

  func write(_ bytes: [UInt8]) -> Bool {
    write(Data(bytes))
  }

  private func write(_ data: Data) -> Bool {
    do {
      try FileHandle.standardOutput.write(contentsOf: data)
      return true
    } catch {
      if errno != EPIPE { complain("standard output: \(error.localizedDescription)") }
      return false
    }
  }
}

/// One line on standard error.
func complain(_ message: String) {
  try? FileHandle.standardError.write(contentsOf: Data("lanecheck: \(message)\n".utf8))
}

/// Why a file could not be written.
func reason(_ error: any Error) -> String {
  switch (error as? CocoaError)?.code {
  case .fileNoSuchFile: "its directory does not exist"
  case .fileWriteNoPermission: "permission denied"
  case .fileWriteOutOfSpace: "no space left on the device"
  default: error.localizedDescription
  }
}

import Foundation
import Verification

/// How the process ends. Thrown by commands.
struct ExitStatus: Error {
  var code: Int32

  static let pass = ExitStatus(code: 0)
  static let findings = ExitStatus(code: 1)
  static let failure = ExitStatus(code: 2)
  static let inconclusive = ExitStatus(code: 3)

  /// Of a verification. Input that could not be read takes a pass or an inconclusive verdict away, not a proven
  /// fault.
  init(_ report: Report, allowInconclusive: Bool) {
    self =
      switch report.verdict {
      case .fail: .findings
      case _ where !report.inputErrors.isEmpty: .failure
      case .pass: .pass
      case .inconclusive: allowInconclusive ? .pass : .inconclusive
      }
  }

  private init(code: Int32) {
    self.code = code
  }

  func exit() -> Never {
    Foundation.exit(code)
  }

  static let help = """
    EXIT STATUS
      0  pass
      1  findings at or above --fail-on (default: error)
      2  could not run: wrong usage, or an input that cannot be read
      3  inconclusive (0 with --allow-inconclusive)
    """
}

import Foundation
import Jobs
import Synchronization

/// A line on standard error that tells how far a job is, while it runs. Silent unless standard error is a terminal.
final class ProgressLine: Sendable {
  private struct State {
    var last: ContinuousClock.Instant?
    var isShown = false
  }

  private let isActive: Bool
  private let state = Mutex(State())

  init(quiet: Bool) {
    let environment = ProcessInfo.processInfo.environment
    isActive = !quiet && isatty(STDERR_FILENO) == 1 && environment["CI"] == nil && environment["TERM"] != "dumb"
  }

  /// Nil where nothing would be shown, so that the job need not report.
  var handler: (@Sendable (Jobs.Progress) -> Void)? {
    guard isActive else { return nil }
    return { self.show($0) }
  }

  private func show(_ progress: Jobs.Progress) {
    let now = ContinuousClock.now
    state.withLock { state in
      if let last = state.last, now - last < .milliseconds(100) { return }
      state.last = now
      state.isShown = true
      var line = progress.stage
      if progress.bytesTotal > 0 {
        let share = Double(progress.bytesRead) / Double(progress.bytesTotal)
        line += " \(Int((min(1, max(0, share)) * 100).rounded(.down))) %"
      }
      if progress.frames > 0 { line += ", \(progress.frames) frames" }
      try? FileHandle.standardError.write(contentsOf: Data("\r\u{1b}[K\(line)".utf8))
    }
  }

  /// Wipes the line.
  func finish() {
    state.withLock { state in
      guard state.isShown else { return }
      state.isShown = false
      try? FileHandle.standardError.write(contentsOf: Data("\r\u{1b}[K".utf8))
    }
  }
}

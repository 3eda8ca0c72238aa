import Verification

/// What `verify` and `path` are asked to do.
public struct VerifyOptions: Sendable {
  /// A bundle's directory, or capture files.
  public var paths: [String]
  /// Path of a manifest to use instead of the bundle's own.
  public var manifest: String?
  public var failOn = Severity.error
  /// `HOST/NETWORK` cells that must be exercised for a pass.
  public var require: [String] = []

  public init(paths: [String]) { self.paths = paths }
}

/// Why a job could not be done; a sentence for the user.
public struct JobError: Error, CustomStringConvertible {
  public var message: String
  public var description: String { message }
  public init(_ message: String) { self.message = message }
}

/// How far a job has come.
public struct Progress: Sendable {
  public var bytesRead: UInt64
  public var bytesTotal: UInt64
  public var frames: UInt64
  /// What is being done now.
  public var stage: String

  public init(bytesRead: UInt64, bytesTotal: UInt64, frames: UInt64, stage: String) {
    self.bytesRead = bytesRead
    self.bytesTotal = bytesTotal
    self.frames = frames
    self.stage = stage
  }
}

/// Verifies the captures of a bundle against its state.
public func verify(
  _ options: VerifyOptions, progress: (@Sendable (Progress) -> Void)? = nil
) throws(JobError) -> Report {
  throw JobError("verification is not built into this version")
}

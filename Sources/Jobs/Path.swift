import Verification

/// Follows the traffic between two guests of a bundle, each named by guest, MAC, address or port.
public func path(
  _ options: VerifyOptions, from: String, to: String, progress: (@Sendable (Progress) -> Void)? = nil
) throws(JobError) -> PathReport {
  throw JobError("path is not built into this version")
}

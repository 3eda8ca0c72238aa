import Deployment
import Verification

/// Holds the intent of a bundle against what its hosts have installed; captures are not read.
public func check(_ options: VerifyOptions) throws(JobError) -> Report {
  let deployment = try load(options)
  var report = InstalledCheck(deployment).report(failOn: options.failOn, without: options.omissions)
  report.bundle = options.paths.joined(separator: " ")
  return report
}

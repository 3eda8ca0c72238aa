import Deployment
import Foundation
import Verification

/// What `test` is asked to do.
public struct TestOptions: Sendable {
  /// Directories: bundles with an `expect.yaml`, or directories below which there are some.
  public var paths: [String]
  /// Write `expect.yaml` anew where it does not agree; a path with none in it or below it is a bundle that gets one.
  public var update = false
  /// Rules and exceptions that the runs are to do without: expectations that notice fail.
  public var omissions = Omissions()

  public init(paths: [String], update: Bool = false) {
    self.paths = paths
    self.update = update
  }
}

/// Verifies every bundle below the paths and holds the reports against what each bundle's `expect.yaml` says.
/// A bundle without captures is held against it by `check`.
///
/// `each` gets every bundle as soon as it is done. Throws where there is nothing to test.
public func test(
  _ options: TestOptions, each: (BundleTest) -> Void = { _ in }
) throws(JobError) -> [BundleTest] {
  var bundles: [TestBundle] = []
  for path in options.paths {
    guard isDirectory(path) else { throw JobError("\(path): no such directory") }
    let directory = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    var found = TestBundle.all(below: directory)
    if found.isEmpty, options.update { found = [TestBundle(path: directory, expectations: nil)] }
    guard !found.isEmpty else {
      throw JobError("\(path): no bundle with an \(TestBundle.fileName) in it or below it (--update drafts one)")
    }
    for bundle in found where !bundles.contains(bundle) { bundles.append(bundle) }
  }
  var results: [BundleTest] = []
  for bundle in bundles {
    let start = ContinuousClock.now
    var result = bundle.run(options)
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    result.duration = seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    results.append(result)
    each(result)
  }
  return results
}

/// A bundle that is tested.
private struct TestBundle: Equatable {
  static var fileName: String { "expect.yaml" }

  var path: String
  /// The expectations beside it; nil where there are none yet.
  var expectations: String?

  /// The directory itself, or those below it, by name. Links to directories are not followed.
  static func all(below path: String) -> [TestBundle] {
    let file = "\(path)/\(fileName)"
    if FileManager.default.fileExists(atPath: file) { return [TestBundle(path: path, expectations: file)] }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    return names.filter { !$0.hasPrefix(".") }.flatMap { name -> [TestBundle] in
      let below = "\(path)/\(name)"
      let values = try? URL(fileURLWithPath: below).resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
      guard values?.isDirectory == true, values?.isSymbolicLink != true else { return [] }
      return all(below: below)
    }
  }

  func run(_ asked: TestOptions) -> BundleTest {
    do throws(JobError) {
      let expectations = try read()
      let report = try report(expectations, without: asked.omissions)
      let checks = expectations.map { report.checked(against: $0) } ?? []
      var result = BundleTest(bundle: path, checks: checks)
      if asked.update, expectations == nil || !result.failures.isEmpty {
        try write(report, expectations)
        result.isUpdated = true
      }
      return result
    } catch {
      let failure = CheckedExpectation(
        name: "runs", hasPassed: false, expected: "a report", actual: error.message)
      return BundleTest(bundle: path, checks: [failure])
    }
  }

  private func read() throws(JobError) -> Expectations? {
    guard let expectations else { return nil }
    guard let data = FileManager.default.contents(atPath: expectations) else {
      throw JobError("\(expectations): cannot be read")
    }
    do throws(BundleError) {
      return try Expectations.read(
        String(decoding: data, as: UTF8.self), file: expectations, rules: RuleCatalogue.rules.map(\.name))
    } catch {
      throw JobError("\(error)")
    }
  }

  private func report(_ expectations: Expectations?, without omissions: Omissions) throws(JobError) -> Report {
    var options = VerifyOptions(paths: [path])
    options.omissions = omissions
    options.require = expectations?.require ?? []
    if let severity = expectations?.failOn.flatMap(Severity.init(rawValue:)) { options.failOn = severity }
    return try load(options).captures.isEmpty ? check(options) : verify(options)
  }

  private func write(_ report: Report, _ old: Expectations?) throws(JobError) {
    let file = expectations ?? "\(path)/\(TestBundle.fileName)"
    let before = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let text = expectationDraft(of: report, keeping: old, comment: leadingComment(before))
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
    } catch {
      throw JobError("\(file): cannot be written: \(error.localizedDescription)")
    }
  }

  /// What stands above the first key.
  private func leadingComment(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("#") }
      .map { $0 + "\n" }.joined()
  }
}

/// Why a bundle or its manifest could not be used at all. What merely could not be read of it
/// is a `StateNote`.
public struct BundleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One thing that is wrong, and where.
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// Line and column from 1; 0 where there is none.
    public var line: Int
    public var column: Int
    public var reason: String

    public init(file: String, line: Int = 0, column: Int = 0, reason: String) {
      self.file = file
      self.line = line
      self.column = column
      self.reason = reason
    }

    public var description: String {
      var place = file
      if line > 0 { place += ":\(line)" }
      if line > 0, column > 0 { place += ":\(column)" }
      return "\(place): \(reason)"
    }
  }

  /// At least one, in the order of the file.
  public var problems: [Problem]

  public init(_ problems: [Problem]) { self.problems = problems }

  public init(file: String, line: Int = 0, column: Int = 0, reason: String) {
    problems = [Problem(file: file, line: line, column: column, reason: reason)]
  }

  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

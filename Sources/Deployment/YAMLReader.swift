import Yams

/// A key of a mapping, with the place where it stands.
typealias YAMLKey = (text: String, node: Node)

/// What a file that people write has at most, in bytes: more of it is a mistake.
private let yamlSizeLimit = 1 << 20

/// Parses a YAML file that people write; nil where it is empty. Aliases are refused: they can make a small text stand
/// for an endless one, and nothing here has a need of them.
func composeYAML(_ text: String, file: String) throws(BundleError) -> Node? {
  guard text.utf8.count <= yamlSizeLimit else {
    throw BundleError(file: file, reason: "larger than 1 MiB, which nothing written by people is")
  }
  if let line = lineWithAlias(text) {
    throw BundleError(file: file, line: line, reason: "YAML aliases (*name) are not supported here")
  }
  do {
    return try Yams.compose(yaml: text)
  } catch let error as YamlError {
    throw BundleError([syntaxProblem(error, file: file)])
  } catch {
    throw BundleError(file: file, reason: "no valid YAML: \(error)")
  }
}

private func lineWithAlias(_ text: String) -> Int? {
  var number = 0
  for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
    number += 1
    var before: Character = " "
    for (index, character) in zip(line.indices, line) {
      if character == "#", before.isWhitespace { break }
      if character == "*", " \t[{,:-?".contains(before), let next = line[line.index(after: index)...].first,
        next.isLetter || next.isNumber || next == "_"
      {
        return number
      }
      before = character
    }
  }
  return nil
}

private func syntaxProblem(_ error: YamlError, file: String) -> BundleError.Problem {
  switch error {
  case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
    .composer(_, let problem, let mark, _):
    BundleError.Problem(file: file, line: mark.line, column: mark.column, reason: "no valid YAML: \(problem)")
  case .reader(let problem, _, _, _):
    BundleError.Problem(file: file, reason: "no valid YAML: \(problem)")
  case .duplicatedKeysInMapping(let duplicates, let context):
    BundleError.Problem(
      file: file, line: context.mark.line, column: context.mark.column,
      reason: "the same key twice: \(duplicates.sorted().joined(separator: ", "))")
  default: BundleError.Problem(file: file, reason: "no valid YAML: \(error)")
  }
}

/// Walks YAML nodes and gathers what is wrong with them, with the place.
protocol YAMLReader {
  var file: String { get }
  var problems: [BundleError.Problem] { get set }
}

extension YAMLReader {
  var problemsInOrder: [BundleError.Problem] {
    problems.sorted { ($0.line, $0.column, $0.reason) < ($1.line, $1.column, $1.reason) }
  }

  mutating func fail(_ node: Node, _ reason: String) {
    let problem = BundleError.Problem(
      file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, reason: reason)
    if problems.count < 50 { problems.append(problem) }
  }

  func hint(_ word: String, _ known: [String]) -> String {
    likelyMeant(word, among: known).map { " (did you mean \($0)?)" } ?? ""
  }

  /// Key and value pairs of a mapping with any keys; an empty value counts as an empty mapping.
  mutating func named(_ node: Node, _ what: String) -> [(YAMLKey, Node)] {
    guard let mapping = node.mapping else {
      if !isNull(node) { fail(node, "\(what) must be a mapping") }
      return []
    }
    var result: [(YAMLKey, Node)] = []
    for (key, value) in mapping {
      if let text = key.scalar?.string {
        result.append(((text, key), value))
      } else {
        fail(key, "a key of \(what) must be a word")
      }
    }
    return result
  }

  mutating func fields(_ node: Node, of what: String, known: [String]) -> [(YAMLKey, Node)] {
    named(node, what).filter { key, _ in
      if known.contains(key.text) { return true }
      fail(
        key.node, "unknown key of \(what): \(key.text)\(hint(key.text, known)); it has \(known.joined(separator: ", "))"
      )
      return false
    }
  }

  func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style == .plain else { return false }
    return ["", "~", "null"].contains(scalar.string)
  }

  /// A sequence, or a single value in its place.
  func items(_ node: Node) -> [Node] {
    if let sequence = node.sequence { return Array(sequence) }
    return isNull(node) ? [] : [node]
  }

  mutating func list<T>(_ node: Node, _ read: (inout Self, Node) -> T?) -> [T] {
    var result: [T] = []
    for item in items(node) { if let value = read(&self, item) { result.append(value) } }
    return result
  }

  mutating func string(_ node: Node, _ what: String) -> String? {
    guard let scalar = node.scalar, !isNull(node), !scalar.string.isEmpty else {
      fail(node, "\(what) must be a word")
      return nil
    }
    return scalar.string
  }

  mutating func unsigned(_ node: Node, _ what: String) -> UInt64? {
    guard let text = string(node, what) else { return nil }
    guard let value = unsignedNumber(text) else {
      fail(node, "\(what) must be a number in decimal or 0x hexadecimal: \(text)")
      return nil
    }
    return value
  }

  mutating func boolean(_ node: Node, _ what: String) -> Bool? {
    switch node.scalar?.string.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default:
      fail(node, "\(what) must be true or false")
      return nil
    }
  }
}

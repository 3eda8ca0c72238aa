import Foundation
import Testing
import Verification

@testable import Jobs

/// The state of a recorded bundle, changed for one test. Captures are left behind.
final class EditedState {
  let root: URL

  init(_ bundle: String) throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    for file in Bundles.files(bundle) where !Bundles.isCapture(file) && file != "truth.json" {
      let target = root.appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: Bundles.root.appendingPathComponent("\(bundle)/\(file)"), to: target)
    }
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  func remove(_ path: String) throws { try FileManager.default.removeItem(at: root.appendingPathComponent(path)) }

  func write(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: root.appendingPathComponent(path))
  }

  /// Changes a file of a host as it was before and after; a change that changes nothing is a mistake.
  func edit(_ host: String, _ name: String, onlyAfter: Bool = false, _ change: (String) -> String) throws {
    for file in (onlyAfter ? [] : ["\(host)/\(name)"]) + ["\(host)/after/\(name)"] {
      let url = root.appendingPathComponent(file)
      let text = try String(decoding: Data(contentsOf: url), as: UTF8.self)
      let changed = change(text)
      #expect(changed != text, "\(file) is as it was")
      try Data(changed.utf8).write(to: url)
    }
  }

  /// Changes the rows of an OVSDB list; nil takes a row out. A map is `["map", [[key, value], …]]`.
  func editRows(
    _ host: String, _ name: String, onlyAfter: Bool = false, _ change: ([String: Any]) -> [String: Any]?
  ) throws {
    try edit(host, name, onlyAfter: onlyAfter) { text in
      guard var list = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
        let headings = list["headings"] as? [String], let data = list["data"] as? [[Any]]
      else { return text }
      list["data"] = data.compactMap { cells -> [Any]? in
        let row = Dictionary(zip(headings, cells)) { first, _ in first }
        guard let changed = change(row) else { return nil }
        return headings.map { changed[$0] ?? ["set", [Any]()] as [Any] }
      }
      guard let bytes = try? JSONSerialization.data(withJSONObject: list, options: [.sortedKeys]) else { return text }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  func check() throws -> Report { try Jobs.check(VerifyOptions(paths: [root.path])) }
}

/// An OVSDB row with one key of a map column set.
func setting(_ row: [String: Any], _ column: String, _ key: String, _ value: String) -> [String: Any] {
  var row = row
  var pairs = (row[column] as? [Any])?.last as? [[String]] ?? []
  pairs.removeAll { $0.first == key }
  row[column] = ["map", pairs + [[key, value]]] as [Any]
  return row
}

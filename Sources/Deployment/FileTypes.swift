import Foundation

/// The type of the file that a path leads to, symbolic links followed; nil where it leads nowhere.
func fileType(_ path: String) -> FileAttributeType? {
  let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  let attributes = try? FileManager.default.attributesOfItem(atPath: target)
  let type = attributes?[.type] as? FileAttributeType
  return type == .typeSymbolicLink ? nil : type
}

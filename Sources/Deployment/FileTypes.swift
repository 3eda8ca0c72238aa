import Foundation

/// The type of the file that a path leads to, symbolic links followed; nil where it leads nowhere.
func fileType(_ path: String) -> FileAttributeType? {
  let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  let attributes = try? FileManager.default.attributesOfItem(atPath: target)
  let type = attributes?[.type] as? FileAttributeType
  return type == .typeSymbolicLink ? nil : type
}

/// Why a path leads to no file.
func fileProblem(_ path: String) -> String {
  let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
  return isLink ? "a symbolic link that leads nowhere" : "no such file or directory"
}

import CaptureFiles
import Foundation

/// A file of a bundle.
struct FoundFile {
  var path: String
  /// Path below the bundle, with `/`.
  var name: String
  var kind: FileKind
  /// The last component of the name.
  var base: String { String(name.split(separator: "/").last ?? "") }
}

/// The files of one host, in natural order of their names.
struct HostFiles {
  var name: String
  var captures: [FoundFile] = []
  var before: [FoundFile] = []
  var after: [FoundFile] = []
  var isEmpty: Bool { captures.isEmpty && before.isEmpty && after.isEmpty }
}

/// Finds what lies in a bundle: host directories with captures and state, `before/` and `after/`
/// below them, and what describes the whole deployment.
struct BundleDiscovery {
  let root: String
  private let realRoot: String
  private var visited: Set<String> = []
  private(set) var notes: [StateNote] = []
  /// Directories that hold nothing of a host, and what is in them.
  private var empty: [(directory: Entry, entries: [Entry])] = []
  var hosts: [HostFiles] = []
  /// Files that lie in the bundle's own directory.
  var own: HostFiles
  var manifest: FoundFile?

  init(root: String) throws(BundleError) {
    self.root = root
    realRoot = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
    own = HostFiles(name: BundleDiscovery.hostName(ofDirectory: realRoot))
    guard let type = fileType(root) else { throw BundleError(file: root, reason: "no such file or directory") }
    guard type == .typeDirectory else { throw BundleError(file: root, reason: "not a directory") }
    guard let entries = entries(of: root, name: "") else {
      throw BundleError(file: root, reason: "the directory cannot be read")
    }
    var own = own
    for entry in entries {
      if !entry.isDirectory {
        take(entry, into: &own.before, captures: &own.captures, isRoot: true)
      } else if BundleDiscovery.isState(entry.base) {
        takeState(entry, of: &own)
      } else if entry.base == SupportReport.commands {
        takeReport(entry, of: &own)
      } else {
        takeHost(entry)
      }
    }
    if own.isEmpty, hosts.isEmpty { try takeGroups(depth: 3) }
    // What a report has beside its commands (etc, var, …) is no host.
    if entries.contains(where: { $0.base == SupportReport.commands && $0.isDirectory }) {
      hosts = []
      notes.removeAll { $0.kind == .ignored }
    }
    own.captures += self.own.captures
    self.own = own
  }

  /// Where no directory is a host's, those below may be: hosts in folders by site or rack, or captures and state apart.
  /// A host that lies in two such folders is one of two recordings.
  private mutating func takeGroups(depth: Int) throws(BundleError) {
    let groups = empty
    empty = []
    var homes: [String: String] = [:]
    for (group, entries) in groups {
      // What was passed over as no host's is looked at now.
      let reread = Set([group.name] + entries.filter(\.isDirectory).map(\.name))
      notes.removeAll { $0.kind == .ignored && reread.contains($0.file) }
      let isPart = BundleDiscovery.isPart(group.base)
      for entry in entries where entry.isDirectory {
        guard takeHost(entry), !isPart else { continue }
        if let other = homes[entry.base] {
          throw BundleError(
            file: root, reason: "\(other) and \(entry.name) are one host twice: these are several bundles; name one of them")
        }
        homes[entry.base] = entry.name
      }
    }
    if hosts.isEmpty, depth > 1, !empty.isEmpty { try takeGroups(depth: depth - 1) }
  }

  /// Whether a directory's name says that it holds a part of what belongs to a host.
  private static func isPart(_ directory: String) -> Bool {
    ["captures", "capture", "pcap", "pcaps", "state", "states", "dumps", "dump", "ovs", "openvswitch", "flows", "network"]
      .contains(directory.lowercased())
  }

  /// A directory's own name, for the one host that it stands for.
  static func hostName(ofDirectory path: String) -> String {
    let name = URL(fileURLWithPath: path).resolvingSymlinksInPath().lastPathComponent
    return name.isEmpty || name == "/" ? "host" : name
  }

  private struct Entry {
    var path: String
    var name: String
    var base: String
    var isDirectory: Bool
  }

  private static func isState(_ directory: String) -> Bool { directory == "after" || directory == "before" }

  /// Returns whether the directory is a host's.
  @discardableResult
  private mutating func takeHost(_ directory: Entry) -> Bool {
    var host = HostFiles(name: directory.base)
    let entries = entries(of: directory.path, name: directory.name) ?? []
    if let report = entries.first(where: { $0.isDirectory && $0.base == SupportReport.commands }) {
      takeReport(report, of: &host)
      for entry in entries where !entry.isDirectory && FileRecognition.captureStem(entry.base) != nil {
        take(entry, into: &host.before, captures: &host.captures, isRoot: false)
      }
    } else {
      for entry in entries { take(entry, of: &host) }
    }
    if host.isEmpty, FileRecognition.captureStem(directory.base) != nil {
      // Reading it fails, and the report says so.
      own.captures.append(FoundFile(path: directory.path, name: directory.name, kind: .capture))
      return false
    } else if host.isEmpty {
      empty.append((directory, entries))
      ignore(directory.name, "holds neither captures nor state")
    } else {
      HostFiles.add([host], to: &hosts)
    }
    return !host.isEmpty
  }

  private mutating func take(_ entry: Entry, of host: inout HostFiles) {
    if !entry.isDirectory {
      take(entry, into: &host.before, captures: &host.captures, isRoot: false)
    } else if BundleDiscovery.isState(entry.base) {
      takeState(entry, of: &host)
    } else if BundleDiscovery.isPart(entry.base) {
      for file in entries(of: entry.path, name: entry.name) ?? [] {
        if !file.isDirectory {
          take(file, into: &host.before, captures: &host.captures, isRoot: false)
        } else if BundleDiscovery.isState(file.base) {
          takeState(file, of: &host)
        } else {
          ignore(file.name, "a directory below \(entry.base)")
        }
      }
    } else if FileRecognition.captureStem(entry.base) != nil {
      host.captures.append(FoundFile(path: entry.path, name: entry.name, kind: .capture))
    } else if let report = SupportReport.directory(in: entry.path) {
      var found = HostFiles(name: host.name)
      takeReport(Entry(path: report, name: "\(entry.name)/\(SupportReport.commands)", base: "", isDirectory: true), of: &found)
      host.before += found.before
    } else {
      ignore(entry.name, "a directory below a host that is neither before nor after")
    }
  }

  /// Takes what a support report (sosreport) gathered of Open vSwitch and of the host's devices; the rest of it is
  /// none of ours. Its host is the one that it names.
  private mutating func takeReport(_ commands: Entry, of host: inout HostFiles) {
    if let name = SupportReport.hostName(commands: commands.path) { host.name = name }
    for (folder, wanted) in SupportReport.folders {
      let path = "\(commands.path)/\(folder)"
      guard fileType(path) == .typeDirectory else { continue }
      for entry in entries(of: path, name: "\(commands.name)/\(folder)") ?? []
      where !entry.isDirectory && wanted(entry.base) {
        let kind = BundleDiscovery.kind(path: entry.path, base: entry.base)
        switch kind {
        case .vsctlShow, .json, .ovsdbText, .ovsdbCSV, .ipText, .flows, .portList, .forwarding:
          host.before.append(FoundFile(path: entry.path, name: entry.name, kind: kind))
        default: break
        }
      }
    }
  }

  private mutating func takeState(_ directory: Entry, of host: inout HostFiles) {
    for entry in entries(of: directory.path, name: directory.name) ?? [] {
      if entry.isDirectory {
        ignore(entry.name, "a directory below \(directory.base)")
      } else if directory.base == "after" {
        take(entry, into: &host.after, captures: &host.captures, isRoot: false)
      } else {
        take(entry, into: &host.before, captures: &host.captures, isRoot: false)
      }
    }
  }

  private mutating func take(
    _ entry: Entry, into state: inout [FoundFile], captures: inout [FoundFile], isRoot: Bool
  ) {
    let kind = BundleDiscovery.kind(path: entry.path, base: entry.base)
    let file = FoundFile(path: entry.path, name: entry.name, kind: kind)
    switch kind {
    case .capture: captures.append(file)
    case .quiet: break
    case .unknown: ignore(entry.name, "neither a capture nor known state")
    case .manifest:
      if !isRoot {
        ignore(entry.name, "a manifest counts only in the bundle's own directory")
      } else if let manifest {
        ignore(entry.name, "there is \(manifest.name) already")
      } else {
        manifest = file
      }
    default: state.append(file)
    }
  }

  /// What a regular file is, by name and else by content.
  static func kind(path: String, base: String) -> FileKind {
    if let kind = FileRecognition.kind(named: base) { return kind }
    if CaptureReader.recognise(path: path) != nil { return .capture }
    guard let handle = FileHandle(forReadingAtPath: path) else { return .unknown }
    defer { try? handle.close() }
    guard let head = try? handle.read(upToCount: 16_384) else { return .unknown }
    return FileRecognition.kind(content: Array(head))
  }

  private mutating func ignore(_ name: String, _ reason: String) {
    notes.append(StateNote(kind: .ignored, file: name, text: reason))
  }

  /// Regular files and directories in natural order; nil where the directory cannot be listed.
  /// Hidden files are skipped. Symbolic links are followed inside the bundle only, and no
  /// directory is entered twice.
  private mutating func entries(of directory: String, name: String) -> [Entry]? {
    let real = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
    guard visited.insert(real).inserted else {
      ignore(name, "a link to a directory that is read already")
      return []
    }
    guard let listing = DirectoryNames(path: directory) else {
      notes.append(StateNote(kind: .missing, file: name, text: "the directory cannot be read"))
      return nil
    }
    for base in listing.undecodable.sorted() where !base.hasPrefix(".") {
      notes.append(
        StateNote(
          kind: .missing, file: name.isEmpty ? base : "\(name)/\(base)",
          text: "its name is not UTF-8, and it was left out with all that it holds; rename it"))
    }
    var result: [Entry] = []
    // Links last: what they lead to has its own name first.
    let targets = listing.names.filter { !$0.hasPrefix(".") }.sorted(by: naturallyPrecedes).map { base in
      (base: base, isLink: URL(fileURLWithPath: "\(real)/\(base)").resolvingSymlinksInPath().path != "\(real)/\(base)")
    }
    for base in (targets.filter { !$0.isLink } + targets.filter(\.isLink)).map(\.base) {
      let path = directory.hasSuffix("/") ? directory + base : "\(directory)/\(base)"
      let entryName = name.isEmpty ? base : "\(name)/\(base)"
      let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
      guard target.hasPrefix(realRoot.hasSuffix("/") ? realRoot : realRoot + "/") else {
        ignore(entryName, "a symbolic link that leaves the bundle")
        continue
      }
      switch fileType(target) {
      case .typeRegular?:
        guard visited.insert(target).inserted else {
          ignore(entryName, "a link to a file that is read already")
          continue
        }
        result.append(Entry(path: path, name: entryName, base: base, isDirectory: false))
      case .typeDirectory?: result.append(Entry(path: path, name: entryName, base: base, isDirectory: true))
      case nil where FileRecognition.captureStem(base) != nil:
        result.append(Entry(path: path, name: entryName, base: base, isDirectory: false))
      case nil: ignore(entryName, "a symbolic link that leads nowhere")
      default: ignore(entryName, "no regular file")
      }
    }
    return result
  }
}

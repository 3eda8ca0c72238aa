import Foundation

/// Reads a bundle: a directory with one sub-directory for each host, or with the files of a single
/// host, or with captures only. A path to a file is read as loose files are.
///
/// A manifest given by its path takes the place of the bundle's own.
///
/// Throws where there is nothing to work with: no such directory, a manifest with mistakes, neither
/// captures, state nor intent. All that merely cannot be read is in `notes`.
public func loadBundle(path: String, manifest given: String? = nil) throws(BundleError) -> Deployment {
  guard !path.isEmpty else { throw BundleError(file: "bundle", reason: "the path is empty") }
  if let type = fileType(path), type != .typeDirectory {
    return try loadFiles([path], manifest: given)
  }
  var found = try BundleDiscovery(root: path)
  let file = given.map { FoundFile(path: $0, name: $0, kind: .manifest) } ?? found.manifest
  let manifest = try file.map { file throws(BundleError) in
    try readManifest(path: file.path, name: file.name)
  }
  found.spreadOwnFiles(manifest: manifest)
  let notes = found.notes
  return try assemble(root: path, hosts: found.hosts, manifest: manifest, notes: notes)
}

/// Reads loose files, of captures and state alike, with an optional manifest (`lanecheck.yaml` may be
/// among the files). A file that is named twice is read once.
///
/// A file's host is, in this order: the directory it lies in, where the manifest has a host of that
/// name; the prefix of its name (`compute1-eth1.pcap`), likewise; the one host of the manifest
/// that has its interface; else the directory's name.
/// Files from a single directory are shared out by prefix, if at least two prefixes suggest hosts.
public func loadFiles(_ paths: [String], manifest path: String?) throws(BundleError) -> Deployment {
  try loadFiles(paths.map { LooseFile(path: $0, name: $0) }, manifest: path)
}

/// A loose file, and the name that says what it is of.
public struct LooseFile: Hashable, Sendable {
  public var path: String
  /// Read as if it were the path: directory and file name tell host and interface.
  public var name: String

  public init(path: String, name: String) {
    self.path = path
    self.name = name
  }
}

/// As above, for files whose names may be others than their paths.
public func loadFiles(_ files: [LooseFile], manifest path: String?) throws(BundleError) -> Deployment {
  let manifestPath =
    path ?? files.first { FileRecognition.kind(named: URL(fileURLWithPath: $0.name).lastPathComponent) == .manifest }?.path
  let manifest = try manifestPath.map { path throws(BundleError) in try readManifest(path: path, name: path) }
  var seen: Set<String> = []
  var byDirectory: [String: HostFiles] = [:]
  var notes: [StateNote] = []
  for loose in files {
    let (path, name) = (loose.path, loose.name)
    // A path of /proc may lead to a file without a name.
    let isNameless = path.hasPrefix("/proc/self/fd/") && path != name
    guard let type = isNameless ? .typeRegular : fileType(path) else {
      throw BundleError(file: path, reason: fileProblem(path))
    }
    let url = URL(fileURLWithPath: name)
    let target = isNameless ? path : URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard type != .typeRegular || seen.insert(target).inserted else { continue }
    if type == .typeDirectory {
      throw BundleError(file: path, reason: "a directory among loose files; a bundle is given alone")
    }
    // What can be read only once is taken for a capture, unseen.
    let kind = type == .typeRegular ? BundleDiscovery.kind(path: path, base: url.lastPathComponent) : .capture
    let directory = url.deletingLastPathComponent().standardizedFileURL.path
    var host = byDirectory[directory] ?? HostFiles(name: BundleDiscovery.hostName(ofDirectory: directory))
    let file = FoundFile(path: path, name: name, kind: kind)
    switch kind {
    case .capture: host.captures.append(file)
    case .quiet, .manifest: break
    case .unknown: notes.append(StateNote(kind: .ignored, file: name, text: "neither a capture nor known state"))
    default: host.before.append(file)
    }
    byDirectory[directory] = host
  }
  var hosts: [HostFiles] = []
  for directory in byDirectory.keys.sorted() {
    if let host = byDirectory[directory] { HostFiles.add(host.spread(manifest: manifest), to: &hosts) }
  }
  return try assemble(root: "", hosts: hosts, manifest: manifest, notes: notes)
}

private func readManifest(path: String, name: String) throws(BundleError) -> Manifest {
  var notes: [StateNote] = []
  let file = FoundFile(path: path, name: name, kind: .manifest)
  guard let bytes = StateFiles.bytes(of: file, notes: &notes) else {
    throw BundleError(file: name, reason: notes.first?.text ?? "cannot be read")
  }
  return try Manifest.read(String(decoding: bytes, as: UTF8.self), file: name)
}

private func assemble(
  root: String, hosts: [HostFiles], manifest: Manifest?, notes: [StateNote]
) throws(BundleError) -> Deployment {
  // The host of each note, by name: indices come with the assembly.
  var notes = notes
  var owners = notes.map { $0.file.split(separator: "/").first.map(String.init) }
  var neutron = NeutronExport()
  var evidence: [HostEvidence] = []
  for files in hosts {
    var item = HostEvidence(name: files.name)
    item.captures = files.captures
    for (list, isAfter) in [(files.before, false), (files.after, true)] where !list.isEmpty {
      let state = StateFiles(list, neutron: &neutron)
      var builder = OVSStateBuilder(state)
      let built = builder.build()
      if isAfter { item.after = built } else { item.before = built }
      IPDevices.merge(state.devices, into: &item.devices)
      if let name = state.hostName { item.aliases.insert(name) }
      notes += state.notes + builder.notes
      owners += Array(repeating: files.name, count: notes.count - owners.count)
    }
    // A directory with nothing but Neutron's answers is no host.
    let isHost = !item.captures.isEmpty || item.before != nil || item.after != nil || !item.devices.isEmpty
    if isHost { evidence.append(item) }
  }
  let copies = HostCopies.leaveOut(of: &evidence)
  notes += copies
  owners += Array(repeating: nil, count: copies.count)
  if neutron.malformed > 0 {
    notes.append(
      StateNote(kind: .unreadable, file: "", text: "\(neutron.malformed) entries of Neutron's answers cannot be read"))
  }
  let assembly = Assembly(root: root, evidence: evidence, manifest: manifest, neutron: neutron, notes: notes)
  var deployment = assembly.deployment
  guard !deployment.hosts.isEmpty || !deployment.networks.isEmpty else {
    throw BundleError(file: root.isEmpty ? "input" : root, reason: "holds neither captures nor state of any host")
  }
  for (index, owner) in owners.enumerated() {
    deployment.notes[index].host = owner.flatMap { deployment.hostIndex(named: $0) }
  }
  return deployment
}

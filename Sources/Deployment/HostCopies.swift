import Foundation
import Wire

/// Finds directories that describe one host twice: a copy left beside the original, or two collections of the same
/// host. Both at once would make every frame and every port of it look doubled.
enum HostCopies {
  /// Leaves out all but the first of the directories that describe one host (one with captures goes before one
  /// without), and captures that lie under the names of two ports, and says so.
  static func leaveOut(of evidence: inout [HostEvidence]) -> [StateNote] {
    var notes: [StateNote] = []
    var kept: [(item: HostEvidence, identity: Identity)] = []
    for item in evidence.sorted(by: { naturallyPrecedes($0.name, $1.name) }) {
      let identity = Identity(item)
      let original = kept.indices.lazy.compactMap { known in
        kept[known].identity.reason(sameAs: identity).map { (known, $0) }
      }.first
      guard let (at, reason) = original else {
        var item = item
        notes += leaveOutCopies(of: &item.captures)
        for known in kept {
          for (twin, file) in known.identity.sharedCaptures(with: identity) {
            item.captures.removeAll { $0.path == file.path }
            notes.append(
              StateNote(
                kind: .disputed, file: file.name,
                text: "the same capture as \(twin.name), though these are two hosts: it was left out here, and one "
                  + "of the two is in the wrong place"))
          }
        }
        kept.append((item, identity))
        continue
      }
      let first = kept[at].item
      if first.captures.isEmpty, !item.captures.isEmpty {
        notes.append(
          StateNote(
            kind: .disputed, file: "",
            text: "\(first.name) and \(item.name) describe one host (\(reason)): \(first.name), which has no captures, was "
              + "left out; keep only one of them in the bundle"))
        kept[at] = (item, identity)
        continue
      }
      notes.append(
        StateNote(
          kind: .disputed, file: "",
          text: "\(first.name) and \(item.name) describe one host (\(reason)): \(item.name) was left out; "
            + "keep only one of them in the bundle"))
    }
    evidence = kept.map(\.item)
    return notes
  }

  /// Takes out captures that are the same though their names are those of two ports: nothing tells whose they are.
  private static func leaveOutCopies(of captures: inout [FoundFile]) -> [StateNote] {
    var notes: [StateNote] = []
    var twins: Set<String> = []
    let sizes = captures.map { (try? FileManager.default.attributesOfItem(atPath: $0.path))?[.size] as? NSNumber }
    for (index, file) in captures.enumerated() {
      guard let place = Place(file) else { continue }
      for (number, other) in captures.enumerated().dropFirst(index + 1) where sizes[number] == sizes[index] {
        guard let its = Place(other), its != place, Identity.isSame(file.path, other.path) else { continue }
        twins.formUnion([file.path, other.path])
        notes.append(
          StateNote(
            kind: .disputed, file: file.name,
            text: "the same capture as \(other.name), and the names are those of two interfaces: both were left out"))
      }
    }
    captures.removeAll { twins.contains($0.path) }
    return notes
  }

  /// What the name of a capture says it is of: a port, or another interface.
  private struct Place: Equatable {
    /// The beginning of the port's UUID; empty for interfaces that are no port's.
    var port = ""

    init?(_ file: FoundFile) {
      guard let name = readCaptureName(file.base, known: []).interface else { return nil }
      // Devices in series around one port: tap, qvb, qvo.
      for kind in ["tap", "qvo", "qvb", "qbr", "vhu", "qr-"] where name.hasPrefix(kind) {
        port = String(name.dropFirst(kind.count).prefix(11))
      }
    }
  }

  /// What only one host can have.
  private struct Identity {
    /// UUIDs of Neutron ports, and names of interfaces that are made of them.
    var ports: Set<String> = []
    var endpoints: Set<IPAddress> = []
    var names: Set<String>
    var captures: [FoundFile]

    init(_ item: HostEvidence) {
      names = item.aliases
      captures = item.captures
      for bridge in [item.before, item.after].compactMap({ $0 }).flatMap(\.bridges) {
        for port in bridge.ports {
          if let uuid = port.externalIDs["iface-id"], !uuid.isEmpty {
            ports.insert(uuid.lowercased())
          } else if ["qvo", "tap", "vhu"].contains(port.name.prefix(3)) {
            ports.insert(port.name)
          }
          if let local = port.options["local_ip"].flatMap({ ipAddress($0) }) { endpoints.insert(local) }
        }
      }
    }

    /// Why the other is the same host; nil where it need not be. A live migration shows one port on two hosts, and
    /// a wrong configuration one endpoint on two: only both together, or the very same captures, are proof.
    func reason(sameAs other: Identity) -> String? {
      let shared = ports.intersection(other.ports)
      let common = endpoints.intersection(other.endpoints).sorted()
      if !shared.isEmpty, shared.count * 2 > min(ports.count, other.ports.count) {
        let words = shared.count == 1 ? "port \(shared.first ?? "")" : "\(shared.count) of their ports"
        if let address = common.first { return "both have tunnel endpoint \(address) and \(words)" }
        if let name = names.intersection(other.names).sorted().first { return "both call themselves \(name) and have \(words)" }
      }
      guard !isDistinct(from: other), let (file, twin) = sharedCaptures(with: other).first else { return nil }
      return "\(file.name) and \(twin.name) are the same capture"
    }

    /// Whether state says that the two are different hosts.
    private func isDistinct(from other: Identity) -> Bool {
      let hasPorts = !ports.isEmpty && !other.ports.isEmpty && ports.isDisjoint(with: other.ports)
      let hasEndpoints =
        !endpoints.isEmpty && !other.endpoints.isEmpty && endpoints.isDisjoint(with: other.endpoints)
      return hasPorts || hasEndpoints
    }

    /// Captures of this host that the other has as well, by what is in them.
    func sharedCaptures(with other: Identity) -> [(FoundFile, FoundFile)] {
      captures.flatMap { file in
        other.captures.filter { $0.base == file.base && Identity.isSame(file.path, $0.path) }.map { (file, $0) }
      }
    }

    /// Whether two captures with frames have the same size, beginning and end.
    static func isSame(_ path: String, _ other: String) -> Bool {
      guard let a = FileHandle(forReadingAtPath: path), let b = FileHandle(forReadingAtPath: other) else { return false }
      defer {
        try? a.close()
        try? b.close()
      }
      let piece: UInt64 = 65_536
      // A capture without frames is the same everywhere.
      guard fileType(path) == .typeRegular, fileType(other) == .typeRegular, let size = try? a.seekToEnd(), size > 512,
        let otherSize = try? b.seekToEnd(), size == otherSize
      else { return false }
      for start in Set([0, size - min(size, piece)]) {
        guard (try? a.seek(toOffset: start)) != nil, (try? b.seek(toOffset: start)) != nil,
          let x = try? a.read(upToCount: Int(piece)), let y = try? b.read(upToCount: Int(piece)), x == y
        else { return false }
      }
      return true
    }
  }
}

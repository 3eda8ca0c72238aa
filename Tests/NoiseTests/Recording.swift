import CaptureFiles
import Deployment
import Foundation
import Observations

/// One capture file of a bundle, in memory, to be rewritten.
struct Recording: Sendable {
  struct Frame: Sendable {
    var bytes: [UInt8]
    var time: Int64
    var wireLength: Int
    var interface: Int
    var direction: FrameRecord.Direction
    /// Number in the file as it was recorded, from 1.
    var origin: UInt64
  }

  /// Path below the bundle.
  var file: String
  /// Index into the deployment's captures.
  var capture: Int
  var host: String
  var interfaces: [CaptureInterface]
  var isPcapng: Bool
  var frames: [Frame]
}

/// A bundle with its captures in memory: what noise is put on.
struct RecordedBundle: Sendable {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  /// Every directory below `Captures/` that says what must be found in it, or what was recorded: paths below it.
  static func names() -> [String] {
    var found: Set<String> = []
    let all = FileManager.default.enumerator(atPath: root.path)
    while let path = all?.nextObject() as? String {
      let (directory, file) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
      if ["expect.yaml", "truth.json"].contains(file), !directory.isEmpty { found.insert(directory) }
    }
    return found.sorted()
  }

  let name: String
  var recordings: [Recording]
  /// Paths below the bundle of all that is no capture.
  private(set) var otherFiles: [String]
  /// What those of them hold that noise changes.
  var changedFiles: [String: Data] = [:]
  /// Points and addresses of the recording without noise.
  let survey: SurveyResult

  init(_ name: String) throws {
    self.name = name
    let directory = RecordedBundle.root.appendingPathComponent(name)
    let deployment = try loadBundle(path: directory.path)
    survey = Observations.survey(deployment, seed: 0)
    recordings = []
    for (index, source) in deployment.captures.enumerated() {
      var reader = try CaptureReader(path: source.path)
      var recording = Recording(
        file: source.name, capture: index, host: deployment.hosts[source.host].name, interfaces: [],
        isPcapng: reader.kind == .pcapng, frames: [])
      var batch = FrameBatch()
      // Of a file that is cut, what can be read.
      while (try? reader.next(into: &batch)) ?? false {
        for record in batch.frames {
          recording.frames.append(
            Recording.Frame(
              bytes: Array(batch.bytes[record.start..<(record.start + record.capturedLength)]), time: record.time,
              wireLength: record.wireLength, interface: record.interface, direction: record.direction,
              origin: record.number))
        }
      }
      recording.interfaces = reader.interfaces
      recordings.append(recording)
    }
    let captures = Set(deployment.captures.map(\.name))
    var others: [String] = []
    let all = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: [.isRegularFileKey])
    while let item = all?.nextObject() as? URL {
      guard try item.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
      let path = String(item.path.dropFirst(directory.path.count + 1))
      if !captures.contains(path) { others.append(path) }
    }
    otherFiles = others.sorted()
  }

  /// Earliest and latest time of all frames.
  var span: ClosedRange<Int64> {
    let times = recordings.flatMap { $0.frames.map(\.time) }
    return (times.min() ?? 0)...(times.max() ?? 0)
  }

  /// Octets that a file has of each frame, by its number.
  func lengths(of file: String) -> [UInt64: Int] {
    var lengths: [UInt64: Int] = [:]
    for recording in recordings where recording.file == file {
      for frame in recording.frames { lengths[frame.origin] = frame.bytes.count }
    }
    return lengths
  }

  /// Hosts with captures, in the deployment's order.
  var hosts: [String] {
    survey.deployment.hosts.map(\.name).filter { name in recordings.contains { $0.host == name } }
  }

  /// Writes the bundle to a directory of its own, hands that to `body`, and removes it.
  func written<Result>(_ body: (String) throws -> Result) throws -> Result {
    let manager = FileManager.default
    let source = RecordedBundle.root.appendingPathComponent(name)
    let copy = manager.temporaryDirectory.appendingPathComponent("lanecheck-noise-\(UUID().uuidString)")
    defer { try? manager.removeItem(at: copy) }
    var made: Set<String> = []
    func makeDirectory(of path: String) throws {
      let directory = copy.appendingPathComponent(path).deletingLastPathComponent()
      if made.insert(directory.path).inserted {
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
      }
    }
    for path in otherFiles {
      try makeDirectory(of: path)
      if let changed = changedFiles[path] {
        try changed.write(to: copy.appendingPathComponent(path))
      } else {
        try manager.copyItem(at: source.appendingPathComponent(path), to: copy.appendingPathComponent(path))
      }
    }
    for recording in recordings {
      try makeDirectory(of: recording.file)
      try recording.write(to: copy.appendingPathComponent(recording.file).path)
    }
    return try body(copy.path)
  }
}

extension Recording {
  func write(to path: String) throws {
    if isPcapng {
      var writer = try PcapngWriter(path: path)
      for interface in interfaces { _ = try writer.addInterface(interface) }
      for frame in frames {
        try writer.write(
          frame.bytes.span, time: frame.time, interface: frame.interface, wireLength: frame.wireLength,
          direction: frame.direction)
      }
      try writer.finish()
    } else {
      let interface = interfaces.first
      var writer = try PcapWriter(
        path: path, linkType: interface?.linkType ?? 1, snapLength: interface?.snapLength ?? 0)
      for frame in frames { try writer.write(frame.bytes.span, time: frame.time, wireLength: frame.wireLength) }
      try writer.finish()
    }
  }
}

/// Numbers that are the same in every run (SplitMix64).
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  /// Seeded by a text.
  init(_ text: String) {
    state = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func happens(_ percent: Double) -> Bool { Double.random(in: 0..<100, using: &self) < percent }
}

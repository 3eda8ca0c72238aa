import CaptureFiles
import Foundation

/// What real captures do to a recording. None of it changes what the network did.
enum Noise: Hashable, Sendable, CustomStringConvertible {
  /// A host's clock is off by so much, in nanoseconds.
  case skew(host: String, by: Int64)
  /// A host's clock runs fast or slow, in parts per million.
  case drift(host: String, ppm: Int64)
  /// A host's clock is set in the middle.
  case step(host: String, by: Int64)
  /// The clocks of two hosts are set, at a third and at two thirds of the time.
  case steps(host: String, by: Int64, other: String, otherBy: Int64)
  /// Every host's clock is hours off, each by other hours.
  case zones
  /// The capture of a file dropped records.
  case loss(file: String, percent: Double)
  /// All captures were made with a short snap length.
  case snap(Int)
  /// A file holds some records twice.
  case duplicates(file: String, percent: Double)
  /// Records of a file, or of all, were written in another order, within 5 ms.
  case disorder(file: String?)
  /// A file is missing.
  case missing(file: String)
  /// The first half of a file, or of all of a host's, or of all, is missing.
  case late(file: String)
  case lateHost(host: String)
  case lateAll
  /// Receiving points show TCP segments merged (GRO), sending ones unsegmented frames (GSO), or both.
  case merged(MergedSegments.Side)

  /// The kind of noise, for tables and selection.
  var kind: String {
    switch self {
    case .skew: "skew"
    case .drift: "drift"
    case .step, .steps: "step"
    case .zones: "zones"
    case .loss(_, let percent): "loss \(Int(percent)) %"
    case .snap(let length): "snap \(length)"
    case .duplicates: "duplicates"
    case .disorder: "disorder"
    case .missing: "missing"
    case .late, .lateHost, .lateAll: "late"
    case .merged: "merged"
    }
  }

  var description: String {
    func ms(_ time: Int64) -> String { "\(time >= 0 ? "+" : "")\(Double(time) / 1e9) s" }
    return switch self {
    case .skew(let host, let size): "skew \(host) \(ms(size))"
    case .drift(let host, let ppm): "drift \(host) \(ppm) ppm"
    case .step(let host, let size): "step \(host) \(ms(size))"
    case .steps(let host, let size, let other, let its): "steps \(host) \(ms(size)), \(other) \(ms(its))"
    case .zones: "zones"
    case .loss(let file, let percent): "loss \(file) \(Int(percent)) %"
    case .snap(let length): "snap \(length)"
    case .duplicates(let file, let percent): "duplicates \(file) \(Int(percent)) %"
    case .disorder(let file): "disorder \(file ?? "all")"
    case .missing(let file): "missing \(file)"
    case .late(let file): "late \(file)"
    case .lateHost(let host): "late \(host)"
    case .lateAll: "late all"
    case .merged(let side): "merged \(side)"
    }
  }

  static let stepSizes: [Int64] = [
    5_000_000, -5_000_000, 50_000_000, -50_000_000, 1_000_000_000, -1_000_000_000, 10_000_000_000, -10_000_000_000,
    3_600_000_000_000, -3_600_000_000_000,
  ]

  /// All that a bundle is tried with.
  static func all(for bundle: RecordedBundle) -> [Noise] {
    var list: [Noise] = [.zones, .lateAll, .disorder(file: nil), .snap(64), .snap(96), .snap(128)]
    list += MergedSegments.Side.allCases.map { .merged($0) }
    for host in bundle.hosts {
      list += [.skew(host: host, by: 10_000_000_000), .skew(host: host, by: -10_000_000_000)]
      list += [.drift(host: host, ppm: 100), .drift(host: host, ppm: -100)]
      list += stepSizes.map { .step(host: host, by: $0) }
      list.append(.lateHost(host: host))
    }
    if let one = bundle.hosts.first, let other = bundle.hosts.dropFirst().first {
      list += [
        .steps(host: one, by: 2_000_000_000, other: other, otherBy: -700_000_000),
        .steps(host: one, by: -40_000_000, other: other, otherBy: 3_600_000_000_000),
      ]
    }
    for file in bundle.recordings.map(\.file) {
      list += [1, 10, 30].map { .loss(file: file, percent: $0) }
      list += [.duplicates(file: file, percent: 10), .duplicates(file: file, percent: 100), .disorder(file: file)]
      list.append(.late(file: file))
      // Without any capture there is nothing to verify.
      if bundle.recordings.count > 1 { list.append(.missing(file: file)) }
    }
    return list
  }

  /// What the clocks of hosts show at a true time, in nanoseconds; nil where noise leaves all clocks alone.
  func clocks(of bundle: RecordedBundle) -> [String: (Int64) -> Int64]? {
    let span = bundle.span
    let (start, duration) = (span.lowerBound, span.upperBound - span.lowerBound)
    switch self {
    case .skew(let host, let size): return [host: { $0 + size }]
    case .drift(let host, let ppm): return [host: { $0 + ($0 - start) / 1000 * ppm / 1000 }]
    case .step(let host, let size): return [host: { $0 >= start + duration / 2 ? $0 + size : $0 }]
    case .steps(let host, let size, let other, let its):
      return [
        host: { $0 >= start + duration / 3 ? $0 + size : $0 },
        other: { $0 >= start + duration / 3 * 2 ? $0 + its : $0 },
      ]
    case .zones:
      // UTC, five and a half hours ahead, one hour behind, and on.
      let hours: [Int64] = [0, 19_800, -3600, 3600, -18_000]
      return Dictionary(
        uniqueKeysWithValues: bundle.hosts.enumerated().map { index, host in
          (host, { $0 + hours[index % hours.count] * 1_000_000_000 })
        })
    default: return nil
    }
  }

  func apply(to bundle: inout RecordedBundle) {
    let span = bundle.span
    let middle = span.lowerBound + (span.upperBound - span.lowerBound) / 2
    for (host, clock) in clocks(of: bundle) ?? [:] { bundle.setClock(of: host, clock) }
    switch self {
    case .skew, .drift, .step, .steps, .zones: break
    case .loss(let file, let percent):
      var chance = Chance("\(bundle.name) \(self)")
      bundle.rewrite(file) { $0.filter { _ in !chance.happens(percent) } }
    case .snap(let length):
      for index in bundle.recordings.indices { bundle.recordings[index].cut(to: length) }
    case .duplicates(let file, let percent):
      var chance = Chance("\(bundle.name) \(self)")
      bundle.rewrite(file) { frames in
        frames.flatMap { frame -> [Recording.Frame] in
          guard chance.happens(percent) else { return [frame] }
          var twin = frame
          twin.time += Int64.random(in: 0..<20_000, using: &chance)
          return [frame, twin]
        }
      }
    case .disorder(let file):
      var chance = Chance("\(bundle.name) \(self)")
      for name in bundle.recordings.map(\.file) where file == nil || name == file {
        bundle.rewrite(name) { frames in
          let keys = frames.map { $0.time + Int64.random(in: 0..<5_000_000, using: &chance) }
          return frames.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }.map { frames[$0] }
        }
      }
    case .missing(let file): bundle.recordings.removeAll { $0.file == file }
    case .late(let file): bundle.rewrite(file) { $0.filter { $0.time >= middle } }
    case .lateHost(let host):
      for file in bundle.recordings.filter({ $0.host == host }).map(\.file) {
        bundle.rewrite(file) { $0.filter { $0.time >= middle } }
      }
    case .lateAll:
      for file in bundle.recordings.map(\.file) { bundle.rewrite(file) { $0.filter { $0.time >= middle } } }
    case .merged(let side): MergedSegments(bundle, side).apply(to: &bundle)
    }
  }
}

extension RecordedBundle {
  fileprivate mutating func setClock(of host: String, _ shown: (Int64) -> Int64) {
    for index in recordings.indices where recordings[index].host == host {
      for frame in recordings[index].frames.indices {
        recordings[index].frames[frame].time = shown(recordings[index].frames[frame].time)
      }
    }
    // The host's state was taken by the same clock.
    for path in otherFiles where path.hasPrefix(host + "/") && path.hasSuffix("collected.json") {
      let file = RecordedBundle.root.appendingPathComponent("\(name)/\(path)")
      guard let data = try? Data(contentsOf: file), let text = try? JSONSerialization.jsonObject(with: data),
        var collected = text as? [String: Any], let taken = collected["taken"] as? [String: Double]
      else { continue }
      collected["taken"] = taken.mapValues { Double(shown(Int64($0 * 1e9))) / 1e9 }
      changedFiles[path] = try? JSONSerialization.data(withJSONObject: collected, options: .sortedKeys)
    }
  }

  fileprivate mutating func rewrite(_ file: String, _ change: ([Recording.Frame]) -> [Recording.Frame]) {
    for index in recordings.indices where recordings[index].file == file {
      recordings[index].frames = change(recordings[index].frames)
    }
  }
}

extension Recording {
  /// What a capture with that snap length would hold: the frames cut, and the length in the file's header.
  fileprivate mutating func cut(to length: Int) {
    for index in interfaces.indices {
      let known = Int(interfaces[index].snapLength)
      interfaces[index].snapLength = UInt32(known == 0 ? length : min(known, length))
    }
    for index in frames.indices where frames[index].bytes.count > length {
      frames[index].bytes.removeLast(frames[index].bytes.count - length)
    }
  }
}

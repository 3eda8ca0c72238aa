import CaptureFiles
import Reporting
import Wire

/// What `inspect` is asked to do.
public struct InspectOptions: Sendable {
  public enum Format: String, Sendable, CaseIterable { case text, json }
  /// `-` is standard input.
  public var path: String
  public var format = Format.text
  /// Marks beyond ASCII in text.
  public var unicode = true
  /// A tcpdump expression, applied to each record as captured.
  public var filter: String?
  /// At most so many frames; nil for all.
  public var count: UInt64?
  /// UDP ports that carry VXLAN and Geneve.
  public var tunnels = TunnelPorts.common

  public init(path: String) { self.path = path }
}

/// Shows the frames of a capture file, one per line. `write` gets the text piece by piece and returns false
/// to stop early (a closed pipe). Damage is thrown after all frames before it have been written.
public func inspect(_ options: InspectOptions, write: ([UInt8]) -> Bool) throws(JobError) {
  switch options.format {
  case .text:
    var renderer = InspectText(unicode: options.unicode)
    try render(options, with: &renderer, write)
  case .json:
    var renderer = InspectJSON()
    try render(options, with: &renderer, write)
  }
}

/// Bytes of text that are gathered before they are written.
private let pieceLength = 1 << 16

private func render(
  _ options: InspectOptions, with renderer: inout some FrameRenderer, _ write: ([UInt8]) -> Bool
) throws(JobError) {
  var reader: CaptureReader
  do throws(CaptureFileError) {
    reader =
      options.path == "-"
      ? try CaptureReader(standardInput: "standard input") : try CaptureReader(path: options.path)
  } catch {
    throw JobError(error.description)
  }
  var filters: [FrameFilter] = []
  var batch = FrameBatch()
  var shown: UInt64 = 0
  var frame = DecodedFrame()
  var failure: CaptureFileError?
  reading: while true {
    if let expression = options.filter { try compile(expression, for: reader.interfaces, into: &filters) }
    do throws(CaptureFileError) {
      guard try reader.next(into: &batch) else { break }
    } catch {
      failure = error
      break
    }
    let known = reader.interfaces
    if let expression = options.filter { try compile(expression, for: known, into: &filters) }
    for record in batch.frames {
      if let limit = options.count, shown >= limit { break reading }
      let interface = known[record.interface]
      let bytes = batch.bytes.span.extracting(record.start..<record.start + record.capturedLength)
      guard options.filter == nil || filters[record.interface].matches(bytes, wireLength: record.wireLength) else {
        continue
      }
      decode(bytes, wireLength: record.wireLength, linkType: interface.linkType, tunnels: options.tunnels, into: &frame)
      renderer.append(
        frame,
        InspectedFrame(
          number: record.number, time: record.time, interface: interface.name,
          direction: direction(record.direction), linkType: interface.linkType, wireLength: record.wireLength,
          capturedLength: record.capturedLength))
      shown += 1
      if renderer.count >= pieceLength {
        guard write(renderer.bytes) else { return }
        renderer.removeAll()
      }
    }
  }
  guard write(renderer.bytes) else { return }
  if let failure { throw JobError(failure.description) }
}

/// Adds a filter for each interface that has none yet: link types differ, and so do the compiled programs.
private func compile(
  _ expression: String, for interfaces: [CaptureInterface], into filters: inout [FrameFilter]
) throws(JobError) {
  for interface in interfaces.dropFirst(filters.count) {
    do throws(FrameFilter.SyntaxError) {
      filters.append(
        try FrameFilter(expression: expression, linkType: interface.linkType, snapLength: interface.snapLength))
    } catch {
      throw JobError(error.description)
    }
  }
}

private func direction(_ direction: FrameRecord.Direction) -> InspectedFrame.Direction {
  switch direction {
  case .unknown: .unknown
  case .inbound: .inbound
  case .outbound: .outbound
  }
}

import CaptureFiles
import Datapath
import Deployment
import Observations
import Wire

/// A frame that a guest's capture shows, in the reference clock.
struct GuestFrame {
  var time: Int64
  /// Index into `Deployment.ports`.
  var port: Int
  var frame: FabricFrame
  /// Of the capture file and the frame in it, from 1.
  var capture: Int
  var number: UInt64
}

/// The frames that captures of guests' ports show as sent by the guest, of all hosts in the order of time.
///
/// A port is read at one point only: its tap if that was captured, else its qvo or qvb. A frame is the guest's
/// where the capture says so, else where its source is one of the MACs that the port may use. Memory is bounded by
/// the rate of frames: captures are read side by side.
struct GuestFrames {
  /// Why frames of a guest's point were not taken for the guest's.
  struct Skipped {
    /// To the guest.
    var others: UInt64 = 0
    /// The capture holds no whole Ethernet header (Linux cooked).
    var undecodable: UInt64 = 0
  }

  private(set) var skipped = Skipped()
  /// Damage met while reading, with file and offset.
  private(set) var errors: [String] = []
  /// Ports whose frames are read, and where.
  private(set) var points: [Int: Int] = [:]
  private var streams: [Stream] = []
  private var frame = DecodedFrame()
  private var closed = TunnelPorts()
  private let survey: SurveyResult
  /// Per port: MACs that it may send from.
  private var macs: [Set<MACAddress>]

  private final class Stream {
    var reader: CaptureReader?
    var batch = FrameBatch()
    let capture: Int
    /// Point by interface of the file.
    var pointOfInterface: (Int) -> Int?
    var cursors: [ClockCursor] = []
    /// Sorted by time; the first `next` are gone.
    var ahead: [GuestFrame] = []
    var next = 0
    /// Nothing earlier is still to come.
    var reached = Int64.min

    init(_ capture: Int, reader: consuming CaptureReader, _ pointOfInterface: @escaping (Int) -> Int?) {
      self.capture = capture
      self.reader = consume reader
      self.pointOfInterface = pointOfInterface
    }

    /// Reads one batch. Returns false at the end.
    func read() throws(CaptureFileError) -> Bool { try reader?.next(into: &batch, limit: 1024) ?? false }

    var interfaces: [CaptureInterface] { reader?.interfaces ?? [] }

    func close() {
      reader = nil
      batch = FrameBatch()
      reached = .max
    }
  }

  init(_ survey: SurveyResult) {
    self.survey = survey
    closed.vxlan0 = 0
    closed.geneve = 0
    closed.gre = false
    macs = survey.deployment.ports.map { Set($0.macs + $0.allowedMACs) }
    choosePoints()
    for (index, source) in survey.deployment.captures.enumerated() { open(index, source) }
  }

  private mutating func choosePoints() {
    func preference(_ kind: PointKind) -> Int { kind == .tap ? 0 : kind == .qvo ? 1 : 2 }
    for (index, point) in survey.plan.points.enumerated() {
      guard let port = point.port, point.kind.isGuestSide, !point.captures.isEmpty else { continue }
      if let known = points[port], preference(survey.plan.points[known].kind) <= preference(point.kind) { continue }
      points[port] = index
    }
  }

  private mutating func open(_ index: Int, _ source: CaptureSource) {
    let chosen = Set(points.values)
    let route = survey.plan.routes[index]
    let choose: (Int) -> Int?
    switch route {
    case .point(let point) where chosen.contains(point) && survey.plan.points[point].captures.contains(index):
      choose = { _ in point }
    case .interfaces(let list) where list.contains(where: { $0.map(chosen.contains) ?? false }):
      choose = { interface in
        guard interface < list.count, let point = list[interface], chosen.contains(point) else { return nil }
        return point
      }
    case .indices(let list):
      // Linux cooked captures have no destination: nothing can be sent on from them.
      if list.values.contains(where: chosen.contains) { skipped.undecodable &+= 1 }
      return
    default: return
    }
    do throws(CaptureFileError) {
      streams.append(Stream(index, reader: try CaptureReader(path: source.path), choose))
    } catch {
      errors.append("\(source.name): offset \(error.offset): \(error.reason)")
    }
  }

  /// The next frame; nil at the end.
  mutating func next() -> GuestFrame? {
    while true {
      var best: Int?
      var bestTime = Int64.max
      // What may still come earlier must be read first.
      var behind: Int?
      for (index, stream) in streams.enumerated() {
        let isOpen = stream.reached != .max
        let time = stream.next < stream.ahead.count ? stream.ahead[stream.next].time : Int64.max
        if time < bestTime {
          best = index
          bestTime = time
        }
        if isOpen, behind.map({ stream.reached < streams[$0].reached }) ?? true { behind = index }
      }
      if let behind, streams[behind].reached <= bestTime {
        fill(streams[behind])
        continue
      }
      guard let best else { return nil }
      defer { streams[best].next += 1 }
      return streams[best].ahead[streams[best].next]
    }
  }

  private mutating func fill(_ stream: Stream) {
    stream.ahead.removeFirst(stream.next)
    stream.next = 0
    let source = survey.deployment.captures[stream.capture]
    do throws(CaptureFileError) {
      guard try stream.read() else {
        stream.close()
        return
      }
    } catch {
      errors.append("\(source.name): offset \(error.offset): \(error.reason)")
      stream.close()
      return
    }
    let interfaces = stream.interfaces
    let clock = source.host < survey.plan.clocks.count ? survey.plan.clocks[source.host] : ClockCorrection()
    var last: [Int64] = []
    for record in stream.batch.frames {
      while stream.cursors.count <= min(record.interface, 255) { stream.cursors.append(ClockCursor()) }
      let time = stream.cursors[min(record.interface, 255)].toReference(record.time, clock)
      if last.count == 16 { last.removeFirst() }
      last.append(time)
      guard let point = stream.pointOfInterface(record.interface), let port = survey.plan.points[point].port else {
        continue
      }
      let linkType = record.interface < interfaces.count ? interfaces[record.interface].linkType : 1
      guard linkType == 1 else {
        skipped.undecodable &+= 1
        continue
      }
      let bytes = stream.batch.bytes.span.extracting(record.start..<(record.start + record.capturedLength))
      decode(bytes, wireLength: record.wireLength, linkType: 1, tunnels: closed, into: &frame)
      guard frame.outer.hasSource, frame.outer.hasDestination else {
        skipped.undecodable &+= 1
        continue
      }
      guard isFromGuest(record, source, port, survey.plan.points[point].kind) else {
        skipped.others &+= 1
        continue
      }
      let copy = Array(stream.batch.bytes[record.start..<(record.start + record.capturedLength)])
      stream.ahead.append(
        GuestFrame(
          time: time, port: port, frame: FabricFrame(copy, wireLength: record.wireLength), capture: stream.capture,
          number: record.number))
    }
    stream.ahead.sort { ($0.time, $0.number) < ($1.time, $1.number) }
    // Within a file, frames may be this much out of order. A single wild time stamp says nothing of how far it is.
    if let position = last.min(), position > .min + Replay.disorder {
      stream.reached = max(stream.reached, min(position, .max - 1) - Replay.disorder)
    }
  }

  private func isFromGuest(_ record: FrameRecord, _ source: CaptureSource, _ port: Int, _ kind: PointKind) -> Bool {
    var isInbound: Bool?
    switch record.direction {
    case .inbound: isInbound = true
    case .outbound: isInbound = false
    case .unknown:
      if let direction = source.direction { isInbound = direction == .inbound }
    }
    // Into the host at a tap is from the guest; at qvb the guest lies on the transmitting side.
    if let isInbound { return isInbound == (kind != .qvb) }
    return macs[port].contains(frame.outer.source)
  }

  /// Whether a port may send from a MAC.
  func mayUse(_ port: Int, _ mac: MACAddress) -> Bool { macs[port].contains(mac) }
}

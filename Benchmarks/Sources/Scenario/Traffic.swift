import Wire

/// Plays the traffic of the overlay, and keeps account of what its captures show.
///
/// Of a hundred frames that guests send, about 94 go to a guest on the other host (four sightings), five to one
/// on their own (two), one is a broadcast (18); one in fifty of the first is sent again octet for octet. One in
/// a hundred sightings is lost, at every point alike. With superframes, one in fifty of the first is one that the host
/// cuts into segments on its way into the tunnel.
struct Traffic {
  private let overlay = Overlay()
  private let fault: ScenarioParameters.Fault?
  private var random: SplitMix64
  private var frames: Frames
  /// Nanoseconds since 1970.
  static let start: Int64 = 1_767_225_600_000_000_000
  private var clock = Traffic.start
  private var last: Unicast?
  /// Identical frames that were sent within a second of each other.
  private var families: [Family: Relatives] = [:]
  private(set) var expected: ExpectedReport

  private struct Unicast {
    var from: Int
    var to: Int
    var octets: [UInt8]
    var family: Family
  }

  private enum Family: Hashable {
    case unicast(UInt64)
    case question(from: Int, about: Int)
  }

  private struct Relatives {
    var last: Int64
    var count = 1
    /// Sightings lost, by what they would have counted for.
    var lostOut: UInt64
    var lostIn: UInt64
  }

  static let files = ["compute1/all.pcapng", "compute1/eth1.pcap", "compute2/all.pcapng", "compute2/eth1.pcap"]
  private static func guestFile(_ host: Int) -> Int { 2 * host }
  private static func tunnelFile(_ host: Int) -> Int { 2 * host + 1 }
  private static let second: Int64 = 1_000_000_000

  init(_ parameters: ScenarioParameters) {
    random = SplitMix64(seed: parameters.seed)
    frames = Frames(overlay, random: &random)
    fault = parameters.fault
    expected = ExpectedReport(parameters: parameters, verdict: parameters.fault == nil ? "pass" : "fail")
    expected.files = Self.files.map { ExpectedReport.File(path: $0) }
    for network in 0..<Overlay.networkCount {
      for (host, name) in Overlay.hostNames.enumerated() {
        expected.cells.append(
          ExpectedReport.Cell(
            host: name, network: Overlay.networkName(network), localVLAN: Overlay.localVLAN(network, on: host),
            vni: Overlay.vni(network)))
      }
    }
    if fault == .wrongVNI {
      expected.fault = ExpectedReport.Fault(
        rule: "wrong-vni", host: Overlay.hostNames[0], network: Overlay.networkName(0))
    }
  }

  /// Appends traffic until the block holds `sends` frames of guests, or the files have what was asked for. All
  /// that it sets off ends within the block: between two blocks the network rests.
  mutating func play(into block: inout CaptureBlock, sends: Int) {
    for _ in 0..<sends where expected.frames < expected.parameters.frames {
      clock += 20_000 + Int64(random.below(40_000))
      switch random.below(100) {
      case 0: flood(into: &block)
      case 1...5: sendLocally(into: &block)
      default: send(into: &block)
      }
    }
    clock += 2_000_000
    // A second later identical frames are frames of their own.
    families = families.filter { clock - $0.value.last < Self.second }
  }

  // MARK: What guests send

  private mutating func send(into block: inout CaptureBlock) {
    if let last, random.once(in: 50) {
      expected.repeated += 1
      carry(last, into: &block)
      return
    }
    let from = random.below(overlay.guests.count)
    let guest = overlay.guests[from]
    let to = Overlay.cell(guest.network, on: 1 - guest.host).lowerBound + random.below(Overlay.guestsPerCell)
    if expected.parameters.superframes, random.once(in: 50) {
      carrySegments(from: from, to: to, into: &block)
      return
    }
    let octets = frames.unicast(from: from, to: to, length: length(), random: &random)
    let frame = Unicast(from: from, to: to, octets: octets, family: .unicast(expected.trajectories.sent))
    last = frame
    carry(frame, into: &block)
  }

  private mutating func carry(_ frame: Unicast, into block: inout CaptureBlock) {
    let guest = overlay.guests[frame.from]
    let inner = block.keep(frame.octets)
    let vni = Overlay.vni(guest.network)
    let entry = record(inner, in: Self.guestFile(guest.host), at: clock, interface: tap(frame.from), &block)
    let way = cross(frame.octets, from: guest.host, vni: vni, flow: frame.from &* 257 &+ frame.to, &block)
    let delivered = record(
      inner, in: Self.guestFile(1 - guest.host), at: way.arrived + jitter(10, 25), interface: tap(frame.to), &block)
    count(guest, into: guest.network, entry: entry, way, deliveries: delivered ? 1 : 0, of: 1, frame.family)
  }

  /// What the guest's device sends in one piece, and everybody beyond sees in segments.
  private mutating func carrySegments(from: Int, to: Int, into block: inout CaptureBlock) {
    let guest = overlay.guests[from]
    let (whole, segments) = frames.superframe(from: from, to: to, segments: 2 + random.below(7))
    let entry = record(
      block.keep(whole), in: Self.guestFile(guest.host), at: clock, interface: tap(from), &block)
    expected.superframes += 1
    for segment in segments {
      let way = cross(
        segment, from: guest.host, vni: Overlay.vni(guest.network), flow: from &* 257 &+ to, &block)
      let delivered = record(
        block.keep(segment), in: Self.guestFile(1 - guest.host), at: way.arrived + jitter(10, 25), interface: tap(to),
        &block)
      count(
        guest, into: guest.network, entry: entry, way, deliveries: delivered ? 1 : 0, of: 1,
        .unicast(expected.trajectories.sent))
      clock += 2_000
    }
  }

  private mutating func sendLocally(into block: inout CaptureBlock) {
    let from = random.below(overlay.guests.count)
    let guest = overlay.guests[from]
    let cell = Overlay.cell(guest.network, on: guest.host)
    var to = cell.lowerBound + random.below(Overlay.guestsPerCell - 1)
    if to >= from { to += 1 }
    let inner = block.keep(frames.unicast(from: from, to: to, length: length(), random: &random))
    let file = Self.guestFile(guest.host)
    let entry = record(inner, in: file, at: clock, interface: tap(from), &block)
    let delivered = record(inner, in: file, at: clock + jitter(8, 20), interface: tap(to), &block)
    expected.trajectories.sent += 1
    if entry || delivered { expected.trajectories.seen += 1 }
  }

  private mutating func flood(into block: inout CaptureBlock) {
    let from = random.below(overlay.guests.count)
    let guest = overlay.guests[from]
    let here = Overlay.cell(guest.network, on: guest.host)
    let about = random.below(Overlay.guestsPerCell) + Overlay.cell(guest.network, on: 1 - guest.host).lowerBound
    let octets = frames.question(from: from, about: about)
    let inner = block.keep(octets)
    let isWrong = fault == .wrongVNI && guest.host == 0 && guest.network == 0
    let lane = isWrong ? 1 : guest.network
    let sent = clock
    let entry = record(inner, in: Self.guestFile(guest.host), at: sent, interface: tap(from), &block)
    for other in here where other != from {
      _ = record(inner, in: Self.guestFile(guest.host), at: sent + jitter(8, 40), interface: tap(other), &block)
    }
    let way = cross(octets, from: guest.host, vni: Overlay.vni(lane), flow: from, &block)
    var deliveries = 0
    let receivers = Overlay.cell(lane, on: 1 - guest.host)
    for receiver in receivers {
      let time = way.arrived + jitter(10, 45)
      if record(inner, in: Self.guestFile(1 - guest.host), at: time, interface: tap(receiver), &block) {
        deliveries += 1
      }
    }
    expected.floods += 1
    count(
      guest, into: lane, entry: entry, way, deliveries: deliveries, of: receivers.count,
      .question(from: from, about: about))
    if isWrong, expected.fault != nil {
      expected.fault?.count.sent += 1
      if entry && way.left { expected.fault?.count.seen += 1 }
    }
  }

  // MARK: On the way

  private struct Way {
    var left: Bool
    var seenArriving: Bool
    var arrived: Int64
  }

  private mutating func cross(
    _ octets: [UInt8], from host: Int, vni: UInt32, flow: Int, _ block: inout CaptureBlock
  ) -> Way {
    let outer = block.keep(frames.encapsulated(octets, vni: vni, from: host, to: 1 - host, flow: flow))
    let left = clock + jitter(12, 30)
    let arrived = left + jitter(60, 160)
    let seenLeaving = record(outer, in: Self.tunnelFile(host), at: left, interface: 0, &block)
    let seenArriving = record(outer, in: Self.tunnelFile(1 - host), at: arrived, interface: 0, &block)
    return Way(left: seenLeaving, seenArriving: seenArriving, arrived: arrived)
  }

  /// Writes a sighting, unless the capture loses it.
  private mutating func record(
    _ frame: Range<Int>, in file: Int, at time: Int64, interface: Int, _ block: inout CaptureBlock
  ) -> Bool {
    if random.once(in: 100) {
      expected.files[file].lost += 1
      return false
    }
    expected.files[file].frames += 1
    expected.frames += 1
    block.record(frame, in: file, time: time, interface: interface)
    return true
  }

  /// Interface number in the file of the guest's host.
  private func tap(_ guest: Int) -> Int { guest % (overlay.guests.count / Overlay.hostNames.count) }

  /// Between so many microseconds, in nanoseconds.
  private mutating func jitter(_ least: Int, _ most: Int) -> Int64 {
    Int64(least * 1000 + random.below((most - least) * 1000))
  }

  /// Small, middling and full frames, 7 to 4 to 1, and a tenth of any length between.
  private mutating func length() -> Int {
    if random.once(in: 10) { return 64 + random.below(1387) }
    switch random.below(12) {
    case 0..<7: return 64
    case 7..<11: return 576
    default: return 1450
    }
  }

  // MARK: Account

  private func cell(_ network: Int, on host: Int) -> Int { network * Overlay.hostNames.count + host }

  private mutating func count(
    _ guest: Overlay.Guest, into lane: Int, entry: Bool, _ way: Way, deliveries: Int, of all: Int, _ family: Family
  ) {
    expected.trajectories.sent += 1
    if entry || way.left || way.seenArriving || deliveries > 0 { expected.trajectories.seen += 1 }
    let out = cell(guest.network, on: guest.host)
    expected.cells[out].out.sent += 1
    if entry && way.left { expected.cells[out].out.seen += 1 }
    // The receiving host cannot tell that a frame in its lane began in another.
    let into = cell(lane, on: 1 - guest.host)
    expected.cells[into].in.sent += 1
    if way.seenArriving && deliveries > 0 { expected.cells[into].in.seen += 1 }
    let lostOut: UInt64 = (entry ? 0 : 1) + (way.left ? 0 : 1)
    let lostIn = (way.seenArriving ? 0 : 1) + UInt64(all - deliveries)
    var unsure: (out: UInt64, in: UInt64) = (0, 0)
    if var relatives = families[family], clock - relatives.last < Self.second {
      relatives.count += 1
      relatives.last = clock
      relatives.lostOut += lostOut
      relatives.lostIn += lostIn
      unsure = relatives.count == 2 ? (relatives.lostOut, relatives.lostIn) : (lostOut, lostIn)
      families[family] = relatives
    } else {
      families[family] = Relatives(last: clock, lostOut: lostOut, lostIn: lostIn)
    }
    expected.cells[out].out.unsure += unsure.out
    expected.cells[into].in.unsure += unsure.in
    expected.trajectories.unsure += unsure.out + unsure.in
    if lane != guest.network { expected.fault?.count.unsure += unsure.out }
  }
}

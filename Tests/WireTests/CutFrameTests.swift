import Testing

@testable import Wire

/// Every sample, cut at every length.
@Suite struct CutFrameTests {
  @Test(arguments: samples)
  func cutFrameTellsWhereItEnds(sample: Sample) {
    let full = FrameValue(decoded(sample))
    var wholeFrom = sample.bytes.count
    for length in stride(from: sample.bytes.count, through: 0, by: -1) {
      let cut = decoded(sample, cutAt: length)
      if FrameValue(cut) == full {
        #expect(wholeFrom == length + 1 || length == sample.bytes.count, "whole again at \(length)")
        wholeFrom = length
        continue
      }
      let stop = cut.outer.stop.reason == .cutByCapture ? cut.outer.stop : cut.inner.stop
      #expect(stop.reason == .cutByCapture, "at \(length)")
      #expect(stop.limit == .captured && stop.have < stop.need, "at \(length)")
      #expect(Int(stop.offset) + Int(stop.have) == length)
    }
    // Were no header needed, nothing would be tested.
    #expect(wholeFrom >= 14)
  }

  @Test(arguments: samples)
  func cutFrameKeepsTheHeadersBeforeTheCut(sample: Sample) {
    let full = decoded(sample)
    for length in 0..<sample.bytes.count {
      let cut = decoded(sample, cutAt: length)
      expectPrefix(cut.outer, of: full.outer, "outer, cut at \(length)")
      if cut.hasInner { expectPrefix(cut.inner, of: full.inner, "inner, cut at \(length)") }
      #expect(cut.tunnel == full.tunnel || cut.tunnel == TunnelHeader(), "cut at \(length)")
      #expect(!cut.hasInner || full.hasInner)
    }
  }

  @Test(arguments: samples)
  func shorterCaptureNeverShowsMore(sample: Sample) {
    var depth = -1
    for length in 0...sample.bytes.count {
      let cut = decoded(sample, cutAt: length)
      var now = 0
      for part in [cut.outer] + (cut.hasInner ? [cut.inner] : []) {
        now += [part.hasDestination || part.hasSource, part.network != .none, part.transport != .none].count { $0 }
        now += Int(part.tags.count)
      }
      #expect(now >= depth, "at \(length)")
      depth = now
    }
  }

  @Test(arguments: samples)
  func frameTooShortForItsHeadersIsMalformed(sample: Sample) {
    // The same cuts, but the frame was that short on the wire. Nothing is blamed on the capture then,
    // save what may be in another fragment.
    let full = decoded(sample)
    let hasPartial = full.outer.moreFragments || full.inner.moreFragments
    for length in 0..<sample.bytes.count {
      let short = decoded(Array(sample.bytes[..<length]), linkType: sample.linkType)
      guard !hasPartial else { continue }
      #expect(short.outer.stop.reason != .cutByCapture, "at \(length)")
      #expect(short.tunnel.kind == .none || short.inner.stop.reason != .cutByCapture, "at \(length)")
    }
  }

  private func decoded(_ sample: Sample, cutAt length: Int) -> DecodedFrame {
    WireTests.decoded(Array(sample.bytes[..<length]), wireLength: sample.bytes.count, linkType: sample.linkType)
  }

  private func decoded(_ sample: Sample) -> DecodedFrame { WireTests.decoded(sample) }

  private func decoded(_ bytes: [UInt8], linkType: UInt16) -> DecodedFrame {
    WireTests.decoded(bytes, linkType: linkType)
  }

  /// Every field of `cut` holds what it holds in `full`, or nothing.
  private func expectPrefix(_ cut: FrameHeaders, of full: FrameHeaders, _ place: String) {
    let progress: Set<String> = ["stop", "etherType", "networkOffset", "tags", "payloadOffset", "ipProtocol"]
    let blank = Dictionary(uniqueKeysWithValues: fields(FrameHeaders()))
    let whole = Dictionary(uniqueKeysWithValues: fields(full))
    for (name, value) in fields(cut) where !progress.contains(name) {
      #expect(value == whole[name] || value == blank[name], "\(place): \(name)")
    }
    #expect(cut.tags.count <= full.tags.count)
    for index in 0..<cut.tags.held { #expect(cut.tags[index] == full.tags[index], "\(place)") }
    #expect(cut.networkOffset <= full.networkOffset && cut.payloadOffset <= full.payloadOffset, "\(place)")
  }

  private func fields(_ headers: FrameHeaders) -> [(String, String)] {
    Mirror(reflecting: headers).children.map { ($0.label ?? "", "\($0.value)") }
  }
}

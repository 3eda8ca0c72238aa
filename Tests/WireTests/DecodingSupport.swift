@testable import Wire

/// The decoded frame, with an `inner` that is blank where it is not valid.
func decoded(
  _ bytes: [UInt8], wireLength: Int? = nil, linkType: UInt16 = 1, tunnels: TunnelPorts = .common
) -> DecodedFrame {
  var result = DecodedFrame()
  decode(bytes.span, wireLength: wireLength ?? bytes.count, linkType: linkType, tunnels: tunnels, into: &result)
  return result
}

func decoded(_ sample: Sample, wireLength: Int? = nil) -> DecodedFrame {
  decoded(sample.bytes, wireLength: wireLength, linkType: sample.linkType)
}

/// Everything of a frame that is valid, comparable.
struct FrameValue: Hashable {
  var link: LinkHeader
  var outer: FrameHeaders
  var tunnel: TunnelHeader
  var inner: FrameHeaders?

  init(_ frame: DecodedFrame) {
    link = frame.link
    outer = frame.outer
    tunnel = frame.tunnel
    inner = frame.tunnel.kind == .none ? nil : frame.inner
  }
}

extension [UInt8] {
  /// The bytes with some of them replaced, beginning at an offset.
  func replacing(at offset: Int, with bytes: UInt8...) -> [UInt8] {
    var copy = self
    copy.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    return copy
  }
}

// The libFuzzer entry point for the decoders. Built by Scripts/fuzz-wire in one module with Sources/Wire.

/// The first two octets choose the link type and how much longer the frame was on the wire; the rest is
/// the frame. Beyond not trapping, what is decoded must lie inside it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWire(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count >= 2 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let bytes = input.span.extracting(droppingFirst: 2)
  let linkTypes: [UInt16] = [1, 113, 276, 0]
  var frame = DecodedFrame()
  decode(
    bytes, wireLength: bytes.count + Int(input[1]) * 16, linkType: linkTypes[Int(input[0] & 3)], tunnels: .common,
    into: &frame)
  check(frame.outer, bytes)
  if frame.tunnel.kind != .none { check(frame.inner, bytes) }
  precondition(Int(frame.tunnel.offset) + Int(frame.tunnel.length) <= bytes.count)

  let text = String(decoding: input, as: UTF8.self)
  if let address = IPAddress(text) { precondition(IPAddress(address.description) == address) }
  if let address = MACAddress(text) { precondition(MACAddress(address.description) == address) }
  return 0
}

private func check(_ headers: FrameHeaders, _ bytes: Span<UInt8>) {
  precondition(headers.start <= bytes.count && headers.networkOffset <= bytes.count)
  precondition(headers.transportOffset <= bytes.count && headers.payloadOffset <= bytes.count)
  if headers.stop.reason == .cutByCapture { precondition(headers.stop.have < headers.stop.need) }
  _ = headers.ipv4HeaderChecksum(in: bytes)
  _ = headers.transportChecksum(in: bytes)
}

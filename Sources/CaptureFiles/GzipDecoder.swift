internal import CZlib

/// gzip data (RFC 1952), of any number of members, through zlib.
///
/// `@unchecked`: the stream is touched by `decode` alone, and only the one reader that owns the decoder, which cannot
/// be copied, calls it.
@safe final class GzipDecoder: CaptureDecoder, @unchecked Sendable {
  private let stream: UnsafeMutablePointer<z_stream>
  private(set) var isWithinPart = false
  private var members = 0

  /// nil where zlib has no memory left.
  init?() {
    unsafe stream = .allocate(capacity: 1)
    // SAFETY: the stream is allocated for one element, set to zeros as zlib asks, and initialised by zlib.
    unsafe stream.initialize(to: z_stream())
    // 15 bits of window, and 16 for the gzip wrapper.
    let status = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    // SAFETY: initialised by inflateInit2_, ended and freed once.
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  func decode(
    _ input: [UInt8], from start: Int, to end: Int, into output: inout [UInt8], at offset: Int, count: Int
  ) -> DecodingStep {
    var step = DecodingStep()
    let available = min(end, input.count) - start
    let room = min(count, output.count - offset)
    guard start >= 0, offset >= 0, available >= 0, room > 0 else { return step }
    if !isWithinPart {
      // Behind the last member some writers leave zeros; anything else than another member is no gzip data.
      guard available > 0 else { return step }
      if members > 0, input[start] == 0 {
        step.consumed = (start..<start + available).firstIndex { input[$0] != 0 }.map { $0 - start } ?? available
        return step
      }
      if members > 0, input[start] != 0x1f {
        step.failure = "what follows the gzip data is no gzip data"
        return step
      }
      isWithinPart = true
    }
    // SAFETY: both arrays are lent for the call only; start + available and offset + room were held within them
    // above, and zlib keeps no pointer that it uses after the call: both are set anew each time.
    let status = unsafe input.withUnsafeBufferPointer { from in
      unsafe output.withUnsafeMutableBufferPointer { to in
        guard let into = to.baseAddress else { return Z_BUF_ERROR }
        unsafe stream.pointee.next_in = unsafe from.baseAddress.map { unsafe UnsafeMutablePointer(mutating: $0 + start) }
        unsafe stream.pointee.avail_in = CUnsignedInt(clamping: available)
        unsafe stream.pointee.next_out = into + offset
        unsafe stream.pointee.avail_out = CUnsignedInt(clamping: room)
        return unsafe inflate(stream, Z_NO_FLUSH)
      }
    }
    step.consumed = available - Int(unsafe stream.pointee.avail_in)
    step.produced = room - Int(unsafe stream.pointee.avail_out)
    switch status {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END:
      members += 1
      isWithinPart = false
      // SAFETY: the stream is initialised.
      unsafe inflateReset(stream)
    default:
      // SAFETY: msg is NULL or a constant, NUL-terminated text of zlib; it is copied.
      let words = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
      step.failure = "the gzip data is damaged: \(words ?? "zlib error \(status)")"
    }
    return step
  }
}

internal import CZstd

/// Zstandard data (RFC 8878), of any number of frames, through libzstd.
///
/// `@unchecked`: the stream is touched by `decode` alone, and only the one reader that owns the decoder, which cannot
/// be copied, calls it.
@safe final class ZstdDecoder: CaptureDecoder, @unchecked Sendable {
  /// As zstd itself: what needs a larger window than 128 MiB is refused.
  private static let largestWindowLog: CInt = 27

  private let stream: OpaquePointer
  private(set) var isWithinPart = false

  /// nil where libzstd has no memory left.
  init?() {
    guard let stream = unsafe ZSTD_createDStream() else { return nil }
    unsafe self.stream = unsafe stream
    // SAFETY: the stream was just made.
    _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.largestWindowLog)
  }

  deinit {
    // SAFETY: made by ZSTD_createDStream, freed once.
    _ = unsafe ZSTD_freeDStream(stream)
  }

  func decode(
    _ input: [UInt8], from start: Int, to end: Int, into output: inout [UInt8], at offset: Int, count: Int
  ) -> DecodingStep {
    var step = DecodingStep()
    let available = min(end, input.count) - start
    let room = min(count, output.count - offset)
    guard start >= 0, offset >= 0, available >= 0, room > 0, isWithinPart || available > 0 else { return step }
    // SAFETY: both arrays are lent for the call only, and the sizes keep libzstd within start ..< start + available
    // and offset ..< offset + room, which were held within them above.
    let status = unsafe input.withUnsafeBufferPointer { from in
      unsafe output.withUnsafeMutableBufferPointer { to in
        var source = unsafe ZSTD_inBuffer(
          src: unsafe from.baseAddress.map { unsafe UnsafeRawPointer($0 + start) }, size: available, pos: 0)
        var target = unsafe ZSTD_outBuffer(
          dst: unsafe to.baseAddress.map { unsafe UnsafeMutableRawPointer($0 + offset) }, size: room, pos: 0)
        let status = unsafe ZSTD_decompressStream(stream, &target, &source)
        step.consumed = unsafe source.pos
        step.produced = unsafe target.pos
        return status
      }
    }
    if ZSTD_isError(status) != 0 {
      // SAFETY: a constant, NUL-terminated text; it is copied.
      step.failure = "the zstd data is damaged: \(unsafe String(cString: ZSTD_getErrorName(status)))"
    } else {
      isWithinPart = status != 0
    }
    return step
  }
}

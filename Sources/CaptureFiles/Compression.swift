/// The compressions that captures are read through.
public enum Compression: String, Hashable, Sendable {
  /// RFC 1952, one member or several.
  case gzip
  /// RFC 8878, one frame or several.
  case zstd

  /// By the first bytes of a file; nil where they are of neither.
  static func recognise(_ bytes: Span<UInt8>) -> Compression? {
    if bytes.count >= 2, bytes[0] == 0x1f, bytes[1] == 0x8b { return .gzip }
    guard bytes.count >= 4 else { return nil }
    let magic = bytes.number32(at: 0, .little)
    // A skippable frame may come first (RFC 8878, 3.1.2).
    return magic == 0xfd2f_b528 || magic & 0xffff_fff0 == 0x184d_2a50 ? .zstd : nil
  }
}

/// What a decoder did with the bytes that it was given.
struct DecodingStep {
  var consumed = 0
  var produced = 0
  /// Why it cannot go on; what was produced stands.
  var failure: String?
}

/// Decodes compressed bytes piece by piece, in bounded memory whatever they claim to hold.
protocol CaptureDecoder: AnyObject, Sendable {
  /// Whether what was consumed ends within a member or frame.
  var isWithinPart: Bool { get }

  /// Consumes some of `input` from `start` up to `end`, and writes what comes of it into `output` from `offset` on,
  /// at most `count` bytes; both are held within the arrays.
  func decode(
    _ input: [UInt8], from start: Int, to end: Int, into output: inout [UInt8], at offset: Int, count: Int
  ) -> DecodingStep
}

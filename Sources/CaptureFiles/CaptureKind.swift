/// The capture file formats that are read.
public enum CaptureKind: Hashable, Sendable {
  /// libpcap's format (draft-ietf-opsawg-pcap), in micro- or nanoseconds.
  case pcap
  /// draft-ietf-opsawg-pcapng.
  case pcapng

  /// Judged by the magic number; nil where the first bytes are of neither format.
  static func recognise(_ bytes: Span<UInt8>) -> CaptureKind? {
    guard bytes.count >= 4 else { return nil }
    if bytes.number32(at: 0, .little) == PcapngSection.sectionHeader { return .pcapng }
    return PcapLayout.variants.contains {
      bytes.number32(at: 0, .little) == $0.magic || bytes.number32(at: 0, .big) == $0.magic
    } ? .pcap : nil
  }

  /// Whether a file of fewer than four bytes could be the beginning of a capture.
  static func mayBegin(_ bytes: Span<UInt8>) -> Bool {
    let beginnings: [[UInt8]] =
      PcapLayout.variants.flatMap { [octets($0.magic), octets($0.magic).reversed()] }
      + [octets(PcapngSection.sectionHeader)]
    return beginnings.contains { beginning in
      bytes.indices.allSatisfy { $0 < beginning.count && beginning[$0] == bytes[$0] }
    }
  }

  private static func octets(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// What a file that is no capture looks like, in words for its owner.
  static func foreign(_ bytes: Span<UInt8>) -> String {
    for (beginning, words) in foreignBeginnings where bytes.count >= beginning.count {
      if beginning.indices.allSatisfy({ beginning[$0] == bytes[$0] }) { return words }
    }
    let seen = bytes.extracting(0..<min(bytes.count, 512))
    let isText = seen.indices.allSatisfy { seen[$0] >= 0x20 && seen[$0] != 0x7f || (9...13).contains(seen[$0]) }
    if isText { return "not a capture: it looks like text" }
    let digits = Array("0123456789abcdef")
    let first = (0..<min(bytes.count, 4)).map { "\(digits[Int(bytes[$0] >> 4)])\(digits[Int(bytes[$0] & 15)])" }
    return "not a pcap or pcapng file: it begins with \(first.joined(separator: " "))"
  }

  private static let foreignBeginnings: [([UInt8], String)] = [
    ([0x1f, 0x8b], "gzip-compressed once more; decompress it first"),
    ([0x28, 0xb5, 0x2f, 0xfd], "zstd-compressed once more; decompress it first"),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz-compressed; decompress it first (gzip and zstd are read as they are)"),
    ([0x42, 0x5a, 0x68], "bzip2-compressed; decompress it first (gzip and zstd are read as they are)"),
    ([0x04, 0x22, 0x4d, 0x18], "lz4-compressed; decompress it first (gzip and zstd are read as they are)"),
    ([0x50, 0x4b, 0x03, 0x04], "a zip archive; unpack it first"),
    (Array("snoop\0\0\0".utf8), "a snoop capture; convert it to pcapng first (editcap -F pcapng)"),
  ]
}

extension CaptureReader {
  /// What the file at `path` is, by its first bytes alone, decompressed where they are compressed. Nil for anything
  /// that is not a regular, readable file with the magic number of a capture; pipes are not touched.
  public static func recognise(path: String) -> CaptureKind? {
    guard let file = try? InputFile.opening(path, waiting: false), file.isRegular else { return nil }
    do throws(CaptureInput.Failure) {
      var input = try CaptureInput(file)
      var bytes = [UInt8](repeating: 0, count: 4)
      var count = 0
      while count < 4 {
        let got = try input.take(into: &bytes, at: count, count: 4 - count)
        guard got > 0 else { return nil }
        count += got
      }
      return CaptureKind.recognise(bytes.span)
    } catch {
      return nil
    }
  }
}

import CaptureFiles
import Foundation
import Testing

@Suite struct CompressedCaptureTests {
  struct Packing: CustomTestStringConvertible, Sendable {
    var name: String
    var compression: Compression
    var pack: @Sendable ([UInt8]) -> [UInt8]
    var testDescription: String { name }
  }

  static let packings = [
    Packing(name: "gzip", compression: .gzip) { Compressing.gzip($0) },
    Packing(name: "gzip of many members", compression: .gzip) { bytes in
      stride(from: 0, to: bytes.count, by: 97).flatMap { Compressing.gzip(Array(bytes[$0..<min($0 + 97, bytes.count)])) }
    },
    Packing(name: "gzip with an empty member and zeros at its end", compression: .gzip) {
      Compressing.gzip([]) + Compressing.gzip($0) + [UInt8](repeating: 0, count: 1000)
    },
    Packing(name: "zstd", compression: .zstd) { Compressing.zstd($0) },
    Packing(name: "zstd of many frames", compression: .zstd) { bytes in
      stride(from: 0, to: bytes.count, by: 97).flatMap {
        Compressing.zstd(Array(bytes[$0..<min($0 + 97, bytes.count)])) + Compressing.skippable(5)
      }
    },
    Packing(name: "zstd behind a skippable frame", compression: .zstd) {
      Compressing.skippable(300) + Compressing.zstd($0)
    },
  ]

  static let big: [UInt8] = {
    var file = CaptureBytes()
    file.pcapHeader()
    for number in 0..<1000 { file.pcapRecord(frame(number % 700, seed: number), seconds: UInt32(number + 1)) }
    return file.bytes
  }()

  @Test(arguments: packings, CutCaptureTests.samples)
  func compressed_file_reads_as_the_file_in_it(packing: Packing, sample: CutCaptureTests.Sample) throws {
    let plain = try read(sample.bytes)
    let packed = try read(packing.pack(sample.bytes))
    #expect(packed == plain)
    #expect(packed.failure == nil)
    try withTemporaryFile(packing.pack(sample.bytes)) { path in
      #expect(ReadCapture(path: path) == plain)
      #expect(CaptureReader.recognise(path: path) == (sample.name.hasPrefix("pcapng") ? .pcapng : .pcap))
      let compression = try CaptureReader(path: path).compression
      #expect(compression == packing.compression)
    }
  }

  @Test(arguments: packings, [1, 4096]) func large_file_is_decompressed_piece_by_piece(packing: Packing, limit: Int) throws {
    let plain = try read(Self.big)
    #expect(try read(packing.pack(Self.big), limit: limit) == plain)
  }

  @Test(arguments: ["gzip -9", "zstd -19 -q", "zstd --fast -q --check"])
  func what_programs_compress_is_read(command: String) throws {
    let words = command.split(separator: " ").map(String.init)
    guard isInstalled(words[0]) else { return }
    let plain = try read(Self.big)
    try withTemporaryFile(Self.big) { path in
      let suffix = words[0] == "gzip" ? ".gz" : ".zst"
      defer { try? FileManager.default.removeItem(atPath: path + suffix) }
      try #require(output(of: words[0], Array(words.dropFirst()) + ["-k", path]) != nil)
      #expect(ReadCapture(path: path + suffix) == plain)
      #expect(CaptureReader.recognise(path: path + suffix) == .pcap)
    }
  }

  @Test(arguments: packings.filter { !$0.name.contains("zeros") })
  func cut_file_keeps_the_frames_before_the_cut(packing: Packing) throws {
    let sample = CutCaptureTests.samples[0]
    let whole = try read(sample.bytes)
    let packed = packing.pack(sample.bytes)
    for cut in stride(from: 6, to: packed.count, by: 3) {
      let capture = try read(Array(packed[..<cut]))
      #expect(capture.frames == Array(whole.frames.prefix(capture.frames.count)), "cut at \(cut)")
      guard let failure = capture.failure else {
        // Between two members or frames, and two records.
        #expect(packing.name.contains("many"), "cut at \(cut)")
        continue
      }
      #expect(failure.kind == .truncated, "cut at \(cut): \(failure)")
      #expect(failure.offset <= UInt64(packed.count))
    }
  }

  @Test func frames_before_damage_are_kept_and_the_damage_is_named() throws {
    let whole = try read(Self.big)
    let packed = Compressing.gzip(Self.big)
    for at in [70_000, 200_000, packed.count - 5] {
      var bytes = packed
      if at > packed.count - 8 {
        bytes[at] ^= 1
      } else {
        // A block type that does not exist.
        let block = 10 + (at - 10) / 65_540 * 65_540
        bytes[block] = 7
      }
      let capture = try read(bytes)
      #expect(capture.failure?.kind == .damaged)
      #expect(capture.failure?.reason.hasPrefix("the gzip data is damaged: ") == true, "\(capture.failure?.reason ?? "")")
      #expect((capture.failure?.offset ?? 0) > 60_000)
      #expect(capture.frames.count > 200)
      #expect(capture.frames == Array(whole.frames.prefix(capture.frames.count)))
    }
  }

  @Test func what_follows_the_compressed_data_is_not_passed_over() throws {
    let sample = CutCaptureTests.samples[0]
    for (packed, words) in [
      (Compressing.gzip(sample.bytes) + Array("more".utf8), "what follows the gzip data"),
      (Compressing.zstd(sample.bytes) + Array("more".utf8), "the zstd data is damaged"),
    ] {
      let capture = try read(packed)
      #expect(capture.frames.count == sample.ends.filter(\.isFrame).count)
      #expect(capture.failure?.kind == .damaged)
      #expect(capture.failure?.reason.hasPrefix(words) == true, "\(capture.failure?.reason ?? "")")
    }
  }

  @Test func damage_inside_is_placed_in_the_decompressed_data() throws {
    var file = CaptureBytes()
    file.pcapHeader()
    file.pcapRecord(frame(60), seconds: 1)
    let offset = file.bytes.count
    file.pcapRecord(frame(60), captured: .max)
    let failure = try read(Compressing.gzip(file.bytes)).failure
    #expect(failure?.offset == UInt64(offset))
    #expect(failure?.reason.contains("offset in the decompressed data") == true)
  }

  @Test func compressed_file_that_holds_no_capture_is_named() throws {
    for (content, words) in [
      (Array("networks:\n  net: 57\n".utf8), "looks like text"), ([], "nothing"),
      (Compressing.gzip(CutCaptureTests.samples[0].bytes), "gzip-compressed once more"),
    ] {
      let failure = try read(Compressing.gzip(content)).failure
      #expect(failure?.reason.contains(words) == true, "\(failure?.reason ?? "")")
      #expect(failure?.reason.hasPrefix("inside the gzip data: ") == true, "\(failure?.reason ?? "")")
    }
  }

  /// 4 MiB of zeros behind a record, in a few thousand bytes: followed, and not held.
  @Test(.enabled(if: isInstalled("gzip"))) func bomb_is_read_within_bounded_memory() throws {
    var file = CaptureBytes()
    file.pcapHeader()
    file.pcapRecord(frame(60), seconds: 1)
    let offset = file.bytes.count
    file.bytes += [UInt8](repeating: 0, count: 4 << 20)
    try withTemporaryFile(file.bytes) { path in
      defer { try? FileManager.default.removeItem(atPath: path + ".gz") }
      try #require(output(of: "gzip", ["-k", path]) != nil)
      let capture = ReadCapture(path: path + ".gz")
      #expect(capture.frames.count == 1)
      #expect(capture.failure?.kind == .truncated)
      #expect(capture.failure?.offset == UInt64(offset))
      #expect(capture.failure?.reason.contains("4194304 bytes of zeros") == true)
    }
  }

  @Test(arguments: packings) func mutated_file_gives_frames_or_a_reason(packing: Packing) throws {
    let packed = packing.pack(CutCaptureTests.samples[3].bytes)
    var generator = SeededGenerator(state: UInt64(packed.count))
    for number in 0..<100 {
      var bytes = packed
      for _ in 0..<3 {
        bytes[Int.random(in: 4..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      let capture = try read(bytes)
      let single = try read(bytes, limit: 1)
      guard capture.frames != single.frames || capture.failure != single.failure else { continue }
      Issue.record("mutation \(number): the limit makes a difference")
    }
  }
}

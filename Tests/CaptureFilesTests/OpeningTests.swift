import CaptureFiles
import Foundation
import Testing

@Suite struct OpeningTests {
  struct Foreign: CustomTestStringConvertible {
    var bytes: [UInt8]
    var words: String
    var testDescription: String { words }
  }
  static let foreign: [Foreign] = [
    Foreign(bytes: [0x42, 0x5a, 0x68, 0x39, 0x31], words: "bzip2-compressed"),
    Foreign(bytes: [0x04, 0x22, 0x4d, 0x18, 4], words: "lz4-compressed"),
    Foreign(bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0], words: "xz-compressed"),
    Foreign(bytes: [0x50, 0x4b, 3, 4], words: "zip archive"),
    Foreign(bytes: Array("snoop\0\0\0\0\0\0\u{2}".utf8), words: "snoop"),
    Foreign(bytes: Array("networks:\n  net: 57\n".utf8), words: "looks like text"),
    Foreign(bytes: Array("Größe".utf8), words: "looks like text"),
    Foreign(bytes: Array("a".utf8), words: "looks like text"),
    Foreign(bytes: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0], words: "begins with 7f 45 4c 46"),
    Foreign(bytes: [0, 0], words: "begins with 00 00"),
    Foreign(bytes: [UInt8](repeating: 0, count: 100), words: "begins with 00 00 00 00"),
  ]

  @Test(arguments: foreign) func file_that_is_no_capture_is_named(foreign: Foreign) throws {
    try withTemporaryFile(foreign.bytes) { path in
      let failure = ReadCapture(path: path).failure
      #expect(failure?.kind == .notACapture)
      #expect(failure?.reason.contains(foreign.words) == true, "\(failure?.reason ?? "")")
      #expect(failure?.path == path)
      #expect(CaptureReader.recognise(path: path) == nil)
    }
  }

  @Test func empty_file_is_named() throws {
    let failure = try read([]).failure
    #expect(failure?.kind == .truncated)
    #expect(failure?.reason == "an empty file (0 bytes)")
  }

  @Test func missing_file_and_directory_are_unreadable() throws {
    let missing = ReadCapture(path: "/no/such/capture.pcap").failure
    #expect(missing?.kind == .unreadable)
    #expect(missing?.reason == "No such file or directory")
    let directory = ReadCapture(path: FileManager.default.temporaryDirectory.path).failure
    #expect(directory?.kind == .unreadable)
    #expect(directory?.reason == "Is a directory")
    #expect(ReadCapture(path: "/dev/null\0.pcap").failure?.kind == .unreadable)
    #expect(CaptureReader.recognise(path: "/no/such/capture.pcap") == nil)
    #expect(CaptureReader.recognise(path: FileManager.default.temporaryDirectory.path) == nil)
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser may read everything"))
  func file_without_permission_is_unreadable() throws {
    try withTemporaryFile([1]) { path in
      try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
      #expect(ReadCapture(path: path).failure?.reason == "Permission denied")
    }
  }

  @Test func captures_are_recognised_by_their_first_bytes() throws {
    let pcap: [[UInt8]] = [
      [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0xc3, 0xd4], [0x4d, 0x3c, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d],
      [0x34, 0xcd, 0xb2, 0xa1],
    ]
    for magic in pcap { #expect(try withTemporaryFile(magic) { CaptureReader.recognise(path: $0) } == .pcap) }
    let pcapng: [UInt8] = [0x0a, 0x0d, 0x0d, 0x0a, 1]
    #expect(try withTemporaryFile(pcapng) { CaptureReader.recognise(path: $0) } == .pcapng)
    #expect(try withTemporaryFile([0xd4, 0xc3, 0xb2]) { CaptureReader.recognise(path: $0) } == nil)
  }

  @Test func pipe_is_read_to_its_end_and_never_touched_by_recognition() throws {
    var bytes = CaptureBytes()
    bytes.section()
    bytes.interface()
    for number in 0..<500 { bytes.enhancedPacket(frame(1000, seed: number)) }
    let content = bytes.bytes
    try withTemporaryFile { path in
      try #require(output(of: "mkfifo", [path]) != nil)
      #expect(CaptureReader.recognise(path: path) == nil)
      let writer = Thread {
        guard let handle = FileHandle(forWritingAtPath: path) else { return }
        for start in stride(from: 0, to: content.count, by: 777) {
          try? handle.write(contentsOf: content[start..<min(start + 777, content.count)])
        }
        try? handle.close()
      }
      writer.start()
      let capture = ReadCapture(path: path)
      #expect(capture.failure == nil)
      #expect(capture.frames.map(\.bytes) == (0..<500).map { frame(1000, seed: $0) })
    }
  }
}

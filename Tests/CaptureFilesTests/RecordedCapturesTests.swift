import CaptureFiles
import Testing

@Suite struct RecordedCapturesTests {
  @Test func captures_are_there() {
    #expect(RecordedCaptures.files.count >= 200)
  }

  @Test(arguments: RecordedCaptures.files) func recorded_capture_is_read_whole(file: String) {
    let path = RecordedCaptures.root + "/" + file
    #expect(CaptureReader.recognise(path: path) == (file.contains(".pcapng") ? .pcapng : .pcap))
    let capture = ReadCapture(path: path)
    #expect(capture.failure == nil)
    #expect(capture.anomalies == CaptureAnomalies())
    #expect(capture.frames.map(\.number) == (0..<UInt64(capture.frames.count)).map { $0 + 1 })
  }

  @Test(.enabled(if: isInstalled("tshark"), "tshark is not installed"), arguments: RecordedCaptures.selection)
  func recorded_capture_reads_as_in_tshark(file: String) throws {
    try expectAsInTshark(path: RecordedCaptures.root + "/" + file)
  }

  @Test(.enabled(if: isInstalled("tshark"), "tshark is not installed"), arguments: CutCaptureTests.samples)
  func file_made_by_hand_reads_as_in_tshark(sample: CutCaptureTests.Sample) throws {
    try withTemporaryFile(sample.bytes) { try expectAsInTshark(path: $0) }
  }

  private func expectAsInTshark(path: String) throws {
    let fields = ["number", "time_epoch", "len", "cap_len", "interface_name"].flatMap { ["-e", "frame." + $0] }
    let text = try #require(output(of: "tshark", ["-n", "-r", path, "-T", "fields"] + fields))
    let capture = ReadCapture(path: path)
    let lines = capture.frames.map { frame in
      let fraction = String(frame.time % 1_000_000_000)
      let zeros = String(repeating: "0", count: 9 - fraction.count)
      return "\(frame.number)\t\(frame.time / 1_000_000_000).\(zeros)\(fraction)\t\(frame.wireLength)\t"
        + "\(frame.bytes.count)\t\(capture.interfaces[frame.interface].name ?? "")"
    }
    var rows = text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    var timeless: UInt64 = 0
    for index in rows.indices where rows[index].count > 1 && rows[index][1].isEmpty {
      rows[index][1] = "0.000000000"
      timeless += 1
    }
    #expect(rows.map { $0.joined(separator: "\t") } == lines)
    #expect(capture.anomalies.withoutTime == timeless)
  }
}

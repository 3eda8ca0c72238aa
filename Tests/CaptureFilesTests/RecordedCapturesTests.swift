import CaptureFiles
import Testing

@Suite struct RecordedCapturesTests {
  @Test func captures_are_there() {
    #expect(RecordedCaptures.files.count >= 200)
  }

  @Test(arguments: RecordedCaptures.files) func recorded_capture_is_read_whole(file: String) {
    let path = RecordedCaptures.root + "/" + file
    #expect(CaptureReader.recognise(path: path) == (file.hasSuffix(".pcapng") ? .pcapng : .pcap))
    let capture = ReadCapture(path: path)
    #expect(capture.failure == nil)
    #expect(capture.anomalies == CaptureAnomalies())
    #expect(capture.frames.map(\.number) == (0..<UInt64(capture.frames.count)).map { $0 + 1 })
  }

  @Test(.enabled(if: isInstalled("tshark"), "tshark is not installed"), arguments: RecordedCaptures.files)
  func recorded_capture_reads_as_in_tshark(file: String) throws {
    let path = RecordedCaptures.root + "/" + file
    let fields = ["number", "time_epoch", "len", "cap_len", "interface_name"].flatMap { ["-e", "frame." + $0] }
    let text = try #require(output(of: "tshark", ["-n", "-r", path, "-T", "fields"] + fields))
    let capture = ReadCapture(path: path)
    let lines = capture.frames.map { frame in
      let fraction = String(frame.time % 1_000_000_000)
      let zeros = String(repeating: "0", count: 9 - fraction.count)
      return "\(frame.number)\t\(frame.time / 1_000_000_000).\(zeros)\(fraction)\t\(frame.wireLength)\t"
        + "\(frame.bytes.count)\t\(capture.interfaces[frame.interface].name ?? "")"
    }
    #expect(text.split(separator: "\n").map(String.init) == lines)
  }
}

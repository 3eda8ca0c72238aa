import CaptureFiles
import Testing

@Suite struct CutCaptureTests {
  /// A file and where its parts end: the header or block that begins at the offset before it.
  struct Sample: CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    /// Ends of header, records and blocks, in order; and whether a frame ends there.
    var ends: [(offset: Int, isFrame: Bool)]
    var testDescription: String { name }
  }

  static func pcap(_ order: CaptureBytes.Order, magic: UInt32, extra: [UInt8] = []) -> Sample {
    var file = CaptureBytes(order)
    var ends: [(Int, Bool)] = []
    file.pcapHeader(magic: magic)
    ends.append((file.bytes.count, false))
    for number in 0..<8 {
      file.pcapRecord(frame(number * 9, seed: number), seconds: 5, extra: extra)
      ends.append((file.bytes.count, true))
    }
    return Sample(name: "pcap \(String(magic, radix: 16)) \(order)", bytes: file.bytes, ends: ends)
  }

  static func pcapng(_ order: CaptureBytes.Order) -> Sample {
    var file = CaptureBytes(order)
    var ends: [(Int, Bool)] = []
    func end(_ isFrame: Bool) { ends.append((file.bytes.count, isFrame)) }
    for _ in 0..<2 {
      file.section()
      end(false)
      file.interface { $0.option(2, Array("eth1".utf8)) }
      end(false)
      file.enhancedPacket(frame(33)) { $0.option(1, Array("comment".utf8)) }
      end(true)
      file.block(0x99) { $0.bytes = frame(30) }
      end(false)
      file.simplePacket(frame(41))
      end(true)
      file.obsoletePacket(frame(7), flags: 2)
      end(true)
      file.statistics(interface: 0, [(4, 1)])
      end(false)
    }
    return Sample(name: "pcapng \(order)", bytes: file.bytes, ends: ends)
  }

  static let samples = CaptureBytes.Order.allCases.flatMap { order in
    [
      pcap(order, magic: 0xa1b2_c3d4), pcap(order, magic: 0xa1b2_3c4d),
      pcap(order, magic: 0xa1b2_cd34, extra: frame(8)), pcapng(order),
    ]
  }

  @Test(arguments: samples) func cut_file_keeps_its_frames_and_names_the_cut_record(sample: Sample) throws {
    let whole = try read(sample.bytes)
    #expect(whole.failure == nil)
    #expect(whole.frames.count == sample.ends.filter(\.isFrame).count)
    for cut in 0..<sample.bytes.count {
      let capture = try read(Array(sample.bytes[..<cut]))
      let complete = sample.ends.filter { $0.offset <= cut }
      #expect(capture.frames == Array(whole.frames.prefix(complete.filter(\.isFrame).count)), "cut at \(cut)")
      let boundary = complete.last?.offset ?? 0
      if cut == boundary, cut > 0 {
        #expect(capture.failure == nil, "cut at \(cut)")
      } else {
        #expect(capture.failure?.kind == .truncated, "cut at \(cut)")
        #expect(capture.failure?.offset == UInt64(boundary), "cut at \(cut)")
      }
    }
  }
}

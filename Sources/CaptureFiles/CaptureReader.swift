/// Reads a pcap or pcapng file from front to back, in batches.
///
/// The file is read through the batch's buffer, in which frames are indexed where they lie; only the record that
/// the end of a batch cuts is copied, to the front of the next.
public struct CaptureReader: ~Copyable, Sendable {
  /// Bytes that a batch holds, unless one record is longer.
  private static let batchLength = 1 << 20
  /// Bytes asked of the system at a time: what is left over when a batch has all its frames is at most this.
  private static let readLength = 1 << 17

  public let path: String
  public let kind: CaptureKind
  /// Interfaces known so far; pcapng files may add to it as they are read. Sections number their interfaces anew,
  /// here they follow each other.
  public private(set) var interfaces: [CaptureInterface] = []
  /// What was odd, but readable, up to here.
  public var anomalies: CaptureAnomalies { tally.anomalies }

  private let file: InputFile
  private var pcap: PcapLayout?
  private var pcapng = PcapngSection()
  private var tally = FrameTally()
  /// What was read and belongs to the next batch, and its offset in the file.
  private var carried: [UInt8] = []
  private var offset: UInt64 = 0
  private var atEnd = false
  private var failure: CaptureFileError?

  /// Opens the file and reads its header; of a pcapng file, all blocks before the first frame.
  public init(path: String) throws(CaptureFileError) {
    let file = try Self.opening(path)
    let head = try Self.readHead(of: file, path: path)
    self.init(path: path, file: file, head: head)
  }

  private init(path: String, file: InputFile, head: Head) {
    self.path = path
    self.file = file
    kind = head.layout == nil ? .pcapng : .pcap
    pcap = head.layout
    carried = head.bytes
    if let layout = head.layout {
      interfaces = [CaptureInterface(linkType: layout.linkType, snapLength: layout.snapLength)]
      carried.removeFirst(PcapLayout.headerLength)
      offset = UInt64(PcapLayout.headerLength)
    }
    var none = FrameBatch()
    fill(&none, limit: 0)
  }

  private static func opening(_ path: String) throws(CaptureFileError) -> InputFile {
    do throws(SystemError) {
      return try InputFile.opening(path)
    } catch {
      throw CaptureFileError(kind: .unreadable, path: path, offset: 0, reason: error.text)
    }
  }

  /// The first bytes of the file, the header of a pcap file among them.
  private struct Head {
    var bytes: [UInt8]
    /// Nil for pcapng.
    var layout: PcapLayout?
  }

  private static func readHead(of file: InputFile, path: String) throws(CaptureFileError) -> Head {
    func failure(_ kind: CaptureFileError.Kind, _ reason: String) -> CaptureFileError {
      CaptureFileError(kind: kind, path: path, offset: 0, reason: reason)
    }
    var bytes = [UInt8](repeating: 0, count: readLength)
    var count = 0
    var wanted = PcapLayout.headerLength
    while true {
      var got = 0
      do throws(SystemError) {
        got = try file.take(into: &bytes, at: count, count: readLength)
      } catch {
        throw failure(.unreadable, error.text)
      }
      count += got
      guard got == 0 || count >= wanted else { continue }
      let head = bytes.span.extracting(0..<count)
      guard count > 0 else { throw failure(.truncated, "empty file") }
      let kind = CaptureKind.recognise(head)
      guard kind != nil || CaptureKind.mayBegin(head) else {
        throw failure(.notACapture, CaptureKind.foreign(head))
      }
      if count >= wanted {
        do throws(LayoutError) {
          if kind == .pcap { return Head(bytes: Array(bytes[..<count]), layout: try PcapLayout(header: head)) }
          wanted = try PcapngSection.lengthOfFirst(head)
        } catch {
          throw failure(.damaged, error.reason)
        }
      }
      // A section header with more options than are read here is judged with the blocks after it.
      if count >= min(wanted, readLength) { return Head(bytes: Array(bytes[..<count])) }
      if got == 0 { throw failure(.truncated, "the file ends within its header, after \(count) bytes") }
    }
  }

  /// Fills `batch` with the next frames, at most about `limit` of them. Returns false at the end of the file.
  /// Damage is thrown only after all frames before it have been returned.
  public mutating func next(into batch: inout FrameBatch, limit: Int = 4096) throws(CaptureFileError) -> Bool {
    if failure == nil {
      fill(&batch, limit: max(limit, 1))
    } else {
      batch.frames.removeAll(keepingCapacity: true)
    }
    if !batch.frames.isEmpty { return true }
    if let failure { throw failure }
    return false
  }

  /// Indexes up to `limit` frames into `batch`, and takes in what precedes the frame after them. Damage is kept in
  /// `failure`.
  private mutating func fill(_ batch: inout FrameBatch, limit: Int) {
    // Held here meanwhile: the frames grow while the bytes are lent.
    var bytes: [UInt8] = []
    var frames: [FrameRecord] = []
    swap(&bytes, &batch.bytes)
    swap(&frames, &batch.frames)
    frames.removeAll(keepingCapacity: true)
    let least = max(limit == 0 ? Self.readLength : Self.batchLength, carried.count)
    if bytes.count < least { bytes = [UInt8](repeating: 0, count: least) }
    var filled = carried.count
    bytes.replaceSubrange(0..<filled, with: carried)
    var position = 0
    indexing: while true {
      switch index(bytes.span.extracting(0..<filled), from: &position, into: &frames, limit: limit) {
      case .full: break indexing
      case .damaged(let reason):
        fail(.damaged, at: position, reason)
        break indexing
      case .needs(let wanted):
        if atEnd {
          if position < filled {
            fail(.truncated, at: position, "the file ends within a record, \(filled - position) bytes after its start")
          }
          break indexing
        }
        if filled == bytes.count || wanted > bytes.count - position {
          // What was indexed goes out first: a batch never moves under its frames.
          if !frames.isEmpty { break indexing }
          for index in position..<filled { bytes[index - position] = bytes[index] }
          offset += UInt64(position)
          filled -= position
          position = 0
          // Grown as bytes arrive, not as a record claims.
          if filled == bytes.count {
            bytes.append(contentsOf: repeatElement(0, count: min(filled, largestRecord)))
          }
        }
        do throws(SystemError) {
          let got = try file.take(into: &bytes, at: filled, count: max(Self.readLength, wanted))
          filled += got
          atEnd = got == 0
        } catch {
          fail(.unreadable, at: filled, error.text)
          break indexing
        }
      }
    }
    carried.removeAll(keepingCapacity: true)
    carried.append(contentsOf: bytes[position..<filled])
    offset += UInt64(position)
    swap(&bytes, &batch.bytes)
    swap(&frames, &batch.frames)
  }

  private mutating func fail(_ kind: CaptureFileError.Kind, at position: Int, _ reason: String) {
    failure = CaptureFileError(kind: kind, path: path, offset: offset + UInt64(position), reason: reason)
  }

  private mutating func index(
    _ bytes: Span<UInt8>, from position: inout Int, into frames: inout [FrameRecord], limit: Int
  ) -> IndexOutcome {
    if let pcap {
      return pcap.index(bytes, from: &position, into: &frames, limit: limit, tally: &tally)
    }
    return pcapng.index(bytes, from: &position, into: &frames, limit: limit, interfaces: &interfaces, tally: &tally)
  }
}

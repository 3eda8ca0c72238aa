/// Reads a pcap or pcapng file from front to back, in batches; gzip and zstd are decompressed on the way.
///
/// The file is read through the batch's buffer, in which frames are indexed where they lie; only the record that
/// the end of a batch cuts is copied, to the front of the next.
public struct CaptureReader: ~Copyable, Sendable {
  /// Bytes that a batch holds, unless one record is longer.
  private static let batchLength = 1 << 20
  /// Bytes asked of the system at a time: what is left over when a batch has all its frames is at most this.
  private static let readLength = 1 << 17
  /// Zeros at the end of a file are followed so far.
  private static let longestZeros: UInt64 = 1 << 28

  public let path: String
  public let kind: CaptureKind
  /// Interfaces known so far; pcapng files may add to it as they are read. Sections number their interfaces anew,
  /// here they follow each other.
  public private(set) var interfaces: [CaptureInterface] = []
  /// What was odd, but readable, up to here.
  public var anomalies: CaptureAnomalies { tally.anomalies }

  private var input: CaptureInput
  private var pcap: PcapLayout?
  private var pcapng = PcapngSection()
  private var tally = FrameTally()
  /// What was read and belongs to the next batch, and its offset in the file.
  private var carried: [UInt8] = []
  private var offset: UInt64 = 0
  private var atEnd = false
  private var failure: CaptureFileError?

  /// Bytes of the file, as it is stored, that were taken in so far.
  public var bytesRead: UInt64 { input.compression == nil ? offset : input.position }

  /// How the file is compressed; nil where it is not.
  public var compression: Compression? { input.compression }

  /// Opens the file and reads its header; of a pcapng file, all blocks before the first frame.
  public init(path: String) throws(CaptureFileError) {
    self.init(path: path, try Self.head(try Self.input(path: path), path: path))
  }

  /// Reads the process's standard input, once and from front to back.
  /// - Parameter name: how errors call it.
  public init(standardInput name: String) throws(CaptureFileError) {
    self.init(path: name, try Self.head(try Self.standardInput(name: name), path: name))
  }

  /// Reads a capture file that is in memory.
  /// - Parameter name: how errors call it.
  public init(bytes: [UInt8], name: String) throws(CaptureFileError) {
    let input: CaptureInput
    do throws(CaptureInput.Failure) {
      input = try CaptureInput(bytes: bytes)
    } catch {
      throw Self.failure(error, path: name, at: 0)
    }
    self.init(path: name, try Self.head(input, path: name))
  }

  private init(path: String, _ head: consuming Head) {
    self.path = path
    kind = head.layout == nil ? .pcapng : .pcap
    pcap = head.layout
    carried = head.bytes
    if let layout = head.layout {
      var interface = CaptureInterface(linkType: layout.linkType, snapLength: layout.snapLength)
      interface.checksumLength = layout.checksumLength
      interfaces = [interface]
      carried.removeFirst(layout.fileHeader)
      offset = UInt64(layout.fileHeader)
    }
    input = head.input
    var none = FrameBatch()
    fill(&none, limit: 0)
  }

  private static func input(path: String) throws(CaptureFileError) -> CaptureInput {
    let file: InputFile
    do throws(SystemError) {
      file = try InputFile.opening(path)
    } catch {
      throw CaptureFileError(kind: .unreadable, path: path, offset: 0, reason: error.text)
    }
    return try input(file, path: path)
  }

  private static func standardInput(name: String) throws(CaptureFileError) -> CaptureInput {
    let file: InputFile
    do throws(SystemError) {
      file = try InputFile.standardInput()
    } catch {
      throw CaptureFileError(kind: .unreadable, path: name, offset: 0, reason: error.text)
    }
    guard !file.isTerminal else {
      throw CaptureFileError(
        kind: .unreadable, path: name, offset: 0, reason: "it is a terminal; a capture is wanted there (tcpdump -w -)")
    }
    return try input(file, path: name)
  }

  private static func input(_ file: InputFile, path: String) throws(CaptureFileError) -> CaptureInput {
    do throws(CaptureInput.Failure) {
      return try CaptureInput(file)
    } catch {
      throw failure(error, path: path, at: 0)
    }
  }

  private static func failure(_ failure: CaptureInput.Failure, path: String, at offset: UInt64) -> CaptureFileError {
    CaptureFileError(kind: failure.kind, path: path, offset: failure.offset ?? offset, reason: failure.reason)
  }

  /// The first bytes of the file, the header of a pcap file among them.
  private struct Head: ~Copyable {
    var input: CaptureInput
    var bytes: [UInt8]
    /// Nil for pcapng.
    var layout: PcapLayout?
  }

  private static func head(_ source: consuming CaptureInput, path: String) throws(CaptureFileError) -> Head {
    var input = source
    let compression = input.compression
    func failure(_ kind: CaptureFileError.Kind, _ reason: String) -> CaptureFileError {
      let place = compression.map { "inside the \($0.rawValue) data: " } ?? ""
      return CaptureFileError(kind: kind, path: path, offset: 0, reason: place + reason)
    }
    var bytes = [UInt8](repeating: 0, count: min(readLength, input.mostLeft))
    var count = 0
    var wanted = PcapLayout.leastHeader
    while true {
      var got = 0
      do throws(CaptureInput.Failure) {
        got = try input.take(into: &bytes, at: count, count: readLength)
      } catch {
        throw Self.failure(error, path: path, at: UInt64(count))
      }
      count += got
      guard got == 0 || count >= wanted else { continue }
      let head = bytes.span.extracting(0..<count)
      guard count > 0 else {
        throw failure(.truncated, compression == nil ? "an empty file (0 bytes)" : "nothing")
      }
      let kind = CaptureKind.recognise(head)
      guard kind != nil || CaptureKind.mayBegin(head) else {
        throw failure(.notACapture, CaptureKind.foreign(head))
      }
      if count >= wanted {
        do throws(LayoutError) {
          if kind == .pcap {
            let layout = try PcapLayout(header: head)
            wanted = layout.fileHeader
            if count >= wanted { return Head(input: input, bytes: Array(bytes[..<count]), layout: layout) }
          } else {
            wanted = try PcapngSection.lengthOfFirst(head)
          }
        } catch {
          throw failure(.damaged, error.reason)
        }
      }
      // A section header with more options than are read here is judged with the blocks after it.
      if count >= min(wanted, readLength) { return Head(input: input, bytes: Array(bytes[..<count])) }
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
    let least = max(min(limit == 0 ? Self.readLength : Self.batchLength, input.mostLeft), carried.count)
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
      case .zeros:
        followZeros(bytes.span.extracting(position..<filled), at: position)
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
        do throws(CaptureInput.Failure) {
          let got = try input.take(into: &bytes, at: filled, count: max(Self.readLength, wanted))
          filled += got
          atEnd = got == 0
        } catch {
          failure = Self.failure(error, path: path, at: offset + UInt64(filled))
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
    let place = input.compression == nil ? "" : " (offset in the decompressed data)"
    failure = CaptureFileError(kind: kind, path: path, offset: offset + UInt64(position), reason: reason + place)
  }

  /// Tells a tail of zeros, as a machine that crashed leaves it, from a hole in the middle of a file.
  /// - Parameter beginning: what of it was read.
  private mutating func followZeros(_ beginning: Span<UInt8>, at position: Int) {
    var count: UInt64 = 0
    for index in beginning.indices {
      guard beginning[index] == 0 else {
        return fail(.damaged, at: position, "\(count) bytes of zeros where a record should begin")
      }
      count += 1
    }
    var piece = [UInt8](repeating: 0, count: Self.readLength)
    while count < Self.longestZeros {
      do throws(CaptureInput.Failure) {
        let got = try input.take(into: &piece, at: 0, count: piece.count)
        guard got > 0 else {
          atEnd = true
          return fail(.truncated, at: position, "the file ends in \(count) bytes of zeros, and in no record")
        }
        if let other = (0..<got).first(where: { piece[$0] != 0 }) {
          return fail(.damaged, at: position, "\(count + UInt64(other)) bytes of zeros where a record should begin")
        }
        count += UInt64(got)
      } catch {
        failure = Self.failure(error, path: path, at: offset + UInt64(position) + count)
        return
      }
    }
    fail(.damaged, at: position, "more than \(Self.longestZeros) bytes of zeros where a record should begin")
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

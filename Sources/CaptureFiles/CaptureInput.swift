/// Where a capture's bytes come from: a file, a pipe or memory, through a decoder where they are compressed.
struct CaptureInput: ~Copyable, Sendable {
  /// Compressed bytes that are asked of the system at a time.
  private static let pieceLength = 1 << 16

  /// Why there are no more bytes.
  struct Failure: Error {
    var kind: CaptureFileError.Kind
    /// In the file as it is stored; nil where the reader's own position says it.
    var offset: UInt64?
    var reason: String
  }

  let compression: Compression?
  /// nil for bytes in memory.
  private let file: InputFile?
  private let decoder: (any CaptureDecoder)?
  /// What was read of the file and not handed on: `held[start..<end]`.
  private var held: [UInt8]
  private var start = 0
  private var end: Int
  private var atEnd: Bool
  /// Bytes of the file before `held[start]`.
  private(set) var position: UInt64 = 0
  /// Met while bytes could still be handed on.
  private var failure: Failure?

  /// Reads the first bytes, which tell whether they are compressed.
  init(_ file: InputFile) throws(Failure) {
    var head = [UInt8](repeating: 0, count: Self.pieceLength)
    var count = 0
    var atEnd = false
    while count < 4, !atEnd {
      do throws(SystemError) {
        let got = try file.take(into: &head, at: count, count: head.count - count)
        count += got
        atEnd = got == 0
      } catch {
        throw Failure(kind: .unreadable, offset: 0, reason: error.text)
      }
    }
    try self.init(file: file, held: head, count: count, atEnd: atEnd)
  }

  /// No more bytes than these will come.
  var mostLeft: Int { file == nil && decoder == nil ? end - start : .max }

  init(bytes: [UInt8]) throws(Failure) {
    try self.init(file: nil, held: bytes, count: bytes.count, atEnd: true)
  }

  private init(file: InputFile?, held: [UInt8], count: Int, atEnd: Bool) throws(Failure) {
    self.file = file
    self.held = held
    end = count
    self.atEnd = atEnd
    compression = Compression.recognise(held.span.extracting(0..<count))
    switch compression {
    case nil: decoder = nil
    case .gzip: decoder = GzipDecoder()
    case .zstd: decoder = ZstdDecoder()
    }
    guard (decoder == nil) == (compression == nil) else {
      throw Failure(kind: .unreadable, offset: 0, reason: "no memory left for decompressing")
    }
  }

  /// Reads up to `count` bytes into `bytes` from `offset` on; both are held within the array. 0 at the end.
  mutating func take(into bytes: inout [UInt8], at offset: Int, count: Int) throws(Failure) -> Int {
    guard let decoder else { return try takePlain(into: &bytes, at: offset, count: count) }
    if let failure { throw failure }
    while true {
      if start == end, !atEnd { try refill() }
      let step = decoder.decode(held, from: start, to: end, into: &bytes, at: offset, count: count)
      start += step.consumed
      position += UInt64(step.consumed)
      if let reason = step.failure { failure = Failure(kind: .damaged, offset: position, reason: reason) }
      if step.produced > 0 { return step.produced }
      if let failure { throw failure }
      guard step.consumed == 0, start == end, atEnd else { continue }
      guard decoder.isWithinPart else { return 0 }
      let name = compression?.rawValue ?? "compressed"
      throw Failure(kind: .truncated, offset: position, reason: "the file ends within its \(name) data")
    }
  }

  private mutating func refill() throws(Failure) {
    start = 0
    let count = held.count
    end = try Self.take(from: file, into: &held, at: 0, count: count)
    atEnd = end == 0
  }

  private mutating func takePlain(into bytes: inout [UInt8], at offset: Int, count: Int) throws(Failure) -> Int {
    guard start < end else {
      // The beginning has been handed on.
      held = []
      return try Self.take(from: file, into: &bytes, at: offset, count: count)
    }
    let length = min(count, end - start, bytes.count - offset)
    guard length > 0 else { return 0 }
    bytes.replaceSubrange(offset..<offset + length, with: held[start..<start + length])
    start += length
    return length
  }

  private static func take(
    from file: InputFile?, into bytes: inout [UInt8], at offset: Int, count: Int
  ) throws(Failure) -> Int {
    guard let file else { return 0 }
    do throws(SystemError) {
      return try file.take(into: &bytes, at: offset, count: count)
    } catch {
      throw Failure(kind: .unreadable, offset: nil, reason: error.text)
    }
  }
}

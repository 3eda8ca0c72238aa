/// The order in which a file's writer stored its numbers.
enum ByteOrder: Sendable, BitwiseCopyable {
  case little, big
}

extension Span<UInt8> {
  @inline(__always)
  func number16(at offset: Int, _ order: ByteOrder) -> UInt16 {
    let value = UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    return order == .little ? value : value.byteSwapped
  }

  @inline(__always)
  func number32(at offset: Int, _ order: ByteOrder) -> UInt32 {
    let low = UInt32(self[offset]) | UInt32(self[offset + 1]) << 8
    let value = low | UInt32(self[offset + 2]) << 16 | UInt32(self[offset + 3]) << 24
    return order == .little ? value : value.byteSwapped
  }

  func number64(at offset: Int, _ order: ByteOrder) -> UInt64 {
    let first = UInt64(number32(at: offset, order))
    let second = UInt64(number32(at: offset + 4, order))
    return order == .little ? second << 32 | first : first << 32 | second
  }
}

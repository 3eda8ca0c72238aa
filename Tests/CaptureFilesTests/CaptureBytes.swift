import Foundation

/// Capture files made byte by byte, so that readers are not tested against our own writers alone.
struct CaptureBytes {
  enum Order: CaseIterable { case little, big }
  var order: Order
  var bytes: [UInt8] = []

  init(_ order: Order = .little) { self.order = order }

  mutating func put<T: FixedWidthInteger>(_ value: T) {
    let width = T.bitWidth / 8
    let little = (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * T($0))) }
    bytes += order == .little ? little : little.reversed()
  }

  // MARK: pcap

  mutating func pcapHeader(
    magic: UInt32 = 0xa1b2_c3d4, version: (UInt16, UInt16) = (2, 4), snapLength: UInt32 = 65_535, linkType: UInt32 = 1
  ) {
    put(magic)
    put(version.0)
    put(version.1)
    put(0 as UInt64)
    put(snapLength)
    put(linkType)
  }

  mutating func pcapRecord(
    _ frame: [UInt8], seconds: UInt32 = 0, fraction: UInt32 = 0, captured: UInt32? = nil, wire: UInt32? = nil,
    extra: [UInt8] = []
  ) {
    put(seconds)
    put(fraction)
    put(captured ?? UInt32(frame.count))
    put(wire ?? UInt32(frame.count))
    bytes += extra + frame
  }

  // MARK: pcapng

  mutating func block(
    _ type: UInt32, length: UInt32? = nil, trailer: UInt32? = nil, _ body: (inout CaptureBytes) -> Void
  ) {
    var inner = CaptureBytes(order)
    body(&inner)
    inner.pad()
    put(type)
    put(length ?? UInt32(inner.bytes.count + 12))
    bytes += inner.bytes
    put(trailer ?? length ?? UInt32(inner.bytes.count + 12))
  }

  mutating func pad() { bytes += [UInt8](repeating: 0, count: -bytes.count & 3) }

  mutating func option(_ code: UInt16, _ value: [UInt8], length: UInt16? = nil) {
    put(code)
    put(length ?? UInt16(value.count))
    bytes += value
    pad()
  }

  mutating func section(magic: UInt32 = 0x1a2b_3c4d, version: (UInt16, UInt16) = (1, 0)) {
    block(0x0a0d_0d0a) {
      $0.put(magic)
      $0.put(version.0)
      $0.put(version.1)
      $0.put(UInt64.max)
    }
  }

  mutating func interface(
    linkType: UInt16 = 1, snapLength: UInt32 = 0, options: (inout CaptureBytes) -> Void = { _ in }
  ) {
    block(1) {
      $0.put(linkType)
      $0.put(0 as UInt16)
      $0.put(snapLength)
      options(&$0)
    }
  }

  mutating func enhancedPacket(
    _ frame: [UInt8], interface: UInt32 = 0, ticks: UInt64 = 0, captured: UInt32? = nil, wire: UInt32? = nil,
    options: (inout CaptureBytes) -> Void = { _ in }
  ) {
    block(6) {
      $0.put(interface)
      $0.put(UInt32(ticks >> 32))
      $0.put(UInt32(truncatingIfNeeded: ticks))
      $0.put(captured ?? UInt32(frame.count))
      $0.put(wire ?? UInt32(frame.count))
      $0.bytes += frame
      $0.pad()
      options(&$0)
    }
  }

  mutating func simplePacket(_ frame: [UInt8], wire: UInt32? = nil) {
    block(3) {
      $0.put(wire ?? UInt32(frame.count))
      $0.bytes += frame
    }
  }

  mutating func obsoletePacket(_ frame: [UInt8], interface: UInt16 = 0, ticks: UInt64 = 0, flags: UInt32? = nil) {
    block(2) {
      $0.put(interface)
      $0.put(3 as UInt16)
      $0.put(UInt32(ticks >> 32))
      $0.put(UInt32(truncatingIfNeeded: ticks))
      $0.put(UInt32(frame.count))
      $0.put(UInt32(frame.count))
      $0.bytes += frame
      $0.pad()
      if let flags {
        var value = CaptureBytes($0.order)
        value.put(flags)
        $0.option(2, value.bytes)
      }
    }
  }

  mutating func statistics(interface: UInt32, _ counters: [(UInt16, UInt64)]) {
    block(5) {
      $0.put(interface)
      $0.put(0 as UInt64)
      for (code, count) in counters {
        var value = CaptureBytes($0.order)
        value.put(count)
        $0.option(code, value.bytes)
      }
      $0.put(0 as UInt32)
    }
  }
}

/// Lends the path of a file that is gone afterwards.
/// - Parameter bytes: nil for a name where no file is yet.
func withTemporaryFile<Result>(_ bytes: [UInt8]? = nil, _ body: (String) throws -> Result) throws -> Result {
  let url = FileManager.default.temporaryDirectory.appending(path: "lanecheck-\(UUID().uuidString)")
  if let bytes { try Data(bytes).write(to: url) }
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.path)
}

func read(_ bytes: [UInt8], limit: Int = 4096) throws -> ReadCapture { ReadCapture(bytes: bytes, limit: limit) }

/// A frame of `count` bytes that differ from those of another seed.
func frame(_ count: Int, seed: Int = 1) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 17) }
}

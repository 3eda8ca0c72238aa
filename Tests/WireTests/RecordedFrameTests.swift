import CaptureFiles
import Foundation
import Testing

@testable import Wire

/// Frames of the recorded bundles, whose content is known.
@Suite struct RecordedFrameTests {
  @Test(arguments: [("clean-vxlan", TunnelHeader.Kind.vxlan), ("clean-gre", .gre), ("clean-two-tenants", .vxlan)])
  func everyOverlayFrameOnTheUnderlayIsOpened(bundle: String, kind: TunnelHeader.Kind) throws {
    var opened = 0
    for host in ["host1", "host2"] {
      for record in try capture("\(bundle)/\(host)/eth1.pcap") {
        let result = record.decoded()
        #expect(result.outer.stop.reason == .complete)
        guard result.outer.transport == .udp || result.outer.transport == .gre else { continue }
        opened += 1
        #expect(result.tunnel.kind == kind && result.tunnel.hasID && result.hasInner)
        #expect([57, 64].contains(result.tunnel.id))
        #expect(result.inner.stop.reason == .complete)
        if result.inner.network == .ipv4 {
          #expect(result.inner.ipv4HeaderChecksum(in: record.bytes.span) == .correct)
        }
        let state = result.inner.transportChecksum(in: record.bytes.span)
        #expect(result.inner.network == .arp ? state == .uncheckable : state == .correct)
      }
    }
    #expect(opened > 100)
  }

  @Test func shortSnapLengthCutsWithoutBlamingTheFrame() throws {
    var cut = 0
    for record in try capture("clean-snap96/host1/eth1.pcap") {
      let result = record.decoded()
      #expect(result.outer.stop.reason == .complete)
      guard result.hasInner else { continue }
      #expect(result.inner.stop.reason == .complete || result.inner.stop.reason == .cutByCapture)
      if result.inner.stop.layer == .tcp {
        cut += 1
        // Ports and sequence are within 96 octets, and tell the segments apart.
        #expect(result.inner.transport == .tcp && result.inner.sourcePort != 0 && result.inner.tcpSequence != 0)
      }
    }
    #expect(cut > 0)
  }

  @Test func offloadedChecksumsAreUnfinishedAtTheSender() throws {
    var counts = [ChecksumState: Int]()
    for file in try files(of: "clean-no-offload-change") where file.contains("/tap") {
      for record in try capture(file) {
        let headers = record.decoded().outer
        guard headers.transport == .tcp || headers.transport == .udp else { continue }
        counts[headers.transportChecksum(in: record.bytes.span), default: 0] += 1
      }
    }
    #expect(counts[.unfinished] == 212)
    #expect(counts[.wrong] == nil && counts[.uncheckable] == nil)
  }

  @Test func framesAreWhatTheyAreWhateverTheCapture() throws {
    var frames = 0
    for bundle in try bundles() {
      for file in try files(of: bundle) {
        for record in try capture(file) {
          frames += 1
          let result = record.decoded()
          #expect(result.outer.stop.reason != .malformed)
          #expect(result.tunnel.kind == .none || result.inner.stop.reason != .malformed)
          #expect(result.outer.network != .none && result.outer.hasSource)
        }
      }
    }
    #expect(frames > 30_000)
  }

  // MARK: Reading

  private struct Record {
    var bytes: [UInt8]
    var wireLength: Int
    var linkType: UInt16

    func decoded() -> DecodedFrame { WireTests.decoded(bytes, wireLength: wireLength, linkType: linkType) }
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Captures")

  private func bundles() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: Self.root.path).filter {
      FileManager.default.fileExists(atPath: Self.root.appending(path: "\($0)/truth.json").path)
    }.sorted()
  }

  private func files(of bundle: String) throws -> [String] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: Self.root.appending(path: bundle).path)
    return paths.filter { $0.contains(".pcap") }.sorted().map { "\(bundle)/\($0)" }
  }

  private func capture(_ path: String) throws -> [Record] {
    var reader = try CaptureReader(path: Self.root.appending(path: path).path)
    var records: [Record] = []
    var batch = FrameBatch()
    while try reader.next(into: &batch) {
      for frame in batch.frames {
        records.append(
          Record(
            bytes: Array(batch.bytes[frame.start..<frame.start + frame.capturedLength]), wireLength: frame.wireLength,
            linkType: reader.interfaces[frame.interface].linkType))
      }
    }
    return records
  }
}

import CaptureFiles
import Wire

/// A header that contradicts the tunnel it came in.
public struct EncapsulationAnomaly: Sendable, BitwiseCopyable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable { case vxlanWithoutID, greWithoutKey, cutHeader, reservedBits }
  public var kind: Kind
  public var time: Int64
  public var frame: UInt32
  public var capture: UInt16
  public var point: UInt16
  public var outerFrom: UInt16
  public var outerTo: UInt16
}

extension ObservationBuilder {
  static let anomalyBound = 4096

  mutating func note(
    _ kind: EncapsulationAnomaly.Kind, _ record: FrameRecord, point: Int, time: Int64, from: UInt16, to: UInt16
  ) {
    guard anomalies.count < ObservationBuilder.anomalyBound else {
      counts.anomaliesBeyond += 1
      return
    }
    anomalies.append(
      EncapsulationAnomaly(
        kind: kind, time: time, frame: UInt32(truncatingIfNeeded: record.number), capture: UInt16(truncatingIfNeeded: capture),
        point: UInt16(truncatingIfNeeded: point), outerFrom: from, outerTo: to))
  }

  /// Between VTEPs, a packet to a tunnel port that ends within the tunnel's header.
  mutating func noteCutTunnelHeader(_ record: FrameRecord, point: Int, time: Int64) {
    let stop = frame.outer.stop
    guard stop.reason == .malformed, stop.layer == .vxlan || stop.layer == .geneve || stop.layer == .gre else { return }
    let from = plan.vteps.index(of: frame.outer.sourceAddress)
    let to = plan.vteps.index(of: frame.outer.destinationAddress)
    guard from != VTEPTable.none, to != VTEPTable.none else { return }
    note(.cutHeader, record, point: point, time: time, from: from, to: to)
  }

  /// Between VTEPs, GRE of another version or with another payload.
  mutating func noteForeign(_ record: FrameRecord, point: Int, time: Int64) {
    let from = plan.vteps.index(of: frame.outer.sourceAddress)
    let to = plan.vteps.index(of: frame.outer.destinationAddress)
    guard from != VTEPTable.none, to != VTEPTable.none else { return }
    note(.greWithoutKey, record, point: point, time: time, from: from, to: to)
  }
}

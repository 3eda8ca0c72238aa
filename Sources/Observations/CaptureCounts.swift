/// Counts of one capture, for the report.
public struct CaptureCounts: Sendable {
  public var frames: UInt64 = 0
  /// In the host's own clock.
  public var first: Int64?
  public var last: Int64?
  /// In the reference clock.
  public var start: Int64?
  public var end: Int64?
  /// Fewer bytes captured than on the wire.
  public var cut: UInt64 = 0
  /// Too little captured to know the frame again.
  public var tooShort: UInt64 = 0
  /// Underlay frames that carry no tunnel of ours.
  public var other: UInt64 = 0
  /// Tunnels between addresses that are no VTEP of ours.
  public var foreignTunnels: UInt64 = 0
  /// Frames of an interface that another capture records too, or that has no point.
  public var unrouted: UInt64 = 0
  public var malformed: UInt64 = 0
  /// Contradictory tunnel headers that were counted only: there were more than are kept.
  public var anomaliesBeyond: UInt64 = 0
  /// Frames of links that have no MAC addresses, where those are needed.
  public var withoutAddresses: UInt64 = 0
  /// Records without a time.
  public var untimed: UInt64 = 0
  public var fragments: UInt64 = 0
  /// ICMP port unreachable between VTEPs about a UDP tunnel port, by sender.
  public var portUnreachable: [UInt16: UInt64] = [:]
  /// What the capture showed of the underlay.
  public var underlay: [UnderlayEvidence.Key: UnderlayEvidence] = [:]
}

import Deployment
import Wire

/// What the survey settled before the run, the same for all captures.
public struct ObservationPlan: Sendable {
  public var points: [CapturePoint] = []
  /// For each capture: how its frames find their point.
  public var routes: [Route] = []
  public var vteps = VTEPTable()
  /// Addresses by host, as indices into `vteps`.
  public var hostVTEPs: [[UInt16]] = []
  public var tunnelPorts = TunnelPorts()
  /// Bytes of the network packet that go into a digest.
  public var depth = 128
  public var seed: UInt64 = 0
  /// Longer (inner) frames of TCP and UDP are superframes, in octets.
  public var longestFrame: UInt32 = 1600
  /// Nothing, but for regression runs.
  public var takes: TakenForFaults = []
  /// The sample of the captures has superframes: records of segments are kept from the start.
  public var hasSuperframes = false
  /// How each host's clock becomes the reference clock; hosts beyond the last need nothing.
  public var clocks: [ClockCorrection] = []
  /// Captures that are stamped in another clock than their host's.
  public var captureClocks: [Int: ClockCorrection] = [:]

  public init() {}

  /// The kind of tunnel that a frame came in, which tells networks with the same ID apart.
  /// - Parameter udpPort: destination port of the outer header; 0 for GRE.
  public func kind(ofTunnelTo udpPort: UInt16) -> Network.Kind {
    udpPort == 0 ? .gre : udpPort == tunnelPorts.geneve ? .geneve : .vxlan
  }

  public enum Route: Sendable {
    case none
    case point(Int)
    /// By interface number of the file (pcapng).
    case interfaces([Int?])
    /// By interface index of Linux cooked v2.
    case indices([UInt32: Int])
  }
}

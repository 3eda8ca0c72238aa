import Wire

/// A port of a host of a fabric, by places; names by `Fabric.name(of:)`.
public struct FabricPort: Hashable, Sendable {
  public var host: Int
  var bridge: Int
  var port: Int
}

/// What became of one frame on all hosts: the tree of its visits, the first one first.
public struct Journey: Sendable {
  public var visits: [Visit] = []
  /// Where it was cut: the frame goes round between hosts, or multiplies beyond what is followed.
  public var cut: Cut?

  public enum Cut: Sendable {
    /// More tunnels in a row than `Fabric.mostHops`.
    case hops
    /// More copies than `Fabric.mostVisits`.
    case visits
  }

  public init() {}

  /// Whether any of it may be otherwise.
  public var isUncertain: Bool {
    visits.contains { visit in
      visit.certainty == .may || visit.exits.contains { $0.certainty == .may }
        || visit.outcome.map { $0.isIncomplete || !$0.uncertainties.isEmpty } ?? false
    }
  }
}

/// A frame's stay on one host: how it came in, and where its copies left.
public struct Visit: Sendable {
  public enum Arrival: Sendable {
    /// At a port of one of its bridges.
    case port(FabricPort)
    /// From a tunnel; `port` is the tunnel port that takes it, nil where none does.
    case tunnel(OuterHeader, port: FabricPort?)
  }

  public var host: Int
  public var arrival: Arrival
  /// The exit that it comes from: visit and place in its `exits`. nil: here it began.
  public var origin: (visit: Int, exit: Int)?
  /// Tunnels before this visit.
  public var hops: Int
  public var certainty: Certainty
  /// As it came in.
  public var frame: FabricFrame
  public var exits: [Exit] = []
  /// Step by step, where that was asked for.
  public var outcome: Outcome?
  /// Why the host does nothing with it; nil where it does.
  public var refusal: Refusal?

  public enum Refusal: Hashable, Sendable {
    /// Nothing is known of the host's switches.
    case unknownHost
    /// No tunnel port takes frames with these outer addresses and this key.
    case noTunnelPort
  }
}

/// A copy of a frame that leaves a host's switches.
public struct Exit: Sendable {
  public var port: FabricPort
  public var certainty: Certainty
  /// As it leaves; of tunnels the inner frame.
  public var frame: FabricFrame
  /// Of tunnels.
  public var outer: OuterHeader?
  /// The host with the tunnel's far end, and the visit there; nil where no host has the address, or where the
  /// journey was cut.
  public var destination: Int?
  public var visit: Int?
}

/// What a tunnel puts around a frame.
public struct OuterHeader: Hashable, Sendable {
  public var kind: TunnelSettings.Kind
  /// Of GRE, none where the tunnel has no key.
  public var tunnelID: UInt64?
  public var source: IPAddress
  public var destination: IPAddress
  /// UDP destination port; 0 for GRE.
  public var destinationPort: UInt16

  public init(
    kind: TunnelSettings.Kind, tunnelID: UInt64?, source: IPAddress, destination: IPAddress, destinationPort: UInt16
  ) {
    self.kind = kind
    self.tunnelID = tunnelID
    self.source = source
    self.destination = destination
    self.destinationPort = destinationPort
  }
}

import Datapath
import Wire

/// What became of traced frames on all hosts.
public struct TraceReport: Sendable {
  public var frames: [TracedFrame] = []
  /// What the hosts' state is, and what is assumed.
  public var notes: [String] = []

  public init() {}
}

/// One traced frame: its way as a tree of visits, and where it ended.
public struct TracedFrame: Sendable {
  /// `test sends test2 an ICMP echo request`.
  public var title: String
  /// The frame in the words of flow text.
  public var flow: String
  /// Nanoseconds since the epoch.
  public var time: Int64
  public var visits: [TracedVisit] = []
  /// Where copies ended, in the order of the visits.
  public var ends: [TraceEnd] = []
  /// Why not all of it is shown; nil where it is.
  public var cut: String?
  /// The port that it was for and that it does not come to, as `HOST/PORT (guest)`; nil where it does, or may.
  public var missed: String?

  public init(title: String, flow: String, time: Int64) {
    self.title = title
    self.flow = flow
    self.time = time
  }
}

/// A frame's stay on one host.
public struct TracedVisit: Sendable {
  public var host: String
  /// `in at qvo60820963-9a (port 2 of br-int, tag 1)`.
  public var arrival: String
  /// The tunnel it comes from.
  public var outer: OuterHeader?
  /// Host and place in `visits` that it comes from.
  public var from: (host: String, visit: Int)?
  public var certainty: Certainty
  public var steps: [TraceStep] = []
  public var exits: [TracedExit] = []
  public var uncertainties: [Uncertainty] = []
  /// Why the host does nothing with it.
  public var refusal: String?

  public init(host: String, arrival: String, certainty: Certainty) {
    self.host = host
    self.arrival = arrival
    self.certainty = certainty
  }
}

public struct TracedExit: Sendable {
  public var bridge: String
  public var port: String
  /// The guest, where it is one's port and has a name of its own.
  public var guest: String?
  public var certainty: Certainty
  public var outer: OuterHeader?
  public var destination: String?
  /// Place in `visits`.
  public var visit: Int?
  /// VLAN IDs on it, outermost first.
  public var tags: [UInt16]

  public init(bridge: String, port: String, certainty: Certainty, tags: [UInt16]) {
    self.bridge = bridge
    self.port = port
    self.certainty = certainty
    self.tags = tags
  }
}

/// Where a copy ended.
public struct TraceEnd: Sendable {
  public enum Kind: String, Sendable {
    /// It came out at a port.
    case delivered
    /// It came out at a bridge's own port: the host's network stack gets it.
    case local
    /// Tables or switching dropped it.
    case dropped
    /// No host took it, or nothing is known of the host.
    case lost
  }
  public var kind: Kind
  public var host: String
  /// Port, or empty.
  public var port: String
  public var guest: String?
  public var certainty: Certainty
  /// The lane it took: `host1 VLAN 1`, `VXLAN VNI 57 (0x39)`, `host2 VLAN 2`.
  public var lane: [String]
  /// The flow that dropped it.
  public var flow: FlowReference?
  public var reason: String

  public init(
    kind: Kind, host: String, port: String = "", guest: String? = nil, certainty: Certainty, lane: [String],
    flow: FlowReference? = nil, reason: String = ""
  ) {
    self.kind = kind
    self.host = host
    self.port = port
    self.guest = guest
    self.certainty = certainty
    self.lane = lane
    self.flow = flow
    self.reason = reason
  }
}

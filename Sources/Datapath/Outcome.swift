import OpenFlow
import Wire

/// How sure an outcome is.
public enum Certainty: UInt8, Hashable, Sendable {
  /// The installed state leaves no choice.
  case certain
  /// It happens or not, by something that is not known.
  case may
}

/// A flow as findings name it.
public struct FlowReference: Hashable, Sendable {
  public var bridge: String
  public var table: UInt8
  public var priority: UInt16
  public var cookie: UInt64
  /// Match and actions, as in the dump.
  public var text: String
  /// Line in the dump, from 1; 0 for flows that the datapath learned itself.
  public var line: Int
  /// Whether a `learn` action made it: it has a timeout.
  public var isLearned: Bool
}

/// One frame that leaves the host's switches.
public struct Delivery: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case device
    case local
    case tunnel(TunnelSettings.Kind)
    /// A port that the flows name and that no list of ports has.
    case unknown
  }

  public var bridge: String
  public var port: String
  public var portNumber: UInt32
  public var kind: Kind
  /// Tunnel ID; nil for other ports, and for tunnels that send none.
  public var tunnelID: UInt64?
  public var remote: IPAddress?
  /// UDP destination port of the tunnel; 0 for GRE and other ports.
  public var destinationPort: UInt16 = 0
  /// The frame as it leaves (for a tunnel: the inner frame).
  public var frame: Packet
  /// MAC addresses or the TTL were changed on the way: the frame was routed or answered here.
  public var isRewritten = false
  public var certainty: Certainty
  /// The flow whose action sent it out, the one that set the tunnel ID, and the one that last changed the
  /// outermost tag.
  public var outputFlow: FlowReference?
  public var tunnelIDFlow: FlowReference?
  public var vlanFlow: FlowReference?

  /// Tags on the frame as it leaves.
  public var tags: VLANTags { frame.tags }
}

/// A frame handed from one bridge to another through a patch port.
public struct Crossing: Hashable, Sendable {
  public var fromBridge: String
  public var fromPort: String
  public var toBridge: String
  public var toPort: String
  public var tags: VLANTags
  public var certainty: Certainty
  public var outputFlow: FlowReference?
  public var vlanFlow: FlowReference?

  /// VID of the outermost tag; nil where untagged.
  public var vlanID: UInt16? { tags.count > 0 ? tags[0].vid : nil }
}

/// One step on the way: a table's decision.
public struct TraceStep: Hashable, Sendable {
  public var bridge: String
  public var table: UInt8
  /// How deep in resubmits and patch ports, from 0.
  public var depth: Int
  /// nil: no flow matched.
  public var flow: FlowReference?
  /// What the flow's actions did, in their order.
  public var events: [TraceEvent] = []

  /// What happened there beside what the flow's text says: `learned …`, `dropped: …`.
  public var notes: [String] {
    events.compactMap { if case .note(let text) = $0 { text } else { nil } }
  }
}

/// Something that happened in a step.
public enum TraceEvent: Hashable, Sendable {
  /// An action, as in the flow's text.
  case action(String)
  /// What came of it.
  case note(String)
  /// The decision of another table (place in `Outcome.steps`), to which the action before led.
  case step(Int)
}

/// Where and why a frame's fate is uncertain.
public struct Uncertainty: Hashable, Sendable {
  public var reason: String
  public var flow: FlowReference?
}

/// What a host's switches do to one frame.
public struct Outcome: Sendable {
  public var deliveries: [Delivery] = []
  public var crossings: [Crossing] = []
  /// Where the frame ended, for each way that led to no output: the last flow that it hit (nil: none matched).
  public var drops: [FlowReference?] = []
  public var steps: [TraceStep] = []
  public var uncertainties: [Uncertainty] = []
  /// A copy went to the controller.
  public var wentToController = false
  /// There were more possibilities than are followed: what is missing here may happen too.
  public var isIncomplete = false

  public init() {}

  /// Nothing leaves the host, for certain.
  public var isDropped: Bool { deliveries.isEmpty && !isIncomplete && uncertainties.isEmpty }
}

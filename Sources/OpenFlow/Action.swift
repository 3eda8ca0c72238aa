/// A port as flow text names it.
public enum PortReference: Hashable, Sendable {
  case number(UInt32)
  case name(String)
  case inPort, table, normal, flood, all, controller, local, none

  /// The reserved port that a number stands for, in OpenFlow 1.0's 16 bits or 1.1's 32 bits, else the
  /// number itself.
  public init(number: UInt32) {
    let low = number >= 0xffff_ff00 ? number & 0xffff : number
    switch low {
    case 0xfff8: self = .inPort
    case 0xfff9: self = .table
    case 0xfffa: self = .normal
    case 0xfffb: self = .flood
    case 0xfffc: self = .all
    case 0xfffd: self = .controller
    case 0xfffe: self = .local
    case 0xffff: self = .none
    default: self = .number(number)
    }
  }

  static let reserved: [String: PortReference] = [
    "in_port": .inPort, "table": .table, "normal": .normal, "flood": .flood, "all": .all,
    "controller": .controller, "local": .local, "none": .none, "any": .none,
  ]
}

/// One action or instruction, in one spelling for all versions of OpenFlow.
public indirect enum Action: Hashable, Sendable {
  case output(PortReference)
  case outputField(Subfield)
  case outputTruncated(PortReference, maxLength: UInt32)
  case enqueue(PortReference, queue: UInt32)
  case controller(String)
  case group(UInt32)
  /// `load`, `set_field`, `mod_*`, `set_tunnel` and `write_metadata`: the field's bits under `mask`
  /// become `value`.
  case set(Field, value: UInt128, mask: UInt128)
  /// `set_field:PORT->in_port`, which may name its port.
  case setInPort(PortReference)
  case move(from: Subfield, to: Subfield)
  case push(Subfield)
  case pop(Subfield)
  case pushVLAN(tpid: UInt16)
  /// `strip_vlan` and `pop_vlan`.
  case popVLAN
  /// `mod_vlan_vid`: rewrites the tag's VID; pushes a tag where there is none. In OpenFlow 1.0 text it
  /// may also stand for "push a tag, whatever is there" (`FlowDump.Dialect.isLossy`).
  case modVLANVID(UInt16)
  /// `mod_vlan_pcp`, with the same ambiguity.
  case modVLANPCP(UInt8)
  /// Resubmits to a table (nil: the current one) as if from a port (nil: the one it came in by).
  case resubmit(port: PortReference?, table: UInt8?, connectionTracking: Bool)
  case gotoTable(UInt8)
  case learn(Learn)
  case conntrack(Conntrack)
  case conntrackClear
  case conjunction(id: UInt32, clause: UInt8, of: UInt8)
  case checkPacketLarger(UInt32, Subfield)
  case decrementTTL
  case meter(UInt32)
  case clone([Action])
  case writeActions([Action])
  case clearActions
  case exit
  /// Shortens the timeouts (seconds) of the flow that it is part of, when a TCP frame with FIN or RST comes.
  case finTimeout(idle: UInt16, hard: UInt16)
  /// An action that changes neither the frame nor its way: `note`, `sample`, queues.
  case inert(String)
  /// An action that lanecheck does not follow, as in the text: what becomes of the frame is uncertain.
  case unknown(String)
}

/// `learn(…)`: installs a flow made from the frame (ovs-actions(7), lib/learn.c).
public struct Learn: Hashable, Sendable {
  public enum Spec: Hashable, Sendable {
    /// The new flow matches `field` against what the frame had in `source`.
    case matchField(Subfield, source: Subfield)
    case matchValue(Subfield, UInt128)
    case matchInPort(PortReference)
    /// The new flow's actions load a constant, or what the frame had in `source`.
    case loadValue(UInt128, into: Subfield)
    case loadField(Subfield, into: Subfield)
    case output(Subfield)
  }

  public var table: UInt8 = 1
  /// Seconds; 0: never.
  public var idleTimeout: UInt16 = 0
  public var hardTimeout: UInt16 = 0
  public var finIdleTimeout: UInt16 = 0
  public var finHardTimeout: UInt16 = 0
  public var priority: UInt16 = 32768
  public var cookie: UInt64 = 0
  /// How many flows with this cookie may be in the table; 0: any.
  public var limit: UInt32 = 0
  public var sendFlowRemoved = false
  public var deleteLearned = false
  /// Gets 1 where the flow was learned, 0 where the limit forbade it.
  public var resultDestination: Subfield?
  public var specs: [Spec] = []
  /// Arguments that lanecheck does not know, as in the text.
  public var unknown: [String] = []

  public init() {}
}

/// `ct(…)`: sends the frame through the connection tracker.
public struct Conntrack: Hashable, Sendable {
  public enum Zone: Hashable, Sendable {
    case number(UInt16)
    case field(Subfield)
  }

  public var commit = false
  public var force = false
  /// Where the tracked frame goes on; nil: nowhere, the actions after this one see it untracked.
  public var table: UInt8?
  public var zone = Zone.number(0)
  /// `nat` or `nat(…)`, as in the text.
  public var nat: String?
  public var alg: String?
  public var exec: [Action] = []
  public var unknown: [String] = []

  public init() {}
}

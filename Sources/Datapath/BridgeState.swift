import OpenFlow
import Wire

/// How a port of a bridge treats VLANs when the frame is switched by NORMAL (vswitchd.conf.db(5),
/// `Port.vlan_mode`).
public struct VLANPolicy: Hashable, Sendable {
  public enum Mode: String, Sendable {
    case access, trunk
    case nativeTagged = "native-tagged"
    case nativeUntagged = "native-untagged"
    case dot1qTunnel = "dot1q-tunnel"
  }

  public var mode: Mode
  /// The access, native or service VLAN; 0 where there is none.
  public var tag: UInt16
  /// VLANs that a trunk carries; empty: all.
  public var trunks: Set<UInt16>
  /// Customer VLANs that a dot1q-tunnel carries; empty: all.
  public var customerVLANs: Set<UInt16>
  /// TPID that a dot1q-tunnel pushes.
  public var tunnelTPID: UInt16

  public init(
    mode: Mode? = nil, tag: UInt16? = nil, trunks: Set<UInt16> = [], customerVLANs: Set<UInt16> = [],
    tunnelTPID: UInt16 = 0x88a8
  ) {
    self.mode = mode ?? (tag == nil ? .trunk : .access)
    self.tag = tag ?? 0
    self.trunks = trunks
    self.customerVLANs = customerVLANs
    self.tunnelTPID = tunnelTPID
  }

  /// All VLANs, none changed.
  public static let trunk = VLANPolicy()
}

/// A tunnel port's settings.
public struct TunnelSettings: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable { case vxlan, gre, geneve }

  /// A setting that is a constant, or taken from the flow (`flow`).
  public enum Setting<Value: Hashable & Sendable>: Hashable, Sendable {
    case flow
    case fixed(Value)
  }

  public var kind: Kind
  public var local: IPAddress?
  public var remote: Setting<IPAddress>
  /// Tunnel ID expected on receipt; `fixed(0)` where no key is configured.
  public var inKey: Setting<UInt64>
  /// Tunnel ID sent; `fixed(0)` where no key is configured.
  public var outKey: Setting<UInt64>
  /// UDP destination port; 0 for GRE.
  public var destinationPort: UInt16

  public init(
    kind: Kind, local: IPAddress? = nil, remote: Setting<IPAddress>, inKey: Setting<UInt64> = .flow,
    outKey: Setting<UInt64> = .flow, destinationPort: UInt16? = nil
  ) {
    self.kind = kind
    self.local = local
    self.remote = remote
    self.inKey = inKey
    self.outKey = outKey
    self.destinationPort = destinationPort ?? (kind == .gre ? 0 : kind == .vxlan ? 4789 : 6081)
  }
}

/// A port of a bridge, as far as switching depends on it.
public struct PortState: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// A device, of a guest or of the host; also internal ports other than the bridge's own.
    case device
    /// The bridge's own port.
    case local
    case patch(peer: String)
    case tunnel(TunnelSettings)
  }

  public var name: String
  /// OpenFlow port number; nil where not known. The bridge's own port is 65534.
  public var number: UInt32?
  public var kind: Kind
  public var vlans: VLANPolicy
  /// Nothing goes out (`PORT_DOWN` or `LINK_DOWN`). Flooding still counts it as a port.
  public var isMirrorOutput = false

  public init(name: String, number: UInt32?, kind: Kind = .device, vlans: VLANPolicy = .trunk) {
    self.name = name
    self.number = kind == .local ? PortState.localNumber : number
    self.kind = kind
    self.vlans = vlans
  }

  /// Above are reserved numbers.
  static let highestNumber: UInt32 = 0xfeff
  /// OFPP_LOCAL.
  public static let localNumber: UInt32 = 0xfffe
}

/// A bridge as it was installed: what the datapath runs.
public struct BridgeState: Sendable {
  public var name: String
  public var ports: [PortState]
  /// nil: no dump; what the bridge does is not known, save for standalone bridges that switch by NORMAL.
  public var flows: FlowDump?
  /// When the flows were dumped, in nanoseconds since the epoch; nil: not known, so nothing of it expires.
  public var flowsTaken: Int64?
  public var fdb: [FDBEntry] = []
  public var fdbTaken: Int64?
  /// Whether `fdb` is all there was. False: a MAC that is not in it may have been learned.
  public var fdbIsComplete = false
  /// `other_config:mac-aging-time`, in seconds.
  public var macAging: Int64 = 300
  /// `other_config:forward-bpdu`.
  public var forwardsBPDU = false
  public var mcastSnooping = false
  /// `fail_mode` is not `secure`: without flows and controller, the bridge switches by NORMAL.
  public var isStandalone = false

  public init(name: String, ports: [PortState], flows: FlowDump?) {
    self.name = name
    self.ports = ports
    self.flows = flows
  }
}

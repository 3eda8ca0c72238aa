import CaptureFiles
import OpenFlow
import Wire

/// What is known of a deployment from intent, the agents' own records and installed state, and
/// which capture files there are. Indices into the arrays are stable for one run.
public struct Deployment: Sendable {
  /// The bundle's directory, as given by the user.
  public var root = ""
  public var hosts: [Host] = []
  public var networks: [Network] = []
  public var ports: [Port] = []
  public var captures: [CaptureSource] = []
  /// The intent says that these are all networks and hosts (`complete: true`, or a Neutron export).
  public var complete = false
  /// Copies of inputs that could be read only once; captures lie in them.
  public var spooled: [SpooledFile] = []
  /// Records of agents that have a network on another segment than the deployment does.
  public var segmentConflicts: [SegmentConflict] = []
  /// Unreadable lines, contradictions between sources, and files that were passed over.
  public var notes: [StateNote] = []

  public init() {}
}

/// A host's agent has a network under a type or segment that is not the one that intent, or the other hosts, say.
public struct SegmentConflict: Hashable, Sendable {
  public var host: Int
  public var network: Int
  public var kind: Network.Kind
  public var segmentationID: UInt32?
  /// The port of br-int with the record.
  public var port: String
}

/// Something about the state that the user should know.
public struct StateNote: Hashable, Sendable {
  public enum Kind: String, Sendable {
    /// A file or line that could not be read.
    case unreadable
    /// Two sources disagree.
    case contradiction
    /// A file that is neither capture nor known state.
    case ignored
    /// Something that was given and could not be used at all: what it would have shown is not known, so that no
    /// verdict can be a pass.
    case missing
    /// Sources contradict each other in a way that leaves open what is true: no verdict can be a pass.
    case disputed
  }
  public var kind: Kind
  /// Path below the bundle, and line where it has one (from 1; 0 for the file as a whole).
  public var file: String
  public var line: Int
  public var text: String
  public var host: Int?

  public init(kind: Kind, file: String, line: Int = 0, text: String, host: Int? = nil) {
    self.kind = kind
    self.file = file
    self.line = line
    self.text = text
    self.host = host
  }
}

/// Where a statement comes from, strongest first for what *should* be.
public enum Source: Int, Comparable, Sendable {
  case manifest, neutron, agentRecord, installed, inferred
  public static func < (a: Source, b: Source) -> Bool { a.rawValue < b.rawValue }
}

/// A tenant (or provider) network.
public struct Network: Sendable {
  public enum Kind: String, Sendable {
    case vxlan, gre, geneve, vlan, flat, local, unknown

    /// Whether frames of such a network travel in tunnels.
    public var isOverlay: Bool { self == .vxlan || self == .gre || self == .geneve }
  }
  public var name: String
  public var uuid: String?
  public var kind: Kind
  /// VNI or GRE key of overlay networks; the provider's VLAN for `vlan`; nil where it has none.
  public var segmentationID: UInt32?
  public var source: Source

  public init(name: String, uuid: String? = nil, kind: Kind, segmentationID: UInt32?, source: Source) {
    self.name = name
    self.uuid = uuid
    self.kind = kind
    self.segmentationID = segmentationID
    self.source = source
  }

  /// Whether frames of it travel in tunnels under `segmentationID`.
  public var isOverlay: Bool { kind.isOverlay }
}

/// One compute or network host.
public struct Host: Sendable {
  public var name: String
  /// Tunnel endpoint addresses of this host.
  public var vteps: [IPAddress] = []
  /// All addresses of its devices.
  public var addresses: [IPAddress] = []
  /// Network index → local VLAN on this host, as intent or the agent's record says.
  public var localVLANs: [Int: UInt16] = [:]
  /// Those of the state of after that are others then: an agent that starts again may choose anew.
  public var renumberedVLANs: [Int: UInt16] = [:]
  public var interfaces: [HostInterface] = []
  /// Interface name → kind, where the manifest says it (`interfaces:`).
  public var interfaceKinds: [String: PointKind] = [:]
  /// State when the captures began, and when they had ended. Either may be missing.
  public var before: HostState?
  public var after: HostState?

  public init(name: String) { self.name = name }

  /// The state to reason with: that of before, else that of after.
  public var state: HostState? { before ?? after }

  /// A network's local VLAN here when the first or the later state was read.
  public func localVLAN(_ network: Int, isAfter: Bool) -> UInt16? {
    (isAfter ? renumberedVLANs[network] : nil) ?? localVLANs[network]
  }
}

/// One network device of a host (`ip -j addr`, `ip -j link`).
public struct HostInterface: Sendable {
  public var name: String
  public var index: UInt32?
  public var mac: MACAddress?
  public var mtu: Int?
  /// Bridge or bond that it belongs to.
  public var master: String?
  /// Device beneath it (VLAN sub-interface, veth peer).
  public var link: String?
  /// `info_kind` of `ip -d link`: veth, tun, bridge, bond, vlan, openvswitch, …
  public var kind: String?
  /// Identity of the switch in the NIC that it is a port of (`phys_switch_id` of `ip -d link`).
  public var switchID: String?
  public var addresses: [IPAddress] = []

  public init(name: String) { self.name = name }
}

/// What was installed on a host at one time.
public struct HostState: Sendable {
  public var bridges: [Bridge] = []
  public var ovsVersion: String?
  /// How many VLAN tags the switch reads (`other_config:vlan-limit`); nil where unset.
  public var vlanLimit: Int?
  /// `other_config:hw-offload`: Open vSwitch hands flows to NICs that can take them.
  public var hardwareOffload = false
  /// File name → epoch seconds, from `collected.json`.
  public var taken: [String: Double] = [:]

  public init() {}
}

/// An Open vSwitch bridge.
public struct Bridge: Sendable {
  public var name: String
  public var ports: [BridgePort] = []
  /// The best dump of its flows, and that file's path below the bundle.
  public var flows: FlowDump?
  public var flowsFile: String?
  /// When the flows were dumped, in epoch seconds.
  public var flowsTaken: Double?
  /// MAC table (`fdb/show`).
  public var fdb: [FDBEntry] = []
  public var datapathType: String?
  public var failMode: String?
  public var mirrors: [Mirror] = []
  /// `other_config` of the Bridge record (mac-aging-time, mac-table-size, …).
  public var otherConfig: [String: String] = [:]
  public var mcastSnooping: Bool?

  public init(name: String) { self.name = name }
}

/// A mirror (OVSDB `Mirror`), by port names.
public struct Mirror: Sendable {
  public var name: String
  public var outputPort: String?
  public var outputVLAN: UInt16?
  public var selectAll = false
  /// VLANs whose frames it copies (`select_vlan`); empty: of all.
  public var selectedVLANs: [UInt16] = []
  public var sourcePorts: [String] = []
  public var destinationPorts: [String] = []

  public init(name: String) { self.name = name }
}

/// A port of a bridge with its interface. Of a bond, type, ofport and options are those of its first interface.
public struct BridgePort: Sendable {
  public var name: String
  /// Access VLAN (`Port.tag`); nil where unset.
  public var tag: UInt16?
  public var trunks: [UInt16] = []
  /// Customer VLANs that a dot1q-tunnel port takes (`Port.cvlans`); empty: all.
  public var customerVLANs: [UInt16] = []
  /// `Port.vlan_mode`; nil where unset or not known.
  public var vlanMode: String?
  /// Names of the interfaces of a bond, or of the one interface that is not named as the port is; else empty.
  public var members: [String] = []
  /// `Interface.type`: "", internal, patch, vxlan, gre, geneve, dpdkvhostuser, …
  public var type = ""
  public var ofport: Int?
  /// `Interface.options`.
  public var options: [String: String] = [:]
  /// `Interface.external_ids`.
  public var externalIDs: [String: String] = [:]
  /// `Port.other_config`: where Neutron's agent keeps its own record.
  public var otherConfig: [String: String] = [:]
  public var statistics: [String: UInt64] = [:]
  public var error: String?
  /// `Interface.admin_state` is down.
  public var isDown = false

  public init(name: String) { self.name = name }

  /// Peer of a patch port.
  public var patchPeer: String? { type == "patch" ? options["peer"] : nil }
}

/// A port of a tenant network: a guest's, or one of Neutron's own (dhcp, router).
public struct Port: Sendable {
  public var host: Int
  /// The network it belongs to; nil where unknown. With a trunk, that of untagged frames.
  public var network: Int?
  /// The guest's name where intent gives one, else the name of its interface.
  public var name: String
  /// Neutron's port UUID (`iface-id`).
  public var uuid: String?
  public var macs: [MACAddress] = []
  public var addresses: [IPAddress] = []
  /// Allowed address pairs: further MACs this port may send from.
  public var allowedMACs: [MACAddress] = []
  public var allowedAddresses: [String] = []
  public var portSecurity: Bool?
  /// `network:dhcp`, `compute:nova`, `network:router_interface_distributed`, …
  public var deviceOwner: String?
  /// Interface names on its path, from the guest to br-int; nil where there is none or none is known.
  public var tap: String?
  public var qbr: String?
  public var qvb: String?
  public var qvo: String?
  /// The port of br-int it is plugged into: `qvo`, or the tap itself.
  public var bridgePort: String?
  /// Installed access VLAN (`tag` of that port) before and after; nil where unset or unknown.
  public var installedTag: UInt16?
  public var installedTagAfter: UInt16?
  /// The agent's own record (`other_config:tag`), before and after: an agent that starts again may choose another.
  public var recordedTag: UInt16?
  public var recordedTagAfter: UInt16?
  public var vlanMode: String?
  /// Trunk subports: VLAN on the guest's side → network.
  public var subports: [Subport] = []
  /// The subports' own ports on br-int, where state shows them.
  public var subportPatches: [SubportPatch] = []
  public var active = true
  /// The strongest source that says which network it is on.
  public var source: Source

  public init(host: Int, network: Int?, name: String, source: Source) {
    self.host = host
    self.network = network
    self.name = name
    self.source = source
  }
}

public struct Subport: Hashable, Sendable {
  public var vlan: UInt16
  public var network: Int
  public init(vlan: UInt16, network: Int) {
    self.vlan = vlan
    self.network = network
  }
}

/// The port on br-int by which a trunk's subport comes in.
public struct SubportPatch: Hashable, Sendable {
  public var name: String
  public var network: Int
  /// Installed access VLAN, and the agent's own record.
  public var tag: UInt16?
  public var recordedTag: UInt16?
}

/// One capture file and what its name and place say of it.
public struct CaptureSource: Hashable, Sendable {
  public var path: String
  /// Path below the bundle, with `/`: how reports name it.
  public var name: String
  public var host: Int
  /// Interface named by the file's name; nil where the name says none (`all.pcapng`, `any.pcap`, `capture.pcap`).
  public var interface: String?
  /// `NAME.in.pcap`, `NAME.out.pcap`.
  public var direction: Direction?
  public enum Direction: Sendable { case inbound, outbound }
  /// Number of a rotated file (`eth1.pcap3`, `eth1_00003_20260101120000.pcap`); nil where the name has none.
  public var sequence: Int?

  public init(path: String, name: String, host: Int, interface: String?, direction: Direction? = nil) {
    self.path = path
    self.name = name
    self.host = host
    self.interface = interface
    self.direction = direction
  }
}

/// What kind of place an interface is.
public enum PointKind: String, Sendable {
  case tap, qvb, qvo, qbr, bridge, mirror, tunnel
  case tunnelDevice = "tunnel device"
  case any, patch, provider, trunk
  case router, unknown

  /// On the path between one guest, or a router, and br-int.
  public var isGuestSide: Bool { self == .tap || self == .qvb || self == .qvo || self == .router }
}

/// What an interface of a host is, from its name and from state.
public struct InterfaceRole: Hashable, Sendable {
  public var kind: PointKind
  /// The port (index into `Deployment.ports`) whose path it lies on.
  public var port: Int?
  public init(kind: PointKind, port: Int? = nil) {
    self.kind = kind
    self.port = port
  }
}

import Wire

/// A tunnel port of a host, read from its options.
public struct Tunnel: Sendable {
  public enum Kind: String, Sendable { case vxlan, gre, geneve }
  public var name: String
  public var bridge: String
  public var kind: Kind
  public var ofport: Int?
  /// nil for `flow` or unset.
  public var local: IPAddress?
  public var remote: IPAddress?
  /// nil for `flow`; a fixed key otherwise.
  public var key: UInt32?
  /// The one tunnel ID that it takes from its peer; nil for `flow` or unset, where it takes any.
  public var inKey: UInt32?
  /// UDP destination port; 0 for GRE.
  public var destinationPort: UInt16

  public init(name: String, bridge: String, kind: Kind, destinationPort: UInt16) {
    self.name = name
    self.bridge = bridge
    self.kind = kind
    self.destinationPort = destinationPort
  }
}

import Wire

/// `lanecheck.yaml`: what people say the deployment should be.
struct Manifest {
  struct NetworkEntry {
    var name: String
    var kind = Network.Kind.vxlan
    /// Whether the type is written there, and not taken for granted.
    var hasType = false
    var segmentationID: UInt32?
    var uuid: String?
  }

  struct HostEntry {
    var name: String
    var vteps: [IPAddress] = []
    /// Network name → local VLAN, in the order of the file.
    var vlans: [(network: String, vlan: UInt16)] = []
    var ports: [PortEntry] = []
    /// Interface name → kind, where neither name nor state would tell.
    var interfaces: [String: PointKind] = [:]
  }

  struct PortEntry {
    var name: String
    var network: String?
    var macs: [MACAddress] = []
    var addresses: [IPAddress] = []
    var allowedMACs: [MACAddress] = []
    var allowedAddresses: [String] = []
    var tap: String?
    var qvo: String?
    var uuid: String?
    var subports: [(vlan: UInt16, network: String)] = []
    /// Neutron's `device_owner`, and `port_security_enabled`.
    var owner: String?
    var security: Bool?
    var line = 0
  }

  /// Path below the bundle.
  var file: String
  var networks: [NetworkEntry] = []
  var hosts: [HostEntry] = []
  var complete = false
}

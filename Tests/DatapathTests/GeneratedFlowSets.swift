import Deployment
import Wire

@testable import Datapath

/// A deployment of three hosts whose addresses the differential test routes, and the switches that Neutron would
/// set up on its first host.
enum GeneratedHosts {
  static func deployment(_ kinds: [Network.Kind] = [.vxlan]) -> Deployment {
    var deployment = Deployment()
    for (index, kind) in kinds.enumerated() {
      let number = UInt32(0x39 + index * 7)
      deployment.networks.append(
        Network(name: "net\(index)", kind: kind, segmentationID: kind == .flat ? nil : number, source: .manifest))
    }
    for number in 1...3 {
      var host = Host(name: "host\(number)")
      host.vteps = [IPAddress(v4: number == 1 ? 0xc612_0001 : 0xc612_0100 | UInt32(number))]
      deployment.hosts.append(host)
      for network in kinds.indices {
        var port = Port(host: number - 1, network: network, name: "guest\(number)-\(network)", source: .manifest)
        port.macs = [MACAddress(rawValue: 0xfa16_3e00_0000 | UInt64(number * 256 + network))]
        port.addresses = [
          IPAddress(v4: 0x0a00_0000 | UInt32(number)),
          IPAddress(v6High: 0xfd00_0039_0000_0000, low: UInt64(number)),
        ]
        port.tap = "tap\(number)\(network)-0a"
        port.bridgePort = port.tap
        deployment.ports.append(port)
      }
    }
    return deployment
  }

  /// The first guest of each host is a trunk that carries the last network as VLAN 101.
  static func trunks(_ kinds: [Network.Kind]) -> Deployment {
    var deployment = deployment(kinds)
    for index in deployment.ports.indices where deployment.ports[index].network == 0 {
      deployment.ports[index].subports = [Subport(vlan: 101, network: kinds.count - 1)]
      deployment.ports[index].bridgePort = nil
    }
    return deployment
  }

  static func bridges(_ deployment: Deployment, _ mode: NeutronMode) -> [BridgeState] {
    NeutronFlows.host(0, of: deployment, mode: mode)?.bridges ?? []
  }
}

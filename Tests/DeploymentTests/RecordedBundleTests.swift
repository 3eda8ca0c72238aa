import Deployment
import OpenFlow
import Testing
import Wire

@Suite struct RecordedBundleTests {
  private func network(_ name: String, _ truth: Truth, _ deployment: Deployment) throws -> Int {
    let uuid = try #require(truth.networks.first { $0.name == name }?.uuid)
    return try #require(deployment.networks.firstIndex { $0.uuid == uuid })
  }

  @Test(arguments: RecordedBundles.names)
  func hostsTunnelsAndEndpointsAreThoseOfTheTruth(name: String) throws {
    let truth = try RecordedBundles.truth(name)
    let deployment = try loadBundle(path: RecordedBundles.path(name))
    #expect(deployment.hosts.map(\.name) == truth.hosts.map(\.name))
    for expected in truth.hosts {
      let index = try #require(deployment.hostIndex(named: expected.name))
      let host = deployment.hosts[index]
      #expect(host.vteps == [try #require(IPAddress(expected.vtep))])
      #expect(host.before != nil && host.after != nil)
      let tunnels = deployment.tunnels(of: index)
      #expect(Set(tunnels.map(\.name)) == Set(expected.tunnelPorts.keys))
      for tunnel in tunnels {
        #expect(tunnel.kind.rawValue == truth.tunnelType)
        #expect(tunnel.remote.map(String.init(describing:)) == expected.tunnelPorts[tunnel.name])
        #expect(tunnel.local == host.vteps.first)
        #expect(tunnel.key == nil)
        #expect(tunnel.destinationPort == (tunnel.kind == .gre ? 0 : UInt16(expected.udpPort ?? 0)))
      }
      let state = try #require(host.state)
      for (port, place) in expected.ofports {
        let bridge = try #require(state.bridges.first { $0.name == place.bridge })
        #expect(bridge.ports.first { $0.name == port }?.ofport == place.ofport, "\(expected.name) \(port)")
      }
      for bridge in ["br-int", "br-tun"] {
        let dumped = try #require(state.bridges.first { $0.name == bridge })
        #expect(dumped.flows?.flows.isEmpty == false)
        #expect(dumped.flowsTaken != nil)
      }
      #expect(state.bridges.first { $0.name == "br-tun" }?.flowsFile == "\(expected.name)/br-tun.of13.flows")
      #expect(host.after?.bridges.first { $0.name == "br-int" }?.fdb.isEmpty == false)
      #expect(state.ovsVersion == "3.1.0")
    }
  }

  @Test(arguments: RecordedBundles.names)
  func networksAndLocalVLANsAreThoseOfTheTruth(name: String) throws {
    let truth = try RecordedBundles.truth(name)
    let deployment = try loadBundle(path: RecordedBundles.path(name))
    #expect(deployment.networks.count == truth.networks.count)
    for expected in truth.networks {
      let index = try network(expected.name, truth, deployment)
      #expect(deployment.networks[index].segmentationID == expected.vni)
      #expect(deployment.networks[index].kind.rawValue == expected.type)
      #expect(deployment.networkIndex(vni: expected.vni) == index)
      for host in deployment.hosts {
        // A host without a port of the network has no record of it.
        guard let vlan = host.localVLANs[index] else { continue }
        #expect(vlan == expected.localVlans[host.name])
      }
    }
  }

  @Test(arguments: RecordedBundles.names)
  func portsHaveTheTruthsMACsPathsAndTags(name: String) throws {
    let truth = try RecordedBundles.truth(name)
    let deployment = try loadBundle(path: RecordedBundles.path(name))
    for expected in truth.ports {
      let host = try #require(deployment.hostIndex(named: expected.host))
      let mac = try #require(MACAddress(expected.mac))
      let port = deployment.ports[try #require(deployment.port(withMAC: mac, on: host))]
      #expect(port.network == (try network(expected.network, truth, deployment)))
      #expect(deployment.hosts[host].localVLANs[port.network ?? -1] == expected.localVlan)
      #expect(port.uuid == expected.portId)
      #expect([port.tap, port.qbr, port.qvb, port.qvo] == [expected.tap, expected.qbr, expected.qvb, expected.qvo])
      #expect(port.bridgePort == expected.ovsPort)
      #expect(port.installedTag == expected.actualTag)
      #expect(port.recordedTag == expected.localVlan)
      #expect(port.source == .agentRecord)
    }
    // A port that moves has a record on both hosts.
    #expect(Set(deployment.ports.compactMap(\.uuid)) == Set(truth.ports.map(\.portId)))
  }

  @Test(arguments: RecordedBundles.names)
  func capturesHaveTheTruthsInterfacesAndRoles(name: String) throws {
    let truth = try RecordedBundles.truth(name)
    let deployment = try loadBundle(path: RecordedBundles.path(name))
    #expect(deployment.captures.map(\.name).sorted() == truth.captures.map(\.file).sorted())
    for expected in truth.captures {
      let capture = try #require(deployment.captures.first { $0.name == expected.file })
      #expect(deployment.hosts[capture.host].name == expected.host)
      guard case .one(let interface) = expected.iface, interface != "any" else {
        #expect(capture.interface == nil)
        continue
      }
      #expect(capture.interface == interface)
      let role = deployment.role(of: interface, on: capture.host)
      // Without its Bridge record from before, the mirror is known from that of after.
      #expect(role.kind.rawValue == expected.point)
      if role.kind.isGuestSide {
        let port = deployment.ports[try #require(role.port)]
        #expect(truth.ports.contains { $0.portId == port.uuid && [$0.tap, $0.qvo, $0.qvb].contains(interface) })
      }
    }
  }

  @Test(arguments: RecordedBundles.names)
  func onlyTheWrongTagIsNoted(name: String) throws {
    let deployment = try loadBundle(path: RecordedBundles.path(name))
    let texts = deployment.notes.map(\.text)
    if name == "wrong-qvo-tag" {
      #expect(texts == ["host2: port qvof270e0c2-76 has tag 1, the agent's record says tag 2"])
      #expect(deployment.notes.first?.host == 1)
    } else {
      #expect(texts == [])
    }
  }

  @Test func loadingTwiceGivesTheSame() throws {
    for name in RecordedBundles.names.prefix(3) {
      let first = try loadBundle(path: RecordedBundles.path(name))
      let second = try loadBundle(path: RecordedBundles.path(name))
      #expect(first.captures == second.captures)
      #expect(first.ports.map(\.name) == second.ports.map(\.name))
      #expect(first.networks.map(\.name) == second.networks.map(\.name))
    }
  }
}

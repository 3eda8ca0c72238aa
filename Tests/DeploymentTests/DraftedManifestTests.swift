import Deployment
import Foundation
import Testing

/// The manifest that is drafted from Neutron's answers, and what it cannot say.
@Suite struct DraftedManifestTests {
  private static let networks = """
    {"networks": [
      {"id": "0a", "name": "yes", "provider:network_type": "vxlan", "provider:segmentation_id": 57},
      {"id": "0b", "name": "Net \\"B\\": ü", "provider:network_type": "vlan", "provider:segmentation_id": 101,
       "provider:physical_network": "physnet1"},
      {"id": "0c", "name": "ext", "provider:network_type": "flat", "provider:segmentation_id": null}]}
    """

  private static let ports = """
    {"ports": [
      {"id": "11111111-2222-4333-8444-555555555555", "name": "web", "network_id": "0a", "mac_address": "fa:16:3e:00:00:01",
       "fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "fd00::5"}], "binding:host_id": "c1", "status": "ACTIVE",
       "device_owner": "compute:nova", "port_security_enabled": true,
       "allowed_address_pairs": [{"mac_address": "00:00:5e:00:01:2a", "ip_address": "10.0.0.100"}],
       "trunk_details": {"sub_ports": [{"port_id": "22222222-2222-4333-8444-555555555555", "segmentation_id": 200,
        "mac_address": "fa:16:3e:00:00:02"}]}},
      {"id": "22222222-2222-4333-8444-555555555555", "name": "", "network_id": "0b", "mac_address": "fa:16:3e:00:00:02",
       "fixed_ips": [], "binding:host_id": "c1", "status": "ACTIVE", "device_owner": "trunk:subport"},
      {"id": "33333333-2222-4333-8444-555555555555", "name": "web", "network_id": "0a", "mac_address": "fa:16:3e:00:00:03",
       "fixed_ips": [{"ip_address": "10.0.0.6"}], "binding:host_id": "c1", "status": "ACTIVE",
       "device_owner": "network:dhcp", "port_security_enabled": false, "allowed_address_pairs": []}]}
    """

  @Test func neutronsAnswersBecomeAManifestThatSaysTheSame() throws {
    let bundle = try Scratch(["neutron-networks.json": Self.networks, "neutron-ports.json": Self.ports])
    let stated = try bundle.load()
    let draft = ManifestDraft.text(of: stated)
    #expect(draft.contains("\"yes\": { vni: 57, type: vxlan, uuid: \"0a\" }  # 0x39"))
    #expect(draft.contains("\"Net \\\"B\\\": ü\": { vlan: 101, type: vlan"))
    #expect(draft.contains("# vtep: not known"))
    #expect(draft.contains("complete: true"))
    // Alone, it gives the same deployment.
    let read = try Scratch(["lanecheck.yaml": draft, "c1/tap11111111-22.pcap": Scratch.pcap]).load()
    #expect(read.notes.isEmpty, "\(read.notes)")
    #expect(read.complete)
    #expect(read.networks.map(\.name) == stated.networks.map(\.name))
    #expect(read.networks.map(\.kind) == stated.networks.map(\.kind))
    #expect(read.networks.map(\.segmentationID) == stated.networks.map(\.segmentationID))
    #expect(read.hosts.map(\.name) == ["c1"])
    #expect(read.ports.map(\.name) == ["web", "web-2"])
    for (port, source) in zip(read.ports, stated.ports) {
      #expect(port.macs == source.macs)
      #expect(port.addresses == source.addresses)
      #expect(port.allowedMACs == source.allowedMACs)
      #expect(port.allowedAddresses == source.allowedAddresses)
      #expect(port.network == source.network)
      #expect(port.subports == source.subports)
      #expect(port.uuid == source.uuid)
      #expect(port.deviceOwner == source.deviceOwner)
      #expect((port.portSecurity ?? true) == (source.portSecurity ?? true))
    }
  }

  @Test func whatSourcesDisagreeOnIsAComment() throws {
    let (port, interface) = boundPort(
      "qvo11111111-22", tag: 4, network: "0a", segment: 57, recorded: 3, mac: "fa:16:3e:00:00:01",
      uuid: "11111111-2222-4333-8444-555555555555")
    let draft = ManifestDraft.text(
      of: try Scratch([
        "c1/ovsdb-port.json": ovsdbList([port]), "c1/ovsdb-interface.json": ovsdbList([interface]),
        "c1/show": vsctlShow(ports: ["qvo11111111-22": 4], remotes: ["vxlan-1": "192.0.2.9"], local: "192.0.2.1"),
      ]).load())
    #expect(draft.contains("    # Check: c1: port qvo11111111-22 has tag 4, the agent's record says tag 3"))
    #expect(draft.contains("    # Its tunnels also lead to 192.0.2.9, which no host here has."))
    #expect(draft.contains("vtep: 192.0.2.1"))
    #expect(draft.contains("# not known: ip"))
    #expect(draft.contains("# complete: true"))
  }
}

import Wire

/// What the hosts say of themselves: the manifest and `ovs-vsctl show`.
extension Overlay {
  var manifest: String {
    var text = "networks:\n"
    for network in 0..<Self.networkCount {
      text += "  \(Self.networkName(network)): { vni: 0x\(String(Self.vni(network), radix: 16)) }\n"
    }
    text += "hosts:\n"
    for (host, name) in Self.hostNames.enumerated() {
      let vlans = (0..<Self.networkCount).map { "\(Self.networkName($0)): \(Self.localVLAN($0, on: host))" }
      text += "  \(name):\n    vtep: \(vteps[host])\n    vlans: { \(vlans.joined(separator: ", ")) }\n    ports:\n"
      for guest in guests where guest.host == host {
        text += "      \(guest.name): { network: \(Self.networkName(guest.network)), mac: \"\(guest.mac)\", "
        text += "ip: [\(guest.address)], tap: \(guest.tap) }\n"
      }
    }
    return text + "complete: true\n"
  }

  func switchText(of host: Int) -> String {
    var text = "00000000-0000-4000-8000-00000000000\(host + 1)\n    Bridge br-int\n        fail_mode: secure\n"
    for guest in guests where guest.host == host {
      text += "        Port \(guest.tap)\n            tag: \(Self.localVLAN(guest.network, on: host))\n"
      text += "            Interface \(guest.tap)\n"
    }
    text += patch("patch-tun", to: "patch-int")
    text += "    Bridge br-tun\n        fail_mode: secure\n"
    text += patch("patch-int", to: "patch-tun")
    for peer in Self.hostNames.indices where peer != host {
      let name = tunnelPort(to: peer)
      text += "        Port \(name)\n            Interface \(name)\n                type: vxlan\n"
      text += "                options: {df_default=\"true\", in_key=flow, local_ip=\"\(vteps[host])\", "
      text += "out_key=flow, remote_ip=\"\(vteps[peer])\"}\n"
    }
    return text
  }

  func tunnelPort(to peer: Int) -> String {
    "vxlan-\(hexadecimal(UInt32(truncatingIfNeeded: vteps[peer].low), digits: 8))"
  }

  private func patch(_ name: String, to peer: String) -> String {
    "        Port \(name)\n            Interface \(name)\n                type: patch\n"
      + "                options: {peer=\(peer)}\n"
  }
}

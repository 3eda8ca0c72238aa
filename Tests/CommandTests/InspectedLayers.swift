import Foundation
import Jobs

/// One line of `inspect --format json`, as documented.
struct InspectedLine: Decodable {
  struct Ethernet: Decodable {
    var destination: String
    var source: String
    var type: Int
  }
  struct Cooked: Decodable {
    var source: String?
    var `protocol`: Int
    var interfaceIndex: Int?
  }
  struct Tag: Decodable {
    var tpid: Int
    var vid: Int
    var pcp: Int
    var dei: Bool
  }
  struct ARP: Decodable {
    var operation: Int
    var senderMAC: String?
    var senderAddress: String?
    var targetMAC: String?
    var targetAddress: String?
  }
  struct IP: Decodable {
    var source: String
    var destination: String
    var `protocol`: Int
    var ttl: Int?
    var hopLimit: Int?
    var id: Int?
    var fragmentOffset: Int?
  }
  struct Ports: Decodable {
    var sourcePort: Int
    var destinationPort: Int
    var sequence: UInt32?
  }
  struct ICMP: Decodable {
    var type: Int
    var code: Int
    var id: Int?
    var sequence: Int?
  }
  struct Tunnel: Decodable {
    var vni: Int?
    var key: Int?
    var `protocol`: Int?
  }
  struct Stop: Decodable {
    var reason: String
  }
  final class Inner: Decodable {
    var ethernet: Ethernet?
    var vlan: [Tag]?
    var arp: ARP?
    var ipv4: IP?
    var ipv6: IP?
    var udp: Ports?
    var tcp: Ports?
    var icmp: ICMP?
    var icmpv6: ICMP?
    var stop: Stop
    var cooked: Cooked?
  }

  var frame: UInt64
  var headers: Inner
  var vxlan: Tunnel?
  var gre: Tunnel?
  var inner: Inner?

  private enum CodingKeys: CodingKey { case frame, vxlan, gre, inner }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    frame = try container.decode(UInt64.self, forKey: .frame)
    vxlan = try container.decodeIfPresent(Tunnel.self, forKey: .vxlan)
    gre = try container.decodeIfPresent(Tunnel.self, forKey: .gre)
    inner = try container.decodeIfPresent(Inner.self, forKey: .inner)
    headers = try Inner(from: decoder)
  }
}

extension InspectedLine {
  var layers: FrameLayers {
    var result = FrameLayers(number: frame)
    result.layers = headers.layers
    result.isComplete = headers.stop.reason == "complete"
    if let vxlan {
      result.layers.append(Layer(name: "vxlan", values: ["vni": text(vxlan.vni)]))
    }
    if let gre {
      result.layers.append(Layer(name: "gre", values: ["key": text(gre.key), "protocol": text(gre.protocol)]))
    }
    if let inner {
      result.layers += inner.layers
      result.isComplete = result.isComplete && inner.stop.reason == "complete"
    }
    return result
  }
}

extension InspectedLine.Inner {
  fileprivate var layers: [Layer] {
    var result: [Layer] = []
    let tags = vlan ?? []
    // Each layer names the ethertype of the next: a tag's TPID is the type before it.
    var types = tags.map(\.tpid)
    if let ethernet {
      types.append(ethernet.type)
      result.append(
        Layer(
          name: "eth",
          values: ["dst": ethernet.destination, "src": ethernet.source, "type": String(types[0])]))
    } else if let cooked {
      types.append(cooked.protocol)
      var values = ["type": String(types[0])]
      if let source = cooked.source { values["src"] = source }
      if let index = cooked.interfaceIndex { values["ifindex"] = String(index) }
      result.append(Layer(name: "sll", values: values))
    }
    for (index, tag) in tags.enumerated() {
      result.append(
        Layer(
          name: "vlan",
          values: [
            "vid": String(tag.vid), "pcp": String(tag.pcp), "dei": tag.dei ? "1" : "0",
            "type": index + 1 < types.count ? String(types[index + 1]) : "none",
          ]))
    }
    if let arp {
      var values = ["op": String(arp.operation)]
      values["sha"] = arp.senderMAC
      values["spa"] = arp.senderAddress
      values["tha"] = arp.targetMAC
      values["tpa"] = arp.targetAddress
      result.append(Layer(name: "arp", values: values))
    }
    if let ipv4 {
      result.append(
        Layer(
          name: "ip",
          values: [
            "src": ipv4.source, "dst": ipv4.destination, "proto": String(ipv4.protocol), "ttl": text(ipv4.ttl),
            "id": text(ipv4.id), "offset": text(ipv4.fragmentOffset),
          ]))
    }
    if let ipv6 {
      result.append(
        Layer(
          name: "ipv6", values: ["src": ipv6.source, "dst": ipv6.destination, "ttl": text(ipv6.hopLimit)]))
    }
    if let udp {
      result.append(
        Layer(name: "udp", values: ["src": String(udp.sourcePort), "dst": String(udp.destinationPort)]))
    }
    if let tcp {
      result.append(
        Layer(
          name: "tcp",
          values: [
            "src": String(tcp.sourcePort), "dst": String(tcp.destinationPort),
            "seq": tcp.sequence.map { String($0) } ?? "none",
          ]))
    }
    if let icmp { result.append(Layer(name: "icmp", values: icmp.values)) }
    if let icmpv6 { result.append(Layer(name: "icmpv6", values: icmpv6.values)) }
    return result
  }
}

extension InspectedLine.ICMP {
  fileprivate var values: [String: String] {
    var values = ["type": String(type), "code": String(code)]
    if let id { values["id"] = String(id) }
    if let sequence { values["seq"] = String(sequence) }
    return values
  }
}

private func text(_ value: Int?) -> String {
  value.map { String($0) } ?? "none"
}

/// The layers of every frame of a capture, by `inspect --format json`.
func inspectedLayers(of path: String) throws -> [FrameLayers] {
  var options = InspectOptions(path: path)
  options.format = .json
  var bytes: [UInt8] = []
  try inspect(options) {
    bytes += $0
    return true
  }
  let decoder = JSONDecoder()
  return try Data(bytes).split(separator: UInt8(ascii: "\n")).map {
    try decoder.decode(InspectedLine.self, from: $0).layers
  }
}

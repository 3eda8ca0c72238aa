import Testing

@testable import Wire

let macA = MACAddress(rawValue: 0xfa16_3e00_0001)
let macB = MACAddress(rawValue: 0xfa16_3e00_0002)
let vtepMACA = MACAddress(rawValue: 0x5254_0000_0001)
let vtepMACB = MACAddress(rawValue: 0x5254_0000_0002)
let addressA = IPAddress(v4: 0x0a00_000b)
let addressB = IPAddress(v4: 0x0a00_000c)
let vtepA = IPAddress(v4: 0xc633_6401)
let vtepB = IPAddress(v4: 0xc633_6402)
let address6A = IPAddress(v6High: 0x2001_0db8_0000_0000, low: 0xa)
let address6B = IPAddress(v6High: 0x2001_0db8_0000_0000, low: 0xb)

func frame(tags: [VLANTag] = [], _ content: (inout FrameBuilder) -> Void) -> [UInt8] {
  var builder = FrameBuilder()
  builder.ethernet(to: macB, from: macA)
  for tag in tags { builder.tag(tag) }
  content(&builder)
  return builder.bytes
}

func vlan(_ vid: UInt16) -> VLANTag { VLANTag(tpid: EtherType.vlan, tci: vid) }

enum Overlay: CaseIterable { case vxlan, gre, greWithAll, geneve }

/// An inner frame inside an overlay header, over IPv4 or IPv6, with or without an outer tag.
func encapsulated(
  _ inner: [UInt8], by overlay: Overlay = .vxlan, id: UInt32 = 57, overIPv6: Bool = false, outerTag: VLANTag? = nil,
  fields: FrameBuilder.IPFields = FrameBuilder.IPFields()
) -> [UInt8] {
  func tunnel(_ builder: inout FrameBuilder) {
    switch overlay {
    case .vxlan:
      builder.udp(from: 51000, to: 4789, hasChecksum: overIPv6) {
        $0.vxlan(vni: id)
        $0.append(inner)
      }
    case .gre: builder.gre(key: id) { $0.append(inner) }
    case .greWithAll: builder.gre(key: id, sequence: 9, hasChecksum: true) { $0.append(inner) }
    case .geneve:
      builder.udp(from: 51000, to: 6081) {
        $0.geneve(vni: id, options: [1, 2, 3, 4, 5, 6, 7, 8])
        $0.append(inner)
      }
    }
  }
  var builder = FrameBuilder()
  builder.ethernet(to: vtepMACB, from: vtepMACA)
  if let outerTag { builder.tag(outerTag) }
  if overIPv6 {
    builder.ipv6(from: address6A, to: address6B, fields: fields, tunnel)
  } else {
    builder.ipv4(from: vtepA, to: vtepB, fields: fields, tunnel)
  }
  return builder.bytes
}

struct Sample: CustomTestStringConvertible {
  var name: String
  var bytes: [UInt8]
  var linkType: UInt16 = 1
  var testDescription: String { name }
}

/// Frames of every kind that is decoded, none of which contradicts itself.
let samples: [Sample] = plainSamples + cookedSamples + overlaySamples

private let udpPacket = frame {
  $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 68, to: 67) { $0.append([1, 2, 3]) } }
}
private let tcpPacket = frame {
  $0.ipv4(from: addressA, to: addressB) {
    $0.tcp(from: 40000, to: 80, sequence: 0x0102_0304, acknowledgment: 5, options: [2, 4, 5, 0xb4, 1]) {
      $0.append([9])
    }
  }
}
private let arpRequest = frame {
  $0.arp(operation: 1, senderMAC: macA, sender: addressA, targetMAC: .zero, target: addressB)
  $0.pad(to: 60)
}
private let solicitation = frame {
  $0.ipv6(from: address6A, to: address6B) {
    $0.icmpv6(type: 135) {
      $0.append(address6B)
      $0.append([1, 1, 0xfa, 0x16, 0x3e, 0, 0, 1])
    }
  }
}

private let plainSamples: [Sample] = {
  var options = FrameBuilder.IPFields()
  options.options = [7, 7, 4, 0, 0, 0, 0]
  options.dontFragment = true
  options.trafficClass = 0xb8
  var first = FrameBuilder.IPFields()
  first.moreFragments = true
  first.identification = 77
  var later = FrameBuilder.IPFields()
  later.fragmentOffset = 1480
  later.identification = 77
  return [
    Sample(name: "UDP", bytes: udpPacket),
    Sample(name: "TCP with options", bytes: tcpPacket),
    Sample(name: "ARP", bytes: arpRequest),
    Sample(name: "neighbour solicitation", bytes: solicitation),
    Sample(
      name: "echo with IPv4 options",
      bytes: frame { $0.ipv4(from: addressA, to: addressB, fields: options) { $0.icmp(type: 8, rest: 0x0007_0001) } }),
    Sample(
      name: "ICMP error",
      bytes: frame {
        $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: 3, code: 4, rest: 1400) { $0.append(udpPacket[14...]) } }
      }),
    Sample(
      name: "ICMPv6 echo behind extension headers",
      bytes: frame {
        $0.ipv6(from: address6A, to: address6B) {
          $0.ipv6Extension(0, [5, 2, 0, 0, 1, 0])
          $0.ipv6Extension(43, [UInt8](repeating: 0, count: 22))
          $0.ipv6Extension(51, [UInt8](repeating: 3, count: 22))
          $0.ipv6Extension(60)
          $0.icmpv6(type: 128, rest: 0x0003_0004)
        }
      }),
    Sample(
      name: "first fragment",
      bytes: frame {
        $0.ipv4(from: addressA, to: addressB, fields: first) { $0.udp(from: 5, to: 6) { $0.append([1, 2, 3, 4]) } }
      }),
    Sample(
      name: "later fragment",
      bytes: frame {
        $0.ipv4(from: addressA, to: addressB, fields: later) {
          $0.ipProtocol(17)
          $0.append([UInt8](repeating: 0xee, count: 30))
        }
      }),
    Sample(
      name: "IPv6 fragment",
      bytes: frame {
        $0.ipv6(from: address6A, to: address6B) {
          $0.ipv6Extension(44, [0, 8, 1, 2, 3, 4])
          $0.ipProtocol(17)
          $0.append([UInt8](repeating: 0xee, count: 30))
        }
      }),
    Sample(
      name: "tagged",
      bytes: frame(tags: [vlan(1)]) {
        $0.type(EtherType.ipv4)
        $0.append(udpPacket[14...])
      }),
    Sample(
      name: "six tags",
      bytes: frame(tags: (1...6).map { VLANTag(tpid: $0 == 1 ? 0x88a8 : 0x8100, tci: UInt16($0)) }) {
        $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2) }
      }),
    Sample(
      name: "spanning tree",
      bytes: frame {
        $0.type(38)
        $0.append([0x42, 0x42, 3] + [UInt8](repeating: 0, count: 35))
        $0.pad(to: 60)
      }),
    Sample(
      name: "LLDP",
      bytes: frame {
        $0.type(0x88cc)
        $0.append([2, 7, 4, 1, 2, 3, 4, 5, 6])
      }),
    Sample(
      name: "SCTP",
      bytes: frame {
        $0.ipv4(from: addressA, to: addressB) {
          $0.ipProtocol(132)
          $0.append([UInt8](1...16))
        }
      }),
    Sample(
      name: "IPv6 without payload",
      bytes: frame {
        $0.ipv6(from: address6A, to: address6B) { _ in }
        $0.pad(to: 60)
      }),
  ]
}()

private let cookedSamples: [Sample] = {
  let v1: [UInt8] = [0, 4, 0, 1, 0, 6, 0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0]
  let v2: [UInt8] = [0, 0, 0, 0, 0, 7, 0, 1, 4, 6, 0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0]
  let tagged: [UInt8] = [0x81, 0x00, 0x00, 0x05, 0x08, 0x00]
  return [
    Sample(name: "cooked v1", bytes: v1 + [0x08, 0x00] + udpPacket[14...], linkType: 113),
    Sample(name: "cooked v2", bytes: [0x08, 0x00] + v2 + udpPacket[14...], linkType: 276),
    Sample(name: "cooked v1, tagged", bytes: v1 + tagged + tcpPacket[14...], linkType: 113),
    Sample(name: "cooked v2, tagged", bytes: tagged[..<2] + v2 + tagged[2...] + tcpPacket[14...], linkType: 276),
    Sample(name: "cooked v2, ARP", bytes: [0x08, 0x06] + v2 + arpRequest[14...], linkType: 276),
    Sample(name: "cooked v2, VXLAN", bytes: [0x08, 0x00] + v2 + encapsulated(tcpPacket)[14...], linkType: 276),
  ]
}()

private let overlaySamples: [Sample] = {
  var list: [Sample] = []
  for overlay in Overlay.allCases {
    for overIPv6 in [false, true] {
      for outerTag in [nil, vlan(100)] {
        let bytes = encapsulated(tcpPacket, by: overlay, overIPv6: overIPv6, outerTag: outerTag)
        let name = "\(overlay)\(overIPv6 ? " over IPv6" : "")\(outerTag == nil ? "" : ", outer tag"), TCP"
        list.append(Sample(name: name, bytes: bytes))
      }
    }
    list.append(Sample(name: "\(overlay), ARP", bytes: encapsulated(arpRequest, by: overlay)))
    list.append(Sample(name: "\(overlay), solicitation", bytes: encapsulated(solicitation, by: overlay)))
  }
  let taggedInner = frame(tags: [vlan(3), vlan(4)]) { $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: 0) } }
  list.append(Sample(name: "VXLAN, tagged inner", bytes: encapsulated(taggedInner)))
  list.append(Sample(name: "VXLAN in VXLAN", bytes: encapsulated(encapsulated(udpPacket))))
  return list
}()

import Foundation
import FoundationXML

/// tshark's view of a capture, from PDML (wireshark's doc/README.xml-output).
enum Tshark {
  static let path: String? = ["/usr/bin/tshark", "/usr/local/bin/tshark", "/opt/homebrew/bin/tshark"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  struct Failure: Error {
    var text: String
  }

  /// The layers of every frame that lanecheck decodes too.
  static func layers(of capture: String) throws -> [FrameLayers] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path ?? "tshark")
    process.arguments = [
      "-r", capture, "-T", "pdml", "-n", "-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
      "-d", "udp.port==8472,vxlan",
      "-j", "eth sll vlan ieee8021ad arp ip ipv6 udp tcp icmp icmpv6 vxlan gre",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(text: "tshark ended with \(process.terminationStatus) on \(capture)")
    }
    let reader = PDMLReader()
    let parser = XMLParser(data: data)
    parser.delegate = reader
    guard parser.parse() else {
      throw Failure(text: "PDML of \(capture): \(parser.parserError.map { "\($0)" } ?? "not read")")
    }
    return reader.frames
  }
}

private final class PDMLReader: NSObject, XMLParserDelegate {
  var frames: [FrameLayers] = []
  private var layers: [Layer] = []
  private var number: UInt64 = 0

  /// Field → layer's key.
  private static let fields: [String: String] = [
    "eth.dst": "dst", "eth.src": "src", "eth.type": "type", "eth.len": "type",
    "sll.src.eth": "src", "sll.etype": "type", "sll.ifindex": "ifindex",
    "vlan.id": "vid", "vlan.priority": "pcp", "vlan.dei": "dei", "vlan.etype": "type", "vlan.len": "type",
    "ieee8021ad.id": "vid", "ieee8021ad.priority": "pcp", "ieee8021ad.dei": "dei",
    "arp.opcode": "op", "arp.src.hw_mac": "sha", "arp.src.proto_ipv4": "spa", "arp.dst.hw_mac": "tha",
    "arp.dst.proto_ipv4": "tpa",
    "ip.src": "src", "ip.dst": "dst", "ip.proto": "proto", "ip.ttl": "ttl", "ip.id": "id",
    "ip.frag_offset": "offset",
    "ipv6.src": "src", "ipv6.dst": "dst", "ipv6.hlim": "ttl",
    "udp.srcport": "src", "udp.dstport": "dst", "tcp.srcport": "src", "tcp.dstport": "dst", "tcp.seq_raw": "seq",
    "icmp.type": "type", "icmp.code": "code", "icmp.ident": "id", "icmp.seq": "seq",
    "icmpv6.type": "type", "icmpv6.code": "code", "icmpv6.echo.identifier": "id",
    "icmpv6.echo.sequence_number": "seq",
    "vxlan.vni": "vni", "gre.key": "key", "gre.proto": "protocol",
  ]
  private static let names: Set<String> = [
    "eth", "sll", "vlan", "ieee8021ad", "arp", "ip", "ipv6", "udp", "tcp", "icmp", "icmpv6", "vxlan", "gre",
  ]

  func parser(
    _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    let name = attributes["name"] ?? ""
    switch elementName {
    case "packet": layers = []
    case "proto":
      guard Self.names.contains(name) else { return }
      layers.append(Layer(name: name == "ieee8021ad" ? "vlan" : name))
    case "field":
      if name == "num" { number = attributes["show"].flatMap { UInt64($0) } ?? 0 }
      guard let key = Self.fields[name], let show = attributes["show"], !layers.isEmpty else { return }
      // The first of a name counts: ICMP echoes show their identifier in both byte orders.
      let last = layers.count - 1
      if layers[last].values[key] == nil { layers[last].values[key] = Self.normalised(show) }
    default: break
    }
  }

  func parser(
    _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName: String?
  ) {
    guard elementName == "packet" else { return }
    // Where there is no key, we say so; tshark leaves the field out.
    for index in layers.indices where layers[index].name == "gre" && layers[index].values["key"] == nil {
      layers[index].values["key"] = "none"
    }
    frames.append(FrameLayers(number: number, layers: layers))
  }

  /// Hexadecimal numbers in decimal; everything else as it is.
  private static func normalised(_ text: String) -> String {
    guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else { return text }
    return String(value)
  }
}

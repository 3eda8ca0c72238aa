import Deployment
import Foundation

/// A bundle written for one test, removed with the value's owner.
final class Scratch {
  let path: String

  /// Path below the bundle → content. Captures need none: `pcap` is their content.
  init(_ files: [String: String], named name: String = "bundle") throws {
    let base = NSTemporaryDirectory() + "lanecheck-\(UUID().uuidString)"
    path = "\(base)/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (file, content) in files { try write(file, content == Scratch.pcap ? Scratch.header : Data(content.utf8)) }
  }

  deinit { try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent) }

  /// Stands for the content of an empty capture.
  static let pcap = "\u{1}pcap"
  private static let header = Data([
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
  ])

  func write(_ file: String, _ content: Data) throws {
    let url = URL(fileURLWithPath: "\(path)/\(file)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try content.write(to: url)
  }

  func link(_ file: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: "\(path)/\(file)", withDestinationPath: target)
  }

  func load() throws -> Deployment { try loadBundle(path: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// `ovs-vsctl --format=json list` of a table, from rows of column → JSON.
func ovsdbList(_ rows: [[String: String]]) -> String {
  let headings = Set(rows.flatMap(\.keys)).sorted()
  let data = rows.map { row in "[" + headings.map { row[$0] ?? #"["set",[]]"# }.joined(separator: ",") + "]" }
  return
    "{\"data\":[\(data.joined(separator: ","))],\"headings\":[\(headings.map { "\"\($0)\"" }.joined(separator: ","))]}"
}

func ovsdbMap(_ map: [String: String]) -> String {
  "[\"map\",[" + map.sorted { $0.key < $1.key }.map { "[\"\($0)\",\"\($1)\"]" }.joined(separator: ",") + "]]"
}

/// A row of table Port with an agent's record, and the row of its interface.
func boundPort(
  _ name: String, tag: Int?, network: String, type: String = "vxlan", segment: Int, recorded: Int, mac: String,
  uuid: String
) -> (port: [String: String], interface: [String: String]) {
  let record = [
    "net_uuid": network, "network_type": type, "physical_network": "None", "segmentation_id": "\(segment)",
    "tag": "\(recorded)",
  ]
  var port = [
    "_uuid": "[\"uuid\",\"p-\(name)\"]", "name": "\"\(name)\"", "interfaces": "[\"uuid\",\"i-\(name)\"]",
    "other_config": ovsdbMap(record), "vlan_mode": #"["set",[]]"#,
  ]
  if let tag { port["tag"] = "\(tag)" }
  let interface = [
    "_uuid": "[\"uuid\",\"i-\(name)\"]", "name": "\"\(name)\"", "ofport": "7", "type": "\"\"",
    "external_ids": ovsdbMap(["attached-mac": mac, "iface-id": uuid, "iface-status": "active", "vm-uuid": "v"]),
  ]
  return (port, interface)
}

/// `ovs-vsctl show` of a br-int with the given access ports and a br-tun with the given remotes.
func vsctlShow(ports: [String: Int?] = [:], remotes: [String: String] = [:], local: String? = nil) -> String {
  var text = "4fe4-uuid\n    Bridge br-int\n        fail_mode: secure\n"
  for (name, tag) in ports.sorted(by: { $0.key < $1.key }) {
    text += "        Port \(name)\n"
    if let tag { text += "            tag: \(tag)\n" }
    text += "            Interface \(name)\n"
  }
  text += "    Bridge br-tun\n"
  for (name, remote) in remotes.sorted(by: { $0.key < $1.key }) {
    let own = local.map { "local_ip=\"\($0)\", " } ?? ""
    text += "        Port \(name)\n            Interface \(name)\n                type: vxlan\n"
    text += "                options: {in_key=flow, \(own)out_key=flow, remote_ip=\"\(remote)\"}\n"
  }
  return text
}

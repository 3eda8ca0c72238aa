import Deployment
import Foundation
import OpenFlow
import Wire

@testable import Datapath

/// The hosts of the recorded bundles, read without the Deployment room's help.
enum Recorded {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures").resolvingSymlinksInPath()

  static let bundles: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? [])
    .filter { FileManager.default.fileExists(atPath: root.path + "/" + $0 + "/truth.json") }.sorted()

  static func json(_ path: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(contentsOf: root.appendingPathComponent(path)))
  }

  static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appendingPathComponent(path)), as: UTF8.self)
  }

  /// Rows of an `ovs-vsctl --format=json list` file, by column.
  static func rows(_ path: String) throws -> [[String: Any]] {
    guard let table = try json(path) as? [String: Any], let headings = table["headings"] as? [String],
      let data = table["data"] as? [[Any]]
    else { return [] }
    return data.map { Dictionary(uniqueKeysWithValues: zip(headings, $0)) }
  }

  static func map(_ value: Any?) -> [String: String] {
    guard let pair = value as? [Any], pair.count == 2, let entries = pair[1] as? [[String]] else { return [:] }
    return Dictionary(entries.compactMap { $0.count == 2 ? ($0[0], $0[1]) : nil }) { first, _ in first }
  }

  /// The bridges of a host: `directory` is `BUNDLE/HOST` or `BUNDLE/HOST/after`.
  static func bridges(_ directory: String, of13: Bool) throws -> [BridgeState] {
    let interfaces = try rows(directory + "/ovsdb-interface.json")
    let records = try rows(directory + "/ovsdb-port.json")
    let taken = ((try json(directory + "/collected.json") as? [String: Any])?["taken"] as? [String: Double]) ?? [:]
    return try ["br-int", "br-tun"].map { name in
      let list = PortList(text: try text("\(directory)/\(name).ports"))
      var bridge = Bridge(name: name)
      for port in list.ports {
        var state = BridgePort(name: port.name)
        if case .number(let number) = port.port { state.ofport = Int(number) }
        if let interface = interfaces.first(where: { $0["name"] as? String == port.name }) {
          state.type = interface["type"] as? String ?? ""
          state.options = map(interface["options"])
        }
        if let record = records.first(where: { $0["name"] as? String == port.name }) {
          state.tag = (record["tag"] as? Int).map { UInt16($0) }
          state.vlanMode = record["vlan_mode"] as? String
          state.otherConfig = map(record["other_config"])
        }
        bridge.ports.append(state)
      }
      let better = "\(directory)/\(name).of13.flows"
      let exists = FileManager.default.fileExists(atPath: root.path + "/" + better)
      bridge.flows = FlowDump(text: try text(of13 && exists ? better : "\(directory)/\(name).flows"))
      bridge.flowsTaken = taken[of13 && exists ? "\(name).of13.flows" : "\(name).flows"]
      if let fdb = try? text("\(directory)/\(name).fdb") { bridge.fdb = FDBDump(text: fdb).entries }
      bridge.failMode = "secure"
      return BridgeState(bridge, taken: taken)
    }
  }

  static func host(_ directory: String, of13: Bool = true) throws -> HostDatapath {
    HostDatapath(bridges: try bridges(directory, of13: of13))
  }
}

/// What `truth.json` says.
struct Truth {
  var hosts: [(name: String, vtep: IPAddress)] = []
  var networks: [(name: String, vni: UInt64, vlans: [String: UInt16])] = []
  var ports: [(name: String, host: String, network: String, mac: MACAddress, port: String)] = []
  var kind = TunnelSettings.Kind.vxlan
  var removed: [String] = []
  var added: [String] = []

  init(_ bundle: String) throws {
    guard let truth = try Recorded.json(bundle + "/truth.json") as? [String: Any] else { return }
    kind = truth["tunnel_type"] as? String == "gre" ? .gre : .vxlan
    for host in truth["hosts"] as? [[String: Any]] ?? [] {
      guard let name = host["name"] as? String, let text = host["vtep"] as? String, let vtep = IPAddress(text) else {
        continue
      }
      hosts.append((name, vtep))
    }
    for network in truth["networks"] as? [[String: Any]] ?? [] {
      guard let name = network["name"] as? String, let vni = network["vni"] as? Int,
        let vlans = network["local_vlans"] as? [String: Int]
      else { continue }
      networks.append((name, UInt64(vni), vlans.mapValues { UInt16($0) }))
    }
    for port in truth["ports"] as? [[String: Any]] ?? [] {
      guard let name = port["vm"] as? String, let host = port["host"] as? String,
        let network = port["network"] as? String, let mac = (port["mac"] as? String).flatMap({ MACAddress($0) }),
        let plug = port["ovs_port"] as? String
      else { continue }
      ports.append((name, host, network, mac, plug))
    }
    let fault = truth["fault"] as? [String: Any]
    for change in fault?["flow_changes"] as? [String] ?? [] {
      if change.hasPrefix("+") { added.append(String(change.dropFirst())) }
      if change.hasPrefix("-") { removed.append(String(change.dropFirst())) }
    }
  }
}

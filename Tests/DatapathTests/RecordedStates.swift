import Deployment
import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

/// One state of a recorded host: `BUNDLE/HOST` or `BUNDLE/HOST/after`.
struct RecordedState: CustomTestStringConvertible, Sendable {
  var path: String
  var testDescription: String { path }

  init(_ path: String) { self.path = path }

  /// The bridges, with the tunnels' addresses moved to the network that the test routes.
  func bridges() throws -> [BridgeState] {
    var bundle = path.split(separator: "/").map(String.init)
    let isAfter = bundle.last == "after"
    if isAfter { bundle.removeLast() }
    let host = bundle.removeLast()
    let root = Recorded.root.path + "/" + bundle.joined(separator: "/")
    let deployment = try loadBundle(path: root)
    guard let found = deployment.hosts.first(where: { $0.name == host }),
      let state = isAfter ? found.after : found.before
    else { throw OpenVSwitch.Failure(description: "no state of \(path)") }
    var moved: [IPAddress: IPAddress] = [:]
    return state.bridges.filter { $0.flows != nil }.map { bridge in
      var copy = BridgeState(bridge, taken: state.taken)
      for index in copy.ports.indices {
        guard case .tunnel(var tunnel) = copy.ports[index].kind, case .fixed(let remote) = tunnel.remote else {
          continue
        }
        let address = moved[remote] ?? IPAddress(v4: 0xc612_0102 + UInt32(moved.count))
        moved[remote] = address
        tunnel = TunnelSettings(kind: tunnel.kind, remote: .fixed(address))
        copy.ports[index].kind = .tunnel(tunnel)
      }
      return copy
    }
  }

  /// All states below Captures, but for those whose flows and ports read like those of another.
  static let distinct: [RecordedState] = {
    guard let files = FileManager.default.enumerator(atPath: Recorded.root.path) else { return [] }
    var texts: [String: [String]] = [:]
    for case let file as String in files where file.hasSuffix(".flows") || file.hasSuffix(".ports") {
      let directory = (file as NSString).deletingLastPathComponent
      let text = (try? String(contentsOfFile: Recorded.root.path + "/" + file, encoding: .utf8)) ?? ""
      texts[directory, default: []].append((file as NSString).lastPathComponent + plain(text))
    }
    var seen: Set<[String]> = []
    return texts.keys.sorted().filter { seen.insert(texts[$0]?.sorted() ?? []).inserted }.map(RecordedState.init)
  }()

  /// Without what counts and what tells the time.
  private static func plain(_ text: String) -> String {
    let changing = ["cookie", "duration", "n_packets", "n_bytes", "idle_age", "hard_age"]
    return text.split(separator: "\n").map { line in
      line.split(separator: ",").filter { part in
        !changing.contains { part.trimmingCharacters(in: .whitespaces).hasPrefix($0 + "=") }
      }
      .joined(separator: ",")
    }
    .joined(separator: "\n")
  }
}

extension BridgeState {
  /// Whether its flows ask what no dump tells.
  var tracksConnections: Bool {
    flows?.flows.contains { flow in flow.actions.contains { if case .conntrack = $0 { true } else { false } } } ?? false
  }
}

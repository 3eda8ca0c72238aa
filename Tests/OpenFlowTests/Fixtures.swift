import Foundation
import OpenFlow

/// The recorded bundles of the repository.
enum Recorded {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  /// Paths, relative to the bundles' directory, of all files with this ending.
  static func everywhere(_ ending: String) -> [String] {
    let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return all.filter { $0.hasSuffix(ending) }.sorted()
  }

  /// Those of the bundles that lie in no family: dumped in both dialects, with statistics.
  static func files(_ ending: String) -> [String] {
    everywhere(ending).filter { path in
      let bundle = path.prefix { $0 != "/" }
      return FileManager.default.fileExists(atPath: "\(root.path)/\(bundle)/truth.json")
    }
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: root.appendingPathComponent(path)))
  }

  static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }
}

/// One flow from one line that must be readable.
func flow(_ line: String) throws -> Flow {
  let dump = FlowDump(text: line)
  if let error = dump.errors.first { throw error }
  guard let flow = dump.flows.first, dump.flows.count == 1 else { throw UnexpectedCount(count: dump.flows.count) }
  return flow
}

struct UnexpectedCount: Error { var count: Int }

/// The actions of a line with nothing else.
func actions(_ text: String) throws -> [Action] { try flow("actions=" + text).actions }

/// The match of a line with nothing else.
func match(_ text: String) throws -> Match { try flow(text + " actions=drop").match }

/// A match made of terms.
func terms(_ list: (Field, UInt128, UInt128)...) -> Match {
  var match = Match()
  for (field, value, mask) in list { match.add(field, value: value, mask: mask) }
  return match
}

extension Flow {
  /// The flow with all that the versions of OpenFlow spell differently brought to what OpenFlow 1.0 can
  /// say, and ports as numbers.
  func reduced(_ ports: PortList) -> Flow {
    var result = Flow()
    result.table = table
    result.priority = priority
    result.cookie = cookie
    result.match = match
    result.match.inPort = match.inPort.map { $0.numbered(ports) }
    result.actions = actions.reduced(ports)
    result.idleTimeout = idleTimeout
    result.hardTimeout = hardTimeout
    return result
  }
}

extension PortReference {
  func numbered(_ ports: PortList) -> PortReference {
    guard case .name(let name) = self else { return self }
    return ports.ports.first { $0.name == name }?.port ?? self
  }
}

extension [Action] {
  func reduced(_ ports: PortList) -> [Action] {
    var result: [Action] = []
    for action in self {
      switch action {
      case .pushVLAN: continue
      case .set(.vlanVID, let value, 0xfff): result.append(.modVLANVID(UInt16(value)))
      case .set(.vlanPCP, let value, 7): result.append(.modVLANPCP(UInt8(value)))
      case .gotoTable(let table): result.append(.resubmit(port: nil, table: table, connectionTracking: false))
      case .output(let port): result.append(.output(port.numbered(ports)))
      case .resubmit(let port, let table, let tracking):
        result.append(.resubmit(port: port?.numbered(ports), table: table, connectionTracking: tracking))
      case .enqueue(let port, let queue): result.append(.enqueue(port.numbered(ports), queue: queue))
      case .outputTruncated(let port, let length):
        result.append(.outputTruncated(port.numbered(ports), maxLength: length))
      case .clone(let nested): result.append(.clone(nested.reduced(ports)))
      case .writeActions(let nested): result.append(.writeActions(nested.reduced(ports)))
      case .conntrack(var tracked):
        tracked.exec = tracked.exec.reduced(ports)
        result.append(.conntrack(tracked))
      case .setInPort(let port): result.append(.setInPort(port.numbered(ports)))
      case .learn(var learn):
        learn.specs = learn.specs.map { spec in
          if case .matchInPort(let port) = spec { return .matchInPort(port.numbered(ports)) }
          return spec
        }
        result.append(.learn(learn))
      default: result.append(action)
      }
    }
    return result
  }
}

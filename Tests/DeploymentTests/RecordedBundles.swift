import Foundation

/// The recorded bundles, and what `truth.json` says of each.
enum RecordedBundles {
  static let directory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Captures").path

  static let names: [String] = {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return entries.filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)/truth.json") }.sorted()
  }()

  static func path(_ name: String) -> String { "\(directory)/\(name)" }

  static func truth(_ name: String) throws -> Truth {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Truth.self, from: Data(contentsOf: URL(fileURLWithPath: path(name) + "/truth.json")))
  }
}

struct Truth: Decodable {
  struct HostTruth: Decodable {
    struct Place: Decodable {
      var bridge: String
      var ofport: Int
    }
    var name: String
    var vtep: String
    var underlayIf: String
    var ofports: [String: Place]
    var tunnelPorts: [String: String]
    var udpPort: Int?
  }
  struct NetworkTruth: Decodable {
    var name: String
    var uuid: String
    var vni: UInt32
    var type: String
    var localVlans: [String: UInt16]
  }
  struct PortTruth: Decodable {
    var host: String
    var network: String
    var mac: String
    var portId: String
    var tap: String?
    var qbr: String?
    var qvb: String?
    var qvo: String?
    var ovsPort: String
    var localVlan: UInt16
    var actualTag: UInt16
  }
  enum Interface: Decodable {
    case one(String)
    case several([String])
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let name = try? container.decode(String.self) {
        self = .one(name)
      } else {
        self = .several(try container.decode([String].self))
      }
    }
  }
  struct CaptureTruth: Decodable {
    var file: String
    var host: String
    var point: String
    var iface: Interface
  }
  var scenario: String
  var tunnelType: String
  var hosts: [HostTruth]
  var networks: [NetworkTruth]
  var ports: [PortTruth]
  var captures: [CaptureTruth]
}

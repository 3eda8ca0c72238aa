import Foundation
import OpenFlow

/// The state files of one host at one time, parsed but not yet put together.
struct StateFiles {
  struct BridgeDump<Content> {
    var file: String
    var bridge: String
    var content: Content
  }

  var show: VsctlShow?
  var showFile = ""
  var tables: [OVSDBTable.Name: OVSDBTable] = [:]
  var tableFiles: [OVSDBTable.Name: String] = [:]
  var flows: [BridgeDump<(version: Int, dump: FlowDump)>] = []
  var portLists: [BridgeDump<PortList>] = []
  var forwarding: [BridgeDump<FDBDump>] = []
  var devices: [HostInterface] = []
  /// From `collected.json`.
  var taken: [String: Double] = [:]
  var hostName: String?
  var ovsVersion: String?
  var notes: [StateNote] = []

  /// State above this size is no dump of a host.
  static let sizeLimit = 256 << 20
  private static let notesPerFile = 20

  /// Reads all files; Neutron's answers among them are added to `neutron`.
  init(_ files: [FoundFile], neutron: inout NeutronExport) {
    var unnamed: [(file: FoundFile, bytes: [UInt8])] = []
    for file in files {
      guard let bytes = StateFiles.bytes(of: file, notes: &notes) else { continue }
      switch file.kind {
      case .vsctlShow: readShow(bytes, file)
      case .json: readJSON(bytes, file, &neutron)
      case .ovsdbText, .ovsdbCSV: readTables(String(decoding: bytes, as: UTF8.self), file)
      case .ipText: readDevices(String(decoding: bytes, as: UTF8.self), file)
      case .flows(let bridge?, _), .portList(let bridge?), .forwarding(let bridge?): readDump(bytes, file, bridge)
      case .flows, .portList, .forwarding: unnamed.append((file, bytes))
      default: break
      }
    }
    let known = bridgeNames
    for (file, bytes) in unnamed {
      if let bridge = FileRecognition.bridgeName(in: file.base, known: known) {
        readDump(bytes, file, bridge)
      } else {
        note(.ignored, file, text: "a dump of a bridge, but its file name does not say which")
      }
    }
  }

  var isEmpty: Bool {
    show == nil && tables.isEmpty && flows.isEmpty && portLists.isEmpty && forwarding.isEmpty
  }

  /// Bridges named by `ovs-vsctl show`, OVSDB or the names of dumps.
  var bridgeNames: [String] {
    var names = Set(show?.bridges.map(\.name) ?? [])
    names.formUnion(tables[.bridge]?.rows.compactMap { $0.string("name") } ?? [])
    names.formUnion(flows.map(\.bridge))
    names.formUnion(portLists.map(\.bridge))
    names.formUnion(forwarding.map(\.bridge))
    return names.sorted(by: naturallyPrecedes)
  }

  static func bytes(of file: FoundFile, notes: inout [StateNote]) -> [UInt8]? {
    guard let handle = FileHandle(forReadingAtPath: file.path) else {
      notes.append(StateNote(kind: .missing, file: file.name, text: "cannot be opened"))
      return nil
    }
    defer { try? handle.close() }
    guard let end = try? handle.seekToEnd(), end <= UInt64(sizeLimit), (try? handle.seek(toOffset: 0)) != nil else {
      notes.append(
        StateNote(kind: .missing, file: file.name, text: "larger than 256 MiB, which no dump of state is"))
      return nil
    }
    guard let data = try? handle.read(upToCount: sizeLimit) else {
      // Nothing left to read is nil, too.
      if end == 0 { return [] }
      notes.append(StateNote(kind: .missing, file: file.name, text: "cannot be read"))
      return nil
    }
    return Array(data)
  }

  private mutating func note(_ kind: StateNote.Kind, _ file: FoundFile, line: Int = 0, text: String) {
    notes.append(StateNote(kind: kind, file: file.name, line: line, text: text))
  }

  /// Notes the first of many faults, and how many there are.
  private mutating func note(unreadable faults: [(line: Int, text: String)], _ file: FoundFile) {
    for fault in faults.prefix(StateFiles.notesPerFile) { note(.unreadable, file, line: fault.line, text: fault.text) }
    let more = faults.count - StateFiles.notesPerFile
    if more > 0 { note(.unreadable, file, text: "\(more) more lines that cannot be read") }
  }

  private mutating func readShow(_ bytes: [UInt8], _ file: FoundFile) {
    let parsed = VsctlShow(text: String(decoding: bytes, as: UTF8.self))
    note(unreadable: parsed.unreadable.map { ($0.line, $0.reason) }, file)
    guard show == nil else { return note(.ignored, file, text: "there is \(showFile) already") }
    show = parsed
    showFile = file.name
    ovsVersion = ovsVersion ?? parsed.ovsVersion
  }

  private mutating func readJSON(_ bytes: [UInt8], _ file: FoundFile, _ neutron: inout NeutronExport) {
    let value: JSONValue
    do throws(UnreadableText) {
      value = try JSONValue.parse(Data(bytes))
    } catch {
      return note(.unreadable, file, line: error.line, text: error.reason)
    }
    if let table = OVSDBTable(value, fileName: file.base) {
      readTable(table, file)
    } else if let taken = value["taken"]?.object {
      readTimes(taken, value, file)
    } else if neutron.add(value) {
      return
    } else if let (found, malformed) = IPDevices.read(value) {
      IPDevices.merge(found, into: &devices)
      if malformed > 0 { note(.unreadable, file, text: "\(malformed) entries are no devices") }
    } else {
      note(.ignored, file, text: "JSON of no known form")
    }
  }

  private mutating func readTable(_ table: OVSDBTable, _ file: FoundFile) {
    if table.malformed > 0 {
      note(.unreadable, file, text: "\(table.malformed) rows do not fit the headings")
    }
    guard let name = table.name else { return note(.ignored, file, text: "an OVSDB list of a table that is not used") }
    guard tables[name] == nil else { return note(.ignored, file, text: "table \(name.rawValue) is there already") }
    tables[name] = table
    tableFiles[name] = file.name
    if name == .openVSwitch, let version = table.rows.first?.string("ovs_version") { ovsVersion = version }
  }

  private mutating func readTables(_ text: String, _ file: FoundFile) {
    let found = file.kind == .ovsdbCSV ? [OVSDBText.readCSV(text)] : OVSDBText.readList(text)
    for table in found {
      note(unreadable: table.unreadable.map { ($0.line, $0.reason) }, file)
      let read = OVSDBTable(table, fileName: file.base)
      // A dump of the whole database holds many tables that no one asked for.
      if read.name != nil || table.caption == nil { readTable(read, file) }
    }
  }

  private mutating func readDevices(_ text: String, _ file: FoundFile) {
    let (found, faults) = IPText.read(text)
    note(unreadable: faults.map { ($0.line, $0.reason) }, file)
    IPDevices.merge(found, into: &devices)
  }

  private mutating func readTimes(_ times: [String: JSONValue], _ value: JSONValue, _ file: FoundFile) {
    for (name, time) in times.sorted(by: { $0.key < $1.key }) {
      if let seconds = time.double, seconds.isFinite, seconds >= 0 {
        taken[name] = seconds
      } else {
        note(.unreadable, file, text: "no time in epoch seconds: \(name.prefix(80))")
      }
    }
    hostName = value["host"]?.string
    ovsVersion = ovsVersion ?? value["ovsVersion"]?.string
  }

  private mutating func readDump(_ bytes: [UInt8], _ file: FoundFile, _ bridge: String) {
    switch file.kind {
    case .flows(_, let version):
      let dump = FlowDump(bytes: bytes)
      note(unreadable: dump.errors.map { ($0.line, "\($0.reason): \($0.text.prefix(120))") }, file)
      flows.append(BridgeDump(file: file.name, bridge: bridge, content: (version, dump)))
    case .portList:
      let list = PortList(bytes: bytes)
      note(unreadable: list.errors.map { ($0.line, "\($0.reason): \($0.text.prefix(120))") }, file)
      portLists.append(BridgeDump(file: file.name, bridge: bridge, content: list))
    default:
      let dump = FDBDump(bytes: bytes)
      note(unreadable: dump.errors.map { ($0.line, "\($0.reason): \($0.text.prefix(120))") }, file)
      forwarding.append(BridgeDump(file: file.name, bridge: bridge, content: dump))
    }
  }
}

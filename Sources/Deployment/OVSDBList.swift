/// `ovs-vsctl --format=json list TABLE`: rows by column, decoded from OVSDB's notation (RFC 7047, 5.1).
struct OVSDBTable {
  /// Tables the model reads.
  enum Name: String, CaseIterable {
    case port = "Port"
    case interface = "Interface"
    case bridge = "Bridge"
    case mirror = "Mirror"
    case openVSwitch = "Open_vSwitch"
  }

  var name: Name?
  var rows: [OVSDBRow] = []
  /// Rows that do not fit the headings.
  var malformed = 0

  /// nil where the value has not the form of such a list. The file's name tells the table where
  /// neither a caption (`ovsdb-client dump`) nor the columns do.
  init?(_ value: JSONValue, fileName: String) {
    guard let headings = value["headings"]?.array, let data = value["data"]?.array else { return nil }
    let columns = headings.map { $0.string ?? "" }
    for item in data {
      guard let cells = item.array, cells.count == columns.count else {
        malformed += 1
        continue
      }
      rows.append(OVSDBRow(cells: Dictionary(zip(columns, cells)) { first, _ in first }))
    }
    name = OVSDBTable.name(columns: Set(columns), caption: value["caption"]?.string, fileName: fileName)
  }

  /// A table that was printed as text.
  init(_ text: OVSDBText.Table, fileName: String) {
    rows = text.rows.map { OVSDBRow(cells: Dictionary(zip(text.columns, $0)) { first, _ in first }) }
    name = OVSDBTable.name(columns: Set(text.columns), caption: text.caption, fileName: fileName)
  }

  private static func name(columns: Set<String>, caption: String?, fileName: String) -> Name? {
    if let word = caption?.split(separator: " ").first, let name = Name(rawValue: String(word)) { return name }
    let lower = fileName.lowercased()
    if let name = Name.allCases.first(where: { lower == "ovsdb-\($0.rawValue.lowercased()).json" }) { return name }
    if columns.contains("select_all") || columns.contains("select_src_port") { return .mirror }
    if columns.contains("fail_mode") || columns.contains("datapath_type") && columns.contains("ports") {
      return .bridge
    }
    if columns.contains("ofport") || columns.contains("options") { return .interface }
    if columns.contains("tag") || columns.contains("trunks") || columns.contains("interfaces") { return .port }
    if columns.contains("ovs_version") || columns.contains("bridges") { return .openVSwitch }
    return nil
  }
}

/// One row of a table. A column that is missing, empty or of another type reads as nil or empty.
struct OVSDBRow {
  var cells: [String: JSONValue]

  /// A single string or number as text; a set of one element counts as that element.
  func string(_ column: String) -> String? { single(column).flatMap(OVSDBRow.text) }

  func unsigned(_ column: String) -> UInt64? { single(column)?.unsigned }

  func bool(_ column: String) -> Bool? { single(column)?.bool }

  func uuid(_ column: String) -> String? { single(column).flatMap(OVSDBRow.uuid) }

  func uuids(_ column: String) -> [String] { elements(column).compactMap(OVSDBRow.uuid) }

  func vlans(_ column: String) -> [UInt16] {
    elements(column).compactMap { $0.unsigned.flatMap { UInt16(exactly: $0) } }.filter { $0 < 4096 }
  }

  /// A map with its values as text; of a key that is there twice, the first.
  func map(_ column: String) -> [String: String] {
    guard let pairs = OVSDBRow.tagged("map", cells[column])?.array else { return [:] }
    var result: [String: String] = [:]
    for pair in pairs {
      guard let items = pair.array, items.count == 2, let key = OVSDBRow.text(items[0]),
        let value = OVSDBRow.text(items[1]), result[key] == nil
      else { continue }
      result[key] = value
    }
    return result
  }

  private func elements(_ column: String) -> [JSONValue] {
    guard let cell = cells[column] else { return [] }
    return OVSDBRow.tagged("set", cell)?.array ?? [cell]
  }

  private func single(_ column: String) -> JSONValue? {
    let items = elements(column)
    return items.count == 1 ? items[0] : nil
  }

  /// What stands behind the tag of `["set", …]`, `["map", …]`, `["uuid", …]`.
  private static func tagged(_ tag: String, _ value: JSONValue?) -> JSONValue? {
    guard let items = value?.array, items.count == 2, items[0].string == tag else { return nil }
    return items[1]
  }

  private static func uuid(_ value: JSONValue) -> String? { tagged("uuid", value)?.string }

  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text
    case .number(let number): Int64(exactly: number).map(String.init) ?? String(number)
    default: uuid(value)
    }
  }
}

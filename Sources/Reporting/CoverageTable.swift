import Verification

// The table of networks × hosts. Where it is wider than the terminal it becomes one line per network,
// or, with --verbose, several tables side by side below each other.
extension ReportText {
  /// One network's rows, by host.
  private struct NetworkRow {
    var name: String
    var vni: UInt32?
    var cells: [String: [CoverageRow]] = [:]

    var isWrong: Bool { cells.values.joined().contains { $0.outWrong > 0 || $0.inWrong > 0 } }
    var isIdle: Bool { cells.values.joined().contains { $0.expected && ($0.out == 0 || $0.in == 0) } }
  }

  /// A cell's text, and the same with colour.
  private struct Cell {
    var plain = ""
    var painted = ""

    mutating func add(_ text: String, _ color: TextStyle.Color? = nil, style: TextStyle) {
      plain += text
      painted += color.map { style.paint(text, $0) } ?? text
    }
  }

  mutating func writeCoverage() {
    guard !report.coverage.isEmpty else { return }
    var hosts = report.hosts
    var knownHosts = Set(hosts)
    var networks: [NetworkRow] = []
    var indices: [String: Int] = [:]
    for row in report.coverage {
      if knownHosts.insert(row.host).inserted { hosts.append(row.host) }
      let index = indices[row.network] ?? networks.count
      if index == networks.count {
        indices[row.network] = index
        networks.append(NetworkRow(name: row.network, vni: row.vni))
      }
      if networks[index].vni == nil { networks[index].vni = row.vni }
      networks[index].cells[row.host, default: []].append(row)
    }
    line()
    let nameWidth = max(7, networks.map { displayWidth(style.plain($0.name)) }.max() ?? 0)
    let vniWidth = max(3, networks.map { displayWidth(vni($0.vni)) }.max() ?? 0)
    let lead = nameWidth + vniWidth + 6
    let columns = hosts.map { host in
      max(displayWidth(style.plain(host)), networks.map { displayWidth(cell($0, host).plain) }.max() ?? 0)
    }
    let total = columns.reduce(lead) { $0 + $1 + 3 } - 3
    if style.width == 0 || total <= style.width {
      writeTable(networks, hosts, columns, nameWidth, vniWidth)
    } else if verbose || hosts.count <= 3 {
      var start = 0
      while start < hosts.count {
        var end = start
        var used = lead
        while end < hosts.count, end == start || used + columns[end] <= style.width {
          used += columns[end] + 3
          end += 1
        }
        if start > 0 { line() }
        writeTable(networks, Array(hosts[start..<end]), Array(columns[start..<end]), nameWidth, vniWidth)
        start = end
      }
    } else {
      writeList(networks, hosts, nameWidth, vniWidth)
    }
    if report.isStatic { return }
    line(
      style.paint(
        "\(style.out) from local ports into the tunnels   \(style.into) delivered to local ports   "
          + "\(style.wrong) went wrong   \(style.none) no port of the network", .dim))
  }

  private func vni(_ value: UInt32?) -> String {
    guard let value else { return style.none }
    return "\(value) (0x\(String(value, radix: 16)))"
  }

  private func cell(_ network: NetworkRow, _ host: String) -> Cell {
    var cell = Cell()
    guard let rows = network.cells[host], !rows.isEmpty else {
      cell.add(style.none, .dim, style: style)
      return cell
    }
    for (index, row) in rows.enumerated() {
      if index > 0 { cell.add(" / ", style: style) }
      if !row.expected, row.out == 0, row.in == 0 {
        cell.add(style.none, .dim, style: style)
        continue
      }
      cell.add(row.localVLAN.map { "VLAN \($0)" } ?? "VLAN ?", style: style)
      if row.vni != network.vni { cell.add(" VNI \(vni(row.vni))", .red, style: style) }
      if report.isStatic { continue }
      cell.add("  ", style: style)
      add(style.out, row.out, row.outWrong, idle: row.expected, to: &cell)
      cell.add(" ", style: style)
      add(style.into, row.in, row.inWrong, idle: row.expected, to: &cell)
    }
    return cell
  }

  private func add(_ arrow: String, _ count: UInt64, _ wrong: UInt64, idle: Bool, to cell: inout Cell) {
    cell.add("\(arrow)\(grouped(count))", count == 0 && idle ? .yellow : nil, style: style)
    if wrong > 0 { cell.add(" \(style.wrong)\(grouped(wrong))", .boldRed, style: style) }
  }

  private mutating func writeTable(
    _ networks: [NetworkRow], _ hosts: [String], _ columns: [Int], _ nameWidth: Int, _ vniWidth: Int
  ) {
    var heading = padded("network", to: nameWidth) + "   " + padded("VNI", to: vniWidth)
    for (host, column) in zip(hosts, columns) { heading += "   " + padded(style.plain(host), to: column) }
    line(style.paint(trimmed(heading), .bold))
    limited(ordered(networks, limit: 40), to: 40, indent: 0, noun: "networks") { text, network in
      var row =
        padded(text.style.plain(network.name), to: nameWidth) + "   " + padded(text.vni(network.vni), to: vniWidth)
      for (index, (host, column)) in zip(hosts, columns).enumerated() {
        let cell = text.cell(network, host)
        row += "   " + cell.painted
        if index < hosts.count - 1 {
          row += String(repeating: " ", count: max(0, column - displayWidth(cell.plain)))
        }
      }
      text.line(row)
    }
  }

  /// One line per network: totals, and the hosts where something is wrong or was not exercised.
  private mutating func writeList(
    _ networks: [NetworkRow], _ hosts: [String], _ nameWidth: Int, _ vniWidth: Int
  ) {
    line(style.paint(padded("network", to: nameWidth) + "   " + padded("VNI", to: vniWidth) + "   hosts", .bold))
    limited(ordered(networks, limit: 20), to: 20, indent: 0, noun: "networks") { text, network in
      let style = text.style
      var cell = Cell()
      var out: (count: UInt64, wrong: UInt64) = (0, 0)
      var into: (count: UInt64, wrong: UInt64) = (0, 0)
      var wrongHosts: [String] = []
      var idleHosts: [String] = []
      var present = 0
      for host in hosts {
        guard let rows = network.cells[host] else { continue }
        if rows.contains(where: { $0.expected || $0.out > 0 || $0.in > 0 }) { present += 1 }
        for row in rows {
          out = (out.count &+ row.out, out.wrong &+ row.outWrong)
          into = (into.count &+ row.in, into.wrong &+ row.inWrong)
        }
        if rows.contains(where: { $0.outWrong > 0 || $0.inWrong > 0 }) { wrongHosts.append(style.plain(host)) }
        if rows.contains(where: { $0.expected && ($0.out == 0 || $0.in == 0) }) { idleHosts.append(style.plain(host)) }
      }
      cell.add(padded(String(present), to: 5) + "   ", style: style)
      text.add(style.out, out.count, out.wrong, idle: present > 0, to: &cell)
      cell.add("  ", style: style)
      text.add(style.into, into.count, into.wrong, idle: present > 0, to: &cell)
      if !wrongHosts.isEmpty { cell.add("   wrong on \(text.names(wrongHosts))", .red, style: style) }
      if !idleHosts.isEmpty {
        cell.add("   not fully exercised on \(text.names(idleHosts))", .yellow, style: style)
      }
      text.line(
        padded(style.plain(network.name), to: nameWidth) + "   " + padded(text.vni(network.vni), to: vniWidth)
          + "   " + cell.painted)
    }
  }

  /// The first few of many names.
  private func names(_ all: [String]) -> String {
    guard all.count > 4 else { return all.joined(separator: ", ") }
    return all.prefix(3).joined(separator: ", ") + " and \(all.count - 3) more"
  }

  /// In the report's order; where not all will be shown, those with something to see come first.
  private func ordered(_ networks: [NetworkRow], limit: Int) -> [NetworkRow] {
    guard !verbose, networks.count > limit + 1 else { return networks }
    return networks.filter(\.isWrong) + networks.filter { !$0.isWrong && $0.isIdle }
      + networks.filter { !$0.isWrong && !$0.isIdle }
  }

  private func trimmed(_ text: String) -> String {
    var text = text
    while text.last == " " { text.removeLast() }
    return text
  }
}

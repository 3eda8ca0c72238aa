import Foundation
import OpenFlow
import Testing

@Suite("Recorded dumps")
struct RecordedDumpTests {
  @Test(
    "every line with actions becomes a flow that knows all its fields and actions", arguments: Recorded.files(".flows"))
  func readsEveryLine(_ path: String) throws {
    let text = try Recorded.text(path)
    let dump = FlowDump(text: text)
    let lines = text.split(separator: "\n").filter { $0.contains("actions=") }
    #expect(dump.errors == [])
    #expect(dump.flows.count == lines.count && !lines.isEmpty)
    for (flow, line) in zip(dump.flows, lines) {
      #expect(flow.match.unknown == [])
      #expect(!flow.actions.contains { if case .unknown = $0 { true } else { false } })
      #expect(line.hasSuffix(flow.text))
      #expect(line.contains("table=\(flow.table), n_packets=\(flow.packets ?? 0), n_bytes=\(flow.bytes ?? 0)"))
    }
    #expect(dump.dialect.isLossy == !path.hasSuffix(".of13.flows"))
  }

  @Test("dumps in whatever dialect are read whole", arguments: Recorded.everywhere(".flows"))
  func readsEveryDialect(_ path: String) throws {
    let text = try Recorded.text(path)
    let dump = FlowDump(text: text)
    #expect(dump.errors == [])
    #expect(dump.flows.count == text.split(separator: "\n").filter { $0.contains("actions=") }.count)
  }

  @Test("OpenFlow 1.0 with numbers and 1.3 with names say the same", arguments: Recorded.files(".of13.flows"))
  func dialectsAgree(_ path: String) throws {
    let base = path.dropLast(".of13.flows".count)
    let old = FlowDump(bytes: try Recorded.bytes(base + ".flows"))
    let new = FlowDump(bytes: try Recorded.bytes(path))
    let ports = PortList(bytes: try Recorded.bytes(base + ".ports"))
    #expect(!ports.ports.isEmpty && ports.errors.isEmpty)
    // The two were taken one after the other: rules learned in between are in one only.
    let a = Set(old.flows.filter { $0.hardTimeout == 0 }.map { $0.reduced(ports) })
    let b = Set(new.flows.filter { $0.hardTimeout == 0 }.map { $0.reduced(ports) })
    #expect(a == b)
    #expect(!a.isEmpty)
  }

  @Test("ports and their numbers", arguments: Recorded.files(".ports"))
  func readsPorts(_ path: String) throws {
    let text = try Recorded.text(path)
    let list = PortList(text: text)
    #expect(list.errors == [])
    #expect(list.ports.count == text.split(separator: "\n").filter { $0.contains("): addr:") }.count)
    #expect(list.ports.contains { $0.port == .local })
    #expect(list.datapathID?.count == 16)
  }

  @Test("forwarding tables", arguments: Recorded.files(".fdb"))
  func readsForwardingTables(_ path: String) throws {
    let text = try Recorded.text(path)
    let dump = FDBDump(text: text)
    #expect(dump.errors == [])
    #expect(dump.entries.count == text.split(separator: "\n").count - 1)
  }
}

import Foundation
import Testing
import Verification

@testable import Jobs

/// Tunnels on UDP ports that no source names.
@Suite("VXLAN on other UDP ports") struct TunnelPortTests {
  /// The captures of a bundle with tunnel packets to one port sent to another; `from`: only those of this VTEP.
  private func captures(_ bundle: String, _ port: UInt16, as other: UInt16, from vtep: [UInt8]? = nil) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for file in Bundles.files(bundle) where file.hasSuffix("eth1.pcap") {
      files[file] = try Rewriting.changed(Bundles.path(bundle) + "/" + file) { frame in
        guard frame.count > 42, frame[12...13] == [8, 0], frame[23] == 17, frame[36...37] == [UInt8(port >> 8), UInt8(port & 255)],
          vtep.map({ Array(frame[26..<30]) == $0 }) ?? true
        else { return frame }
        var changed = frame
        changed[36] = UInt8(other >> 8)
        changed[37] = UInt8(other & 255)
        return changed
      }
    }
    return files
  }

  @Test(arguments: [4790, 14789, 65535] as [UInt16], [true, false])
  func oneHostsOtherPortIsTheCause(port: UInt16, hasState: Bool) throws {
    let bundle = "wrong-udp-port"
    let report = try Bundles.verify(
      bundle, keeping: { Bundles.isCapture($0) || hasState && !$0.contains("ovs-vsctl-show") && !$0.contains("ovsdb-interface") },
      adding: captures(bundle, 8472, as: port))
    let causes = report.findings.filter { $0.role == .cause && $0.severity == .error }
    #expect(causes.map(\.rule) == ["nonstandard-tunnel-port"])
    #expect(causes.map(\.host) == ["host1"])
    #expect(causes.first?.message.contains("\(port)") == true)
  }

  @Test(arguments: [4800, 250] as [UInt16]) func allMayUseOne(port: UInt16) throws {
    let captures = try captures("clean-vxlan", 4789, as: port)
    let report = try Bundles.verify("clean-vxlan", keeping: Bundles.isCapture, adding: captures)
    #expect(report.verdict == .pass)
    #expect(report.coverage == (try Bundles.verify("clean-vxlan", keeping: Bundles.isCapture).coverage))
  }
}

import CaptureFiles
import Foundation

/// The same bundle without the dumps of flows, with the same captures; made anew.
public func bundleWithoutFlows(_ bundle: URL, at directory: URL) throws {
  let files = FileManager.default
  try? files.removeItem(at: directory)
  for path in ["lanecheck.yaml"] + Traffic.files + Overlay.hostNames.map({ "\($0)/ovs-vsctl-show.txt" }) {
    let copy = directory.appending(path: path)
    try files.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
    try files.linkItem(at: bundle.appending(path: path), to: copy)
  }
}

/// Generates a bundle: four captures, state, and what a right report says.
public func generateBundle(_ parameters: ScenarioParameters, at directory: URL) throws -> ExpectedReport {
  let overlay = Overlay()
  try write(overlay.manifest, to: directory.appending(path: "lanecheck.yaml"))
  for (host, name) in Overlay.hostNames.enumerated() {
    try write(overlay.switchText(of: host), to: directory.appending(path: "\(name)/ovs-vsctl-show.txt"))
    let tunnelFlows = overlay.tunnelFlows(of: host, parameters.fault)
    try write(tunnelFlows, to: directory.appending(path: "\(name)/br-tun.of13.flows"))
    try write(overlay.integrationFlows, to: directory.appending(path: "\(name)/br-int.of13.flows"))
    // The flows are as old as they say when the first frame comes.
    let start = host == 0 ? Traffic.start : parameters.far(Traffic.start)
    let taken = ["br-tun.of13.flows", "br-int.of13.flows"].map { "\"\($0)\": \(Double(start) / 1e9)" }
    try write("{ \"taken\": { \(taken.joined(separator: ", ")) } }\n", to: directory.appending(path: "\(name)/collected.json"))
  }
  let paths = Traffic.files.map { directory.appending(path: $0).path }
  var traffic = Traffic(parameters)
  var guests0 = try guestCapture(paths[0], overlay, host: 0)
  var guests1 = try guestCapture(paths[2], overlay, host: 1)
  var tunnel0 = try PcapWriter(path: paths[1])
  var tunnel1 = try PcapWriter(path: paths[3])
  var block = CaptureBlock()
  while traffic.expected.frames < parameters.frames {
    traffic.play(into: &block, sends: 5000)
    block.sort()
    try block.write(0) { bytes, time, interface throws(CaptureWriteError) in
      try guests0.write(bytes, time: time, interface: interface)
    }
    try block.write(1) { bytes, time, _ throws(CaptureWriteError) in try tunnel0.write(bytes, time: time) }
    try block.write(2) { bytes, time, interface throws(CaptureWriteError) in
      try guests1.write(bytes, time: parameters.far(time), interface: interface)
    }
    try block.write(3) { bytes, time, _ throws(CaptureWriteError) in
      try tunnel1.write(bytes, time: parameters.far(time))
    }
    block.clear()
  }
  try guests0.finish()
  try guests1.finish()
  try tunnel0.finish()
  try tunnel1.finish()
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  // Written last: a bundle with it is complete.
  try encoder.encode(traffic.expected).write(to: expectation(of: directory))
  return traffic.expected
}

/// The account of a bundle that was generated whole; nil where there is none.
public func generatedBundle(at directory: URL) -> ExpectedReport? {
  guard let data = try? Data(contentsOf: expectation(of: directory)) else { return nil }
  return try? JSONDecoder().decode(ExpectedReport.self, from: data)
}

/// Beside the bundle, which holds only what an operator would collect.
private func expectation(of directory: URL) -> URL { directory.appendingPathExtension("generated.json") }

private func guestCapture(_ path: String, _ overlay: Overlay, host: Int) throws -> PcapngWriter {
  var writer = try PcapngWriter(path: path, application: "lanecheck benchmark")
  for guest in overlay.guests where guest.host == host {
    _ = try writer.addInterface(CaptureInterface(linkType: 1, snapLength: 262_144, name: guest.tap))
  }
  return writer
}

private func write(_ text: String, to file: URL) throws {
  try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
  try Data(text.utf8).write(to: file)
}

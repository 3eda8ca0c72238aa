import CaptureFiles
import Datapath
import Deployment
import Observations
import Wire

/// The capture files of a simulated run: `HOST/INTERFACE.pcap`, nanoseconds, in the reference clock. Frames come in
/// the order of time.
final class SimulatedCaptures {
  /// As many files are open at once as a process may have by default, with room for others.
  private static let mostFiles = 900

  private final class File {
    let name: String
    var writer: PcapWriter
    var frames: UInt64 = 0

    init(_ name: String, _ writer: consuming PcapWriter) {
      self.name = name
      self.writer = writer
    }

    func write(_ frame: FabricFrame, _ time: Int64) throws(CaptureWriteError) {
      try writer.write(frame.bytes.span, time: max(0, time), wireLength: frame.wireLength)
      frames &+= 1
    }

    func finish() throws(CaptureWriteError) { try writer.finish() }
  }

  let directory: String
  private let deployment: Deployment
  private let fabric: Fabric
  private var open: [String: File] = [:]
  /// By port: interfaces between the guest and its bridge.
  private var guestFiles: [[File]] = []
  private var tunnelFiles: [File?] = []
  private var deviceFiles: [FabricPort: File] = [:]
  private var encapsulations: [FabricPort: Encapsulation] = [:]
  private let underlayMACs: [MACAddress]
  /// The captures that the run reads.
  private let inputs: Set<FileIdentity>

  /// Makes a file for every point of the deployment, so that an empty one says that nothing was seen.
  init(_ survey: SurveyResult, _ fabric: Fabric, directory: String) throws(CaptureWriteError) {
    self.directory = directory
    self.fabric = fabric
    deployment = survey.deployment
    inputs = Set(survey.deployment.captures.compactMap { FileIdentity($0.path) })
    underlayMACs = survey.deployment.hosts.map(SimulatedCaptures.underlayMAC)
    for host in deployment.hosts {
      guard SimulatedCaptures.isPlain(host.name) else {
        throw CaptureWriteError(path: host.name, reason: "the host's name is no name for a directory")
      }
      let path = directory + "/" + host.name
      if let reason = makeDirectories(path) { throw CaptureWriteError(path: path, reason: reason) }
    }
    for port in deployment.ports {
      var files: [File] = []
      var names = [port.tap, port.qvb, port.qvo].compactMap { $0 }
      if names.isEmpty { names = [port.bridgePort ?? port.name] }
      for name in names { files.append(try file(port.host, name)) }
      guestFiles.append(files)
    }
    for host in deployment.hosts.indices {
      let point = survey.plan.points.first { $0.host == host && $0.kind == .tunnel && !$0.captures.isEmpty }
      let name = point?.interface ?? SimulatedCaptures.underlayDevice(of: deployment.hosts[host])
      let hasTunnels = fabric.isKnown(host) || point != nil
      tunnelFiles.append(hasTunnels ? try file(host, name) : nil)
    }
  }

  /// A name that stays in its directory.
  private static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.contains("/") && !name.utf8.contains(0)
  }

  private func file(_ host: Int, _ interface: String) throws(CaptureWriteError) -> File {
    let name = "\(deployment.hosts[host].name)/\(interface).pcap"
    if let known = open[name] { return known }
    guard SimulatedCaptures.isPlain(interface) else {
      throw CaptureWriteError(path: name, reason: "the interface's name is no name for a file")
    }
    guard open.count < SimulatedCaptures.mostFiles else {
      throw CaptureWriteError(
        path: directory, reason: "the bundle has more than \(SimulatedCaptures.mostFiles) capture points")
    }
    if let there = FileIdentity(directory + "/" + name), inputs.contains(there) {
      throw CaptureWriteError(path: directory + "/" + name, reason: "it is one of the captures that are read")
    }
    let created = File(name, try PcapWriter(path: directory + "/" + name))
    open[name] = created
    return created
  }

  /// The device with the host's tunnel address.
  private static func underlayDevice(of host: Host) -> String {
    host.interfaces.first { device in device.addresses.contains { host.vteps.contains($0) } }?.name ?? "underlay"
  }

  /// The MAC of that device; one made from the address where it is not known.
  private static func underlayMAC(of host: Host) -> MACAddress {
    let device = host.interfaces.first { device in device.addresses.contains { host.vteps.contains($0) } }
    return device?.mac ?? stand(for: host.vteps.first ?? .none)
  }

  private static func stand(for address: IPAddress) -> MACAddress {
    MACAddress(rawValue: 0x0200_0000_0000 | address.low & 0xffff_ffff)
  }

  // MARK: Frames

  /// A frame at a guest's port, in either direction: each interface on the way shows it.
  func guest(_ port: Int, _ frame: FabricFrame, at time: Int64) throws(CaptureWriteError) {
    for file in guestFiles[port] { try file.write(frame, time) }
  }

  /// A frame that leaves by a device that is no guest's.
  func device(_ port: FabricPort, _ frame: FabricFrame, at time: Int64) throws(CaptureWriteError) {
    let target: File
    if let known = deviceFiles[port] {
      target = known
    } else {
      target = try file(port.host, fabric.name(of: port).port)
      deviceFiles[port] = target
    }
    try target.write(frame, time)
  }

  /// A frame in a tunnel: at the sender's underlay point, and at the receiver's.
  func underlay(
    from port: FabricPort, to host: Int?, _ frame: FabricFrame, _ outer: OuterHeader, at time: Int64
  ) throws(CaptureWriteError) {
    let packet = encapsulation(port, host, outer).packet(around: frame, outer)
    try tunnelFiles[port.host]?.write(packet, time)
    if let host, host != port.host { try tunnelFiles[host]?.write(packet, time) }
  }

  private func encapsulation(_ port: FabricPort, _ host: Int?, _ outer: OuterHeader) -> Encapsulation {
    // A port whose remote is `flow` has many receivers.
    var known =
      encapsulations[port]
      ?? {
        var new = Encapsulation(sourceMAC: underlayMACs[port.host], destinationMAC: .zero)
        let (bridge, name, _) = fabric.name(of: port)
        let options = deployment.hosts[port.host].state?.bridges.first { $0.name == bridge }?.ports
          .first { $0.name == name }?.options
        new.apply(options ?? [:])
        encapsulations[port] = new
        return new
      }()
    known.destinationMAC = host.map { underlayMACs[$0] } ?? SimulatedCaptures.stand(for: outer.destination)
    return known
  }

  func finish() throws(CaptureWriteError) {
    for file in open.values { try file.finish() }
  }

  /// All files, by name.
  var files: [(name: String, frames: UInt64)] {
    open.values.map { ($0.name, $0.frames) }.sorted { $0.name < $1.name }
  }
}

import Foundation
import Glibc
import Synchronization

/// A real Open vSwitch in a scratch directory, with its dummy datapath: no privileges, no kernel module, no
/// real device. For one user at a time: tests that share it are serialized.
final class OpenVSwitch: @unchecked Sendable {
  struct Failure: Error, CustomStringConvertible { var description: String }

  static let tools = ["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-vswitchd", "ovs-ofctl"]
  static let isInstalled = tools.allSatisfy { path(of: $0) != nil }

  /// One for all who take turns in using it: to start it takes longer than most of what is done with it.
  static func share() throws -> OpenVSwitch {
    try shared.withLock { known in
      if let known, (try? known.appctl("version")) != nil { return known }
      let new = try OpenVSwitch()
      known = new
      return new
    }
  }

  private static let shared = Mutex<OpenVSwitch?>(nil)

  let directory: String
  /// Held open: the daemons live as long as somebody holds the other end of their input.
  private var inputs: [Pipe] = []
  private var control: ControlSocket?

  private static func path(of tool: String) -> String? {
    ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/bin/"].map { $0 + tool }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  init() throws {
    directory = FileManager.default.temporaryDirectory.path + "/lanecheck-ovs-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    _ = try run("ovsdb-tool", ["create", directory + "/conf.db", "/usr/share/openvswitch/vswitch.ovsschema"])
    try start(
      "ovsdb-server",
      [
        "--remote=punix:\(directory)/db.sock", "--unixctl=\(directory)/db.ctl", "--no-chdir", "-vconsole:off",
        directory + "/conf.db",
      ], until: "db.sock")
    // The socket's file is there a moment before anybody listens.
    let initialise = ["--db=unix:\(directory)/db.sock", "--no-wait", "init"]
    for attempt in 0..<50 {
      do {
        _ = try run("ovs-vsctl", initialise)
        break
      } catch where attempt < 49 {
        usleep(100_000)
      }
    }
    try start(
      "ovs-vswitchd",
      [
        "--enable-dummy", "--disable-system", "--disable-system-route", "--no-chdir",
        "--unixctl=\(directory)/vswitchd.ctl", "-vconsole:off", "unix:\(directory)/db.sock",
      ], until: "vswitchd.ctl")
    control = try ControlSocket(path: directory + "/vswitchd.ctl")
  }

  private func process(_ tool: String, _ arguments: [String]) throws -> Process {
    guard let path = OpenVSwitch.path(of: tool) else { throw Failure(description: "\(tool) is not installed") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = [
      "OVS_RUNDIR": directory, "OVS_DBDIR": directory, "OVS_LOGDIR": directory, "OVS_SYSCONFDIR": directory,
      "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    ]
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    return process
  }

  /// Starts a daemon that ends, and takes the directory with it, as soon as this object or this process is gone.
  /// With its clock stopped the switch may take long to go by itself.
  private func start(_ tool: String, _ arguments: [String], until file: String) throws {
    guard let path = OpenVSwitch.path(of: tool) else { throw Failure(description: "\(tool) is not installed") }
    let guardian = "\"$@\" </dev/null & read line; kill -9 $!; rm -rf \"$OVS_RUNDIR\""
    let process = try process("sh", ["-c", guardian, "sh", path] + arguments)
    let input = Pipe()
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    inputs.append(input)
    for _ in 0..<500 {
      if FileManager.default.fileExists(atPath: directory + "/" + file) { return }
      usleep(10_000)
    }
    throw Failure(description: "\(tool) does not start")
  }

  /// Runs a tool to its end.
  @discardableResult
  func run(_ tool: String, _ arguments: [String]) throws -> String {
    let process = try process(tool, arguments)
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw Failure(description: "\(tool) \(arguments): \(complaint)") }
    return text
  }

  func vsctl(_ arguments: [String]) throws {
    // A switch that has died would be waited for without end.
    try run("ovs-vsctl", ["--timeout=60", "--db=unix:\(directory)/db.sock"] + arguments)
  }

  func ofctl(_ options: [String], _ command: String, _ bridge: String, _ arguments: [String] = []) throws -> String {
    try run("ovs-ofctl", options + [command, "\(directory)/\(bridge).mgmt"] + arguments)
  }

  struct Command {
    var method: String
    var parameters: [String] = []
  }

  /// A command to the running switch, as `ovs-appctl` sends it.
  @discardableResult
  func appctl(_ method: String, _ parameters: [String] = []) throws -> String {
    try appctl([Command(method: method, parameters: parameters)]).first ?? ""
  }

  /// Commands with their answers, in one go.
  @discardableResult
  func appctl(_ commands: [Command]) throws -> [String] {
    guard let control else { throw Failure(description: "not running") }
    return try control.call(commands)
  }

  /// Lets the switch look at everything that may have timed out. A new setting of the tunnels' source ports wakes
  /// it; by itself it looks twice a second.
  func revalidate() throws {
    try appctl(
      OpenVSwitch.round + [
        Command(method: "tnl/egress_port_range", parameters: ["32768", "61000"]), Command(method: "revalidator/wait"),
      ] + OpenVSwitch.round)
  }

  /// Lets the main loop, which does the switching, go round: it takes ten commands at most each time
  /// (`run_connection` in lib/unixctl.c).
  static let round = Array(repeating: Command(method: "version"), count: 10)

  /// Frames of a pcap that the switch writes.
  func frames(_ file: String) throws -> [[UInt8]] {
    guard let data = FileManager.default.contents(atPath: file) else { return [] }
    let bytes = [UInt8](data)
    var position = 24
    var frames: [[UInt8]] = []
    while position + 16 <= bytes.count {
      let length = (0..<4).reduce(0) { $0 | Int(bytes[position + 8 + $1]) << ($1 * 8) }
      guard position + 16 + length <= bytes.count else { break }
      frames.append(Array(bytes[position + 16..<position + 16 + length]))
      position += 16 + length
    }
    return frames
  }
}

/// The JSON-RPC connection that `ovs-appctl` uses (ovs-appctl(8), lib/unixctl.c), kept open.
private final class ControlSocket {
  private let handle: FileHandle
  private let descriptor: Int32
  private var next = 0
  private var pending: [UInt8] = []

  init(path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw OpenVSwitch.Failure(description: "no socket") }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // SAFETY: the path is copied into the fixed array only where it fits with its final zero, and the
    // pointer passed to connect is to a complete sockaddr_un that outlives the call.
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < capacity else { throw OpenVSwitch.Failure(description: "path is too long: \(path)") }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { buffer in
      for (index, byte) in bytes.enumerated() { unsafe buffer[index] = byte }
    }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    // The socket's file is there a moment before the switch listens on it.
    var status: Int32 = -1
    for _ in 0..<200 where status != 0 {
      status = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(descriptor, $0, size) }
      }
      if status != 0 { usleep(10_000) }
    }
    guard status == 0 else { throw OpenVSwitch.Failure(description: "cannot connect to \(path)") }
    self.descriptor = descriptor
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  func call(_ commands: [OpenVSwitch.Command]) throws -> [String] {
    var requests = Data()
    for command in commands {
      next += 1
      let request: [String: Any] = ["method": command.method, "params": command.parameters, "id": next]
      requests += try JSONSerialization.data(withJSONObject: request)
    }
    do {
      try handle.write(contentsOf: requests)
    } catch {
      throw OpenVSwitch.Failure(description: "Open vSwitch has gone")
    }
    return try commands.map { command in
      let reply = try object(of: command)
      if let error = reply["error"] as? String { throw OpenVSwitch.Failure(description: "\(command.method): \(error)") }
      return reply["result"] as? String ?? ""
    }
  }

  /// The next JSON object on the connection. Nothing stands between them.
  private func object(of command: OpenVSwitch.Command) throws -> [String: Any] {
    var depth = 0
    var inString = false
    var escaped = false
    var position = 0
    while true {
      while position < pending.count {
        let byte = pending[position]
        position += 1
        if inString {
          if escaped {
            escaped = false
          } else if byte == UInt8(ascii: "\\") {
            escaped = true
          } else if byte == UInt8(ascii: "\"") {
            inString = false
          }
        } else if byte == UInt8(ascii: "\"") {
          inString = true
        } else if byte == UInt8(ascii: "{") {
          depth += 1
        } else if byte == UInt8(ascii: "}") {
          depth -= 1
          if depth == 0 {
            let data = Data(pending[..<position])
            pending.removeFirst(position)
            return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
          }
        }
      }
      var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // SAFETY: one complete pollfd that outlives the call.
      let ready = unsafe poll(&wanted, 1, 20_000)
      guard ready > 0 else { throw OpenVSwitch.Failure(description: "no answer to \(command)") }
      var more = [UInt8](repeating: 0, count: 1 << 16)
      // SAFETY: the array is as long as the count says.
      let count = unsafe more.withUnsafeMutableBytes { buffer in unsafe read(descriptor, buffer.baseAddress, buffer.count) }
      guard count > 0 else { throw OpenVSwitch.Failure(description: "Open vSwitch has gone") }
      pending += more[..<count]
    }
  }
}

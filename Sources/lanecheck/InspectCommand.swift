import ArgumentParser
import Jobs
import Reporting
import Wire

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the frames of a capture file with their overlay view.",
    discussion: """
      One line per frame: number, time (UTC), interface, for encapsulated frames the outer addresses and the VNI or \
      key, then the inner frame's MACs, tags and protocol. With --format json, one object per line with all layers.

      EXAMPLES
        lanecheck inspect compute1/eth1.pcap
        lanecheck inspect compute1/eth1.pcap --filter 'udp port 4789' --count 20
        lanecheck inspect compute1/eth1.pcap.gz --vxlan-port 8472 --format json
        ssh compute1 tcpdump -i eth1 -U -w - | lanecheck inspect -

      EXIT STATUS
        0  all frames were shown
        2  could not run, or the file is damaged (frames before the damage are shown)
      """)

  @Argument(help: "A pcap or pcapng file, also compressed with gzip or zstd; - for standard input.", completion: .file())
  var file: String

  @Option(help: "What to print.")
  var format = OutputFormat.text

  @Option(help: ArgumentHelp("A tcpdump expression, applied to the record as captured.", valueName: "expression"))
  var filter: String?

  @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Show at most so many frames.", valueName: "n"))
  var count: UInt64?

  @Option(
    name: .customLong("vxlan-port"), parsing: .singleValue,
    help: ArgumentHelp("A UDP port that carries VXLAN; up to four times (default: 4789 and 8472).", valueName: "port"))
  var vxlanPorts: [UInt16] = []

  @Option(help: ArgumentHelp("The UDP port that carries Geneve.", valueName: "port"))
  var genevePort: UInt16 = 6081

  func validate() throws {
    guard vxlanPorts.count <= 4 else { throw ValidationError("--vxlan-port can be given at most four times.") }
    guard !vxlanPorts.contains(0), genevePort != 0 else { throw ValidationError("A UDP port is never 0.") }
  }

  func run() throws {
    var options = InspectOptions(path: file)
    options.format = format == .json ? .json : .text
    options.filter = filter
    options.count = count
    options.unicode = Terminal(.never).unicode
    if !vxlanPorts.isEmpty {
      let ports = vxlanPorts + [0, 0, 0, 0]
      (options.tunnels.vxlan0, options.tunnels.vxlan1) = (ports[0], ports[1])
      (options.tunnels.vxlan2, options.tunnels.vxlan3) = (ports[2], ports[3])
    }
    options.tunnels.geneve = genevePort
    let output = StandardOutput()
    try runJob(nil) { () throws(JobError) in
      try inspect(options) { output.write($0) }
    }
  }
}

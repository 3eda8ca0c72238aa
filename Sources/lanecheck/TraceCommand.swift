import ArgumentParser
import Jobs
import Reporting
import Wire

extension MACAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension IPAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension TraceProtocol: ExpressibleByArgument {}

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Send one frame through the hosts' own flows, from host to host, and tell every step.",
    discussion: """
      As ovs-appctl ofproto/trace shows one bridge, this shows the whole overlay: the tables that decide on the \
      sender's host, the tunnels, the tables of every host that receives, and where the copies end. It needs no \
      running host, only dumps of ports and flows; a host without dumps counts as Neutron would set it up. Hosts start \
      with what the dumps show as learned.

      FROM and TO are guest names, MACs, addresses or port names; FROM may also be HOST/PORT, any port of any bridge. \
      Without TO the frame is an ARP broadcast. With TO it is a ping, if addresses are known.

      EXAMPLES
        lanecheck trace bundle/ vm1 vm2
        lanecheck trace bundle/ vm1 vm2 --count 3          there, back, there again: flooded first, then learned
        lanecheck trace bundle/ vm1 vm2 --learned
        lanecheck trace bundle/ vm1 vm2 --protocol tcp --dst-port 443
        lanecheck trace bundle/ vm1 --protocol arp --dst-ip 10.0.0.12
        lanecheck trace bundle/ host1/patch-tun --src-mac fa:16:3e:00:00:01 --vlan 1
        lanecheck trace bundle/ --capture compute1/eth1.pcap --frame 17

      EXIT STATUS
        0  the frame was traced, whatever became of it
        2  could not run: wrong usage, a guest that is not known, or an input that cannot be read
      """)

  @Argument(help: "A bundle's directory.", completion: .directory)
  var bundle: String

  @Argument(help: ArgumentHelp("Guest, MAC, address or port that sends.", valueName: "from"))
  var from: String?

  @Argument(help: ArgumentHelp("Guest, MAC, address or port to which the frame goes.", valueName: "to"))
  var to: String?

  @Option(name: [.customShort("p"), .customLong("protocol")], help: "What kind of frame.")
  var kind: TraceProtocol?

  @Option(help: ArgumentHelp("Source MAC, instead of the port's own.", valueName: "mac"))
  var srcMac: MACAddress?

  @Option(help: ArgumentHelp("Destination MAC of the first frame, instead of the receiver's.", valueName: "mac"))
  var dstMac: MACAddress?

  @Option(help: ArgumentHelp("Source address.", valueName: "address"))
  var srcIp: IPAddress?

  @Option(help: ArgumentHelp("Destination address.", valueName: "address"))
  var dstIp: IPAddress?

  @Option(help: ArgumentHelp("Source port of TCP and UDP (default: 49152).", valueName: "port"))
  var srcPort: UInt16?

  @Option(help: ArgumentHelp("Destination port (default: 80 for TCP, 5001 for UDP).", valueName: "port"))
  var dstPort: UInt16?

  @Option(
    name: .customLong("vlan"), parsing: .singleValue,
    help: ArgumentHelp("A tag that the sender puts on the frame; repeatable, outermost first.", valueName: "vid"))
  var vlans: [UInt16] = []

  @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Frames, by turns there and back.", valueName: "n"))
  var count = 1

  @Flag(help: "Both ends have talked before; with --capture, all captured guests up to the frame.")
  var learned = false

  @Flag(help: "Use the state that was taken after the captures.")
  var after = false

  @Option(help: ArgumentHelp("Trace a frame of this capture of the bundle.", valueName: "file"), completion: .file())
  var capture: String?

  @Option(help: ArgumentHelp("The frame's number in the capture, from 1.", valueName: "n"))
  var frame: UInt64 = 1

  @OptionGroup var population: PopulationOption

  @OptionGroup var intent: ManifestOption

  @OptionGroup var form: FormOptions

  func validate() throws {
    guard (from == nil) != (capture == nil) else {
      throw ValidationError("Name the guest or port that sends, or a frame with --capture and --frame.")
    }
    guard (1...1000).contains(count) else { throw ValidationError("--count takes 1 to 1000.") }
    guard vlans.allSatisfy({ $0 < 4096 }), vlans.count <= 4 else {
      throw ValidationError("--vlan takes a VLAN ID from 0 to 4095, at most four times.")
    }
  }

  func run() throws {
    var options = TraceOptions(paths: [bundle])
    options.manifest = intent.manifest
    options.populatesTables = population.populates
    options.from = from
    options.to = to
    options.kind = kind
    options.sourceMAC = srcMac
    options.destinationMAC = dstMac
    options.sourceAddress = srcIp
    options.destinationAddress = dstIp
    options.sourcePort = srcPort
    options.destinationPort = dstPort
    options.vlans = vlans
    options.count = count
    options.isLearned = learned
    options.after = after
    options.capture = capture
    options.frame = frame
    let report = try runJob(nil) { () throws(JobError) in try trace(options) }
    try form.emit(json: { renderJSON(report) }, text: { renderText(report, color: $0.color, unicode: $0.unicode) })
  }
}

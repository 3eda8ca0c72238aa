import OpenFlow
import Wire

/// What one passage through the pipeline did, with everything as indices; turned into an `Outcome` when all
/// passages are done.
struct Run {
  struct Exit: Hashable {
    var bridge: Int
    var port: Int
    var tunnelID: UInt64?
    var remote = IPAddress.none
    /// As it leaves, without what was noted beside it.
    var packet: Packet
    var isRewritten = false
    var outputFlow: FlowIndex
    var tunnelIDFlow = FlowIndex.none
    var vlanFlow: FlowIndex
  }

  struct Passage: Hashable {
    var from: BridgeRuntime.Place
    var to: BridgeRuntime.Place
    var tags: VLANTags
    var isUncertain: Bool
    var outputFlow: FlowIndex
    var vlanFlow: FlowIndex
  }

  struct Step {
    var bridge: Int
    var table: UInt8
    var depth: Int
    var flow: FlowIndex
    var events: [Event] = []
  }

  /// What happened in a step, in its order.
  enum Event {
    /// By its place in the flow's list.
    case action(Int)
    case note(String)
    /// The step of another table.
    case step(Int)
  }

  struct Reason: Hashable {
    var text: String
    var flow: FlowIndex
  }

  enum Effect: Hashable {
    case learn(bridge: Int, InstalledFlow)
    case see(bridge: Int, BridgeRuntime.FDBKey, port: Int32)
    case use(FlowIndex)
    case reduce(FlowIndex, idle: UInt16, hard: UInt16)
  }

  var now: Int64
  var original: Packet
  var wantsSteps: Bool
  var exits: [Exit] = []
  var passages: [Passage] = []
  var steps: [Step] = []
  var effects: [Effect] = []
  var reasons: [Reason] = []
  var lastFlow = FlowIndex.none
  var wentToController = false

  /// The step whose actions are performed.
  var currentStep = -1
  /// What the way depended on, for `DecidedFlows`.
  var dependence = Dependence()

  /// Resubmits to the same or an earlier table, nested; and all of them.
  var depth = 0
  var resubmits = 0
  var level = 0
  /// Passages through connection tracking, nested.
  var recirculations = 0
  var tasks: [Task] = []
  var saved: [Saved] = []
  var actionSet: [Action] = []
  var stack: [UInt128] = []
  /// `exit`: nothing more happens in this bridge.
  var stopped = false
  /// A limit was exceeded: Open vSwitch then drops the frame.
  var failed = false
  /// Actions and copies of this run and those before it.
  var stepsTaken = 0
  /// A limit was exceeded, in whichever bridge.
  var metLimit = false
  /// It was too much to follow to its end.
  var isCut = false

  init(packet: Packet, now: Int64, wantsSteps: Bool) {
    original = packet
    self.now = now
    self.wantsSteps = wantsSteps
  }

  mutating func note(_ text: @autoclosure () -> String) {
    guard wantsSteps, steps.indices.contains(currentStep) else { return }
    steps[currentStep].events.append(.note(text()))
  }

  mutating func doubt(_ text: String, _ flow: FlowIndex) {
    let reason = Reason(text: text, flow: flow)
    if reasons.count < 256, !reasons.contains(reason) { reasons.append(reason) }
  }
}

import OpenFlow
import Wire

/// What is still to be done for a frame, kept beside the thread's own stack: how often tables and bridges lead
/// into one another is up to the dump.
extension Run {
  struct Task {
    enum Kind {
      /// Actions from `next` on.
      case actions
      /// Copies from `next` on, each out of one port.
      case copies
      /// The actions of a table's flow are done.
      case leave(deepens: Bool)
      /// The frame has passed a bridge: what it gathered in its action set.
      case actionSet
      /// What was set aside comes back.
      case restore
    }

    var kind: Kind
    var bridge: Int
    var table: UInt8
    var flow: FlowIndex
    var actions: [Action] = []
    var copies: [Copy] = []
    var next = 0
    /// The step of the trace that it belongs to; -1: none.
    var step = -1
    /// The actions are the flow's list, not nested in another action.
    var isOwn = false
  }

  /// A copy of the packet that goes out of a port, with its own tags.
  struct Copy {
    var port: UInt32
    var tag0: VLANTag
    var tag1: VLANTag
    var isUncertain: Bool
  }

  /// Why something was set aside.
  enum Nesting { case clone, patch, tracking }

  /// What an excursion must leave as it was.
  struct Saved {
    var nesting: Nesting
    var packet: Packet
    var stack: [UInt128]
    var actionSet: [Action]
    var lastFlow: FlowIndex
    var stopped: Bool
    var depth: Int
    var resubmits: Int
    var exits: Int
    var passages: Int
  }

  /// Puts copies before everything else that is to be done.
  mutating func put(copies: [Copy], _ bridge: Int, _ table: UInt8, _ flow: FlowIndex) {
    tasks.append(
      Task(kind: .copies, bridge: bridge, table: table, flow: flow, copies: copies, step: currentStep))
  }

  mutating func set(aside packet: Packet, for nesting: Nesting, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex) {
    saved.append(
      Saved(
        nesting: nesting, packet: packet, stack: stack, actionSet: actionSet, lastFlow: lastFlow, stopped: stopped,
        depth: depth, resubmits: resubmits, exits: exits.count, passages: passages.count))
    tasks.append(Task(kind: .restore, bridge: bridge, table: table, flow: flow))
  }

  /// Nothing of the frame comes out that had not come out when there were so many exits.
  mutating func drop(exits count: Int, passages passed: Int) {
    if exits.count > count { exits.removeSubrange(count...) }
    if passages.count > passed { passages.removeSubrange(passed...) }
  }
}

extension HostDatapath {
  /// Does what there is to do until nothing is left, or until it is too much.
  func work(_ packet: inout Packet, _ run: inout Run, _ choices: inout Choices) {
    while let last = run.tasks.indices.last {
      if !choices.affordStep(exits: run.exits.count) {
        run.tasks = []
        run.isCut = true
        run.doubt("the frame's way has more steps and copies than are followed", run.lastFlow)
        return
      }
      let (bridge, table, flow) = (run.tasks[last].bridge, run.tasks[last].table, run.tasks[last].flow)
      let next = run.tasks[last].next
      switch run.tasks[last].kind {
      case .actions:
        if run.stopped || run.failed || next >= run.tasks[last].actions.count {
          run.tasks.removeLast()
          continue
        }
        let action = run.tasks[last].actions[next]
        run.tasks[last].next += 1
        run.dependence.note(action)
        guard run.wantsSteps else {
          perform(action, bridge, table, flow, &packet, &run, &choices)
          continue
        }
        run.currentStep = run.tasks[last].step
        if run.tasks[last].isOwn { run.begin(action: next) }
        let before = packet
        perform(action, bridge, table, flow, &packet, &run, &choices)
        run.note(changesBy: action, from: before, to: packet)
      case .copies:
        if run.failed || next >= run.tasks[last].copies.count {
          run.tasks.removeLast()
          continue
        }
        let copy = run.tasks[last].copies[next]
        run.currentStep = run.tasks[last].step
        run.tasks[last].next += 1
        var leaving = packet
        leaving.tag0 = copy.tag0
        leaving.tag1 = copy.tag1
        leaving.isUncertain = copy.isUncertain
        emit(copy.port, bridge, table, flow, leaving, &packet, &run, &choices)
      case .leave(let deepens):
        run.tasks.removeLast()
        run.level -= 1
        if deepens { run.depth -= 1 }
      case .actionSet:
        run.tasks.removeLast()
        performActionSet(bridge, table, &run)
      case .restore:
        run.tasks.removeLast()
        if let saved = run.saved.popLast() { restore(saved, &packet, &run) }
      }
    }
  }

  private func restore(_ saved: Run.Saved, _ packet: inout Packet, _ run: inout Run) {
    packet = saved.packet
    run.stack = saved.stack
    run.actionSet = saved.actionSet
    switch saved.nesting {
    case .clone: break
    case .patch:
      // Neither errors nor `exit` of the other bridge stop this one.
      run.failed = false
      run.stopped = saved.stopped
      // What became of the frame was decided over there; without an exit, that is where it ended.
      if !run.exits.isEmpty { run.lastFlow = saved.lastFlow }
    case .tracking:
      // The tracked frame goes its own way, with limits of its own.
      if run.failed { run.drop(exits: saved.exits, passages: saved.passages) }
      run.failed = false
      run.stopped = saved.stopped
      run.depth = saved.depth
      run.resubmits = saved.resubmits
      run.recirculations -= 1
      clearTracking(&packet)
    }
  }
}

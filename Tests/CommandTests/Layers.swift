/// One protocol layer with the values that are compared, as text.
struct Layer: Equatable, CustomStringConvertible {
  var name: String
  var values: [String: String] = [:]

  var description: String {
    name + " " + values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }
}

/// The layers of one frame, outermost first.
struct FrameLayers {
  var number: UInt64
  var layers: [Layer] = []
  /// Decoding went as far as it goes; where false, a missing layer is no disagreement.
  var isComplete = true
}

/// Why two views of a frame disagree; nil where `ours` is what `theirs` begins with. More layers on their side
/// are quoted packets of ICMP errors, or what our side said it could not read.
func disagreement(_ ours: FrameLayers, _ theirs: FrameLayers) -> String? {
  for (index, layer) in ours.layers.enumerated() {
    guard index < theirs.layers.count else { return "frame \(ours.number): only we have \(layer)" }
    let other = theirs.layers[index]
    guard layer.name == other.name else { return "frame \(ours.number): \(layer), tshark has \(other)" }
    for (key, value) in layer.values where other.values[key] != value {
      // Of a header whose options are cut, tshark leaves out fields that are there.
      if !ours.isComplete, other.values[key] == nil { continue }
      return "frame \(ours.number): \(layer), tshark has \(other)"
    }
  }
  guard ours.isComplete, theirs.layers.count > ours.layers.count else { return nil }
  if let last = ours.layers.last?.name, last == "icmp" || last == "icmpv6" { return nil }
  return "frame \(ours.number): missing \(theirs.layers[ours.layers.count])"
}

import Deployment

extension Report {
  /// Takes what loading the deployment had to say: input that is missing keeps the verdict from being a pass.
  mutating func take(_ notes: [StateNote]) {
    for note in notes {
      let text = note.file.isEmpty ? note.text : "\(note.file)\(note.line > 0 ? ":\(note.line)" : ""): \(note.text)"
      switch note.kind {
      case .missing: inputErrors.append(text)
      case .disputed: reasons.append(text)
      case .unreadable, .contradiction, .ignored: self.notes.append(text)
      }
    }
  }
}

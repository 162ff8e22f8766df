/// The end of a prompt where it is padded or cut.
enum TokenizerSide: String, Sendable {
  case left
  case right
}

/// What a message is: byte 5 of its header. `Proto/clusca.proto` says who sends which, and when.
public enum MessageKind: UInt8, Sendable, Hashable, CaseIterable {
  case hello = 1
  case welcome = 2
  case refused = 3
  case heartbeat = 4
  case received = 5
  case current = 6
  case assign = 10
  case release = 11
  case ready = 12
  case failed = 13
  case held = 14
  case openSample = 20
  case closeSample = 21
  case stepBegin = 22
  case stepDone = 23
  case task = 24
  case taskDone = 25
  case takeSnapshot = 26
  case snapshot = 27
  case chunk = 30
  case ack = 31
  case resend = 32
  case credit = 33
  case submit = 40
  case accepted = 41
  case status = 42
  case cancel = 43
  case event = 44
  case done = 45
  case jobs = 46
  case fetch = 47
}

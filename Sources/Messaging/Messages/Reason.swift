/// Why something was refused, failed or was given up; `Proto/clusca.proto` explains each.
public enum Reason: UInt32, Sendable, Hashable, CaseIterable {
  case denied = 1
  case malformed = 2
  case tensor = 3
  case version = 4
  case build = 5
  case numerics = 6
  case model = 7
  case epoch = 8
  case replaced = 9
  case unexpected = 10
  case busy = 11
  case quota = 12
  case request = 13
  case memory = 14
  case numeric = 15
  case cancelled = 16
  case storage = 17
  case `internal` = 18
  case quarantined = 19
}

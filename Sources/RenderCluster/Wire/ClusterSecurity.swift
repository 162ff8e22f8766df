import Messaging

/// How a worker or client and the coordinator know each other.
public enum ClusterSecurity: Sendable {
  /// CURVE: own keys, and the coordinator's public one.
  case curve(KeyPair, coordinator: PublicKey)
  /// None: on this machine only.
  case plaintext
  /// None, on any address.
  case insecurePlaintext

  /// To reach the coordinator.
  public var towardsCoordinator: ClientSecurity { client(nil) }

  /// To reach a process of this key.
  func client(_ server: PublicKey?) -> ClientSecurity {
    switch self {
    case .curve(let keys, let coordinator): .curve(keys, server: server ?? coordinator)
    case .plaintext: .plaintext
    case .insecurePlaintext: .insecurePlaintext
    }
  }

  /// To be reached by those on a list.
  func server(_ access: AccessControl) -> ServerSecurity {
    switch self {
    case .curve(let keys, _): .curve(keys, access)
    case .plaintext: .plaintext
    case .insecurePlaintext: .insecurePlaintext
    }
  }

  var coordinatorKey: PublicKey? { if case .curve(_, let coordinator) = self { coordinator } else { nil } }
}

/// The names under which tensors are sent: lists of who may send them hold a stage's number, not a worker's name.
enum LineName {
  static let coordinator = "coordinator"
  static func stage(_ number: UInt32) -> String { "stage-\(number)" }

  /// Of the line of a stage: the stage goes from worker to worker, and which of them is the newer one is said by the
  /// assignments, not by when their processes began.
  static func incarnation(epoch: UInt64, attempt: UInt32) -> UInt64 { epoch << 32 | UInt64(attempt) }
}

import Messaging

extension StepOrder {
  /// So many steps after the last full one; nil for any other order.
  var distance: UInt32? { if case .cached(let distance) = kind { distance } else { nil } }
}

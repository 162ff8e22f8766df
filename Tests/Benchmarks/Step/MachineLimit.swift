import CLimits
import Measuring
import Tensors

/// What the CPU's instructions for products do on registers alone, on all threads at once.
enum MachineLimit {
  /// Multiplications and additions a second.
  static func operationsPerSecond(_ precision: Precision) -> Double {
    let measure =
      switch precision {
      case .float32: clusca_limit_float32
      case .bfloat16: clusca_limit_bfloat16
      case .int8: clusca_limit_int8
      }
    let (rounds, threads) = (2_000_000, ThreadPool.shared.threads)
    let watch = Stopwatch()
    ThreadPool.shared.forEach(threads) { _ in _ = measure(rounds) }
    return Double(threads * rounds) * measure(1) / watch.seconds
  }
}

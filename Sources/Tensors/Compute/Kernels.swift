import CKernels

/// The inner loops for this CPU.
package nonisolated(unsafe) let kernels = clusca_kernels_for_this_cpu().pointee

/// What the program computes with, for reports.
public enum ComputeBackEnd {
  /// The kernels in use: "generic", "avx2", "avx512" or "avx512bf16". Equal names give equal bits.
  public static var instructionSet: String { String(cString: kernels.name) }

  /// Whether the kernels multiply float32 matrices of many rows; OpenBLAS does otherwise.
  public static var multipliesFloat32: Bool { kernels.product_float32 != nil }

  /// OpenBLAS' own description of itself, such as "OpenBLAS 0.3.21 … SkylakeX".
  public static var openBLAS: String { OpenBLAS.description }
}
